# SPDX-License-Identifier: GPL-2.0
"""Figures of the benchmark: rows of medians, floors, comparison with others.

Nothing here measures: rows come in and verdicts go out. A row that is missing
is a failure everywhere, never a row that happens to be fine.
"""
import statistics

PATHS = ("tcp", "moved", "af_xenvmc", "lo_tcp", "unix", "pipe", "memcpy")
UNITS = {"stream": "MB/s", "rtt": "us"}

# Of one connection: what, size, by how much moved TCP is better than plain.
FLOORS = (("stream", 65536, 6), ("stream", 16384, 5), ("stream", 1024, 2.5),
          ("stream", 64, 1.3), ("rtt", 1, 2.3))

# TCP on netfront is noisy even where instructions are counted.
GATED = ("moved", "af_xenvmc")
TOLERANCE = 0.05


def row(path, conns, size, what, values):
    """A row of results.json out of the @values of all rounds."""
    if path not in PATHS:
        raise ValueError(f"path {path}: expected one of {', '.join(PATHS)}")
    if not values or min(values) <= 0:
        raise ValueError(f"{path} {what} {size}: a round without a figure")
    return {"path": path, "conns": conns, "size": size, "what": what,
            "unit": UNITS[what], "median": statistics.median(values),
            "min": min(values), "max": max(values)}


def key(entry):
    """What a row is a figure of."""
    return (entry["path"], entry["conns"], entry["size"], entry["what"])


def gain(what, before, after):
    """How many times better @after is than @before."""
    return before / after if what == "rtt" else after / before


def floors(rows):
    """A list of (what, size, ratio or None, floor, whether it is reached)."""
    median = {key(entry): entry["median"] for entry in rows}
    found = []
    for what, size, floor in FLOORS:
        pair = [median.get((path, 1, size, what)) for path in ("tcp", "moved")]
        ratio = None if None in pair else gain(what, *pair)
        found.append((what, size, ratio, floor,
                      ratio is not None and ratio >= floor))
    return found


def worse(rows, baseline):
    """Lines saying which gated figures of @baseline are missing from @rows or
    more than TOLERANCE worse there."""
    median = {key(entry): entry["median"] for entry in rows}
    lines = []
    for entry in baseline:
        if entry["path"] not in GATED:
            continue
        name = "{} {} conns, {} B, {}".format(*key(entry))
        now = median.get(key(entry))
        if now is None:
            lines.append(f"{name}: not measured")
            continue
        loss = gain(entry["what"], now, entry["median"]) - 1
        if loss > TOLERANCE:
            lines.append(f"{name}: {entry['median']} -> {now} "
                         f"{entry['unit']}, {loss:.1%} worse")
    return lines
