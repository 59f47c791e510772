# SPDX-License-Identifier: GPL-2.0
"""Figures of the benchmark: rows of medians, floors, comparison with others.

Nothing here measures: rows come in and verdicts go out. A row that is missing
is a failure everywhere, never a row that happens to be fine.
"""
import re
import statistics

PATHS = ("tcp", "moved", "af_xenvmc", "lo_tcp", "unix", "pipe", "memcpy")
UNITS = {"stream": "MB/s", "rtt": "us", "connect": "us"}

# Of one connection: what, size, by how much moved TCP is better than plain.
FLOORS = (("stream", 65536, 6), ("stream", 16384, 5), ("stream", 1024, 2.5),
          ("stream", 64, 1.3), ("rtt", 1, 2.3))
SMP_FLOORS = (("rtt", 1, 3.5),)

# What connections that cannot move may pay for the modules, and what of them is
# measured: where to, what, size.
TAX = 0.01
TAXED = tuple((path, *work) for path in ("within", "between")
              for work in (("connect", 1), ("rtt", 1), ("rtt", 64)))

# TCP on netfront is noisy even where instructions are counted.
GATED = ("moved", "af_xenvmc")
TOLERANCE = 0.05
# Who of fifty is scheduled next differs from boot to boot, and with it how much
# each finds to do.
TOLERANCE_MANY = 0.15


def fixed(slack):
    """So much more is chance, of whatever row."""
    return lambda row: slack


# What else the baseline has of these: kind of rows, what a row is of, and its
# figures with their slack: so much more of what is counted is chance. Guests
# make hypercalls for their clock and their scheduler, too, up to one in a
# million instructions: that is most of them where a MiB takes many.
COSTS = (("costs", ("path", "size"),
          {"instructions_per_mib": fixed(0),
           "hypercalls_per_mib":
               lambda row: 2 + row["instructions_per_mib"] / 1e6,
           "doorbells_per_mib": fixed(2),
           "dom0_percent": fixed(1)}),
         ("connections", ("path",),
          {"instructions": fixed(0), "hypercalls": fixed(1)}))


def parse(text):
    """The lines of xvbench, as dictionaries; ValueError for any other."""
    found = []
    for line in text.splitlines():
        match = re.fullmatch(r"what=(\w+) conns=(\d+) size=(\d+) amount=(\d+) "
                             r"warm=(\d+) ns=(\d+)", line)
        if not match:
            raise ValueError(f"not a line of xvbench: {line}")
        names = ("conns", "size", "amount", "warm", "ns")
        found.append({"what": match.group(1),
                      **dict(zip(names, map(int, match.groups()[1:])))})
    return found


def value(line):
    """The figure of a line, in its unit: of a stream, all connections together;
    of a round trip or a connect, as one connection sees it."""
    if line["what"] == "stream":
        return line["amount"] * 1e3 / line["ns"]
    return line["ns"] / 1e3 / line["amount"]


def moved_bytes(lines):
    """Bytes that measured connections moved, either way."""
    total = 0
    for line in lines:
        if line["what"] == "stream":
            total += line["amount"]
        elif line["what"] == "rtt":
            total += 2 * line["amount"] * line["size"] * line["conns"]
    return total


def row(path, conns, size, what, values):
    """A row of results.json out of the @values of all rounds."""
    if path not in PATHS:
        raise ValueError(f"path {path}: expected one of {', '.join(PATHS)}")
    if not values or min(values) <= 0:
        raise ValueError(f"{path} {what} {size}: a round without a figure")
    three = {"median": statistics.median(values),
             "min": min(values), "max": max(values)}
    return {"path": path, "conns": conns, "size": size, "what": what,
            "unit": UNITS[what],
            **{name: round(number, 3) for name, number in three.items()}}


def key(entry):
    """What a row is a figure of."""
    return (entry["path"], entry["conns"], entry["size"], entry["what"])


def gain(what, before, after):
    """How many times better @after is than @before."""
    return after / before if what == "stream" else before / after


def floors(rows, table=FLOORS):
    """A list of (what, size, ratio or None, floor, whether it is reached)."""
    median = {key(entry): entry["median"] for entry in rows}
    found = []
    for what, size, floor in table:
        pair = [median.get((path, 1, size, what)) for path in ("tcp", "moved")]
        ratio = None if None in pair else gain(what, *pair)
        found.append((what, size, ratio, floor,
                      ratio is not None and ratio >= floor))
    return found


def pairs(values):
    """Rows of how many times better moved TCP was than plain TCP, out of
    @values: {(conns, size, what): [(plain, moved) of each round]}."""
    found = []
    for (conns, size, what), rounds in values.items():
        gains = [gain(what, *pair) for pair in rounds]
        found.append({"conns": conns, "size": size, "what": what,
                      "median": statistics.median(gains),
                      "min": min(gains), "max": max(gains)})
    return found


def taxes(values):
    """Rows of what loaded modules cost, out of @values: {(path, what, size):
    [(microseconds without, with) of each pair]}. A pair is compared in itself."""
    found = []
    for (path, what, size), both in values.items():
        more = [loaded / bare - 1 for bare, loaded in both]
        found.append({"path": path, "what": what, "size": size,
                      "without_us": statistics.median(b for b, _ in both),
                      "with_us": statistics.median(w for _, w in both),
                      "tax": statistics.median(more),
                      "min": min(more), "max": max(more)})
    return found


def overtaxed(rows):
    """Lines saying what is taxed more than TAX, or was not measured."""
    tax = {(row["path"], row["what"], row["size"]): row["tax"] for row in rows}
    lines = []
    for key in TAXED:
        if key not in tax:
            lines.append("{} {} of {} B: not measured".format(*key))
        elif tax[key] > TAX:
            lines.append("{} {} of {} B: {:.2%} more with the modules, at most "
                         "{:.0%}".format(*key, tax[key], TAX))
    return lines


def table(rows):
    """Rows as text: a line for each kind of work, a column for each path."""
    paths = [p for p in PATHS if any(r["path"] == p for r in rows)]
    lines = [f"{'work':>24}" + "".join(f"{p:>11}" for p in paths)
             + f"{'tcp:moved':>11}"]
    cells = {key(r): r["median"] for r in rows}
    for work in dict.fromkeys(key(r)[1:] for r in rows):
        conns, size, what = work
        name = f"{what} {conns} x {size} B {UNITS[what]}"
        medians = [cells.get((p, *work)) for p in paths]
        both = [cells.get((p, *work)) for p in ("tcp", "moved")]
        lines.append(f"{name:>24}" + "".join(
            f"{m:>11.1f}" if m else f"{'-':>11}" for m in medians)
            + (f"{gain(what, *both):>10.2f}x" if all(both) else ""))
    return "\n".join(lines)


def dearer(found, baseline):
    """Lines saying which costs in @baseline are missing from @found or more
    than TOLERANCE higher there. Both as in results.json."""
    lines = []
    for kind, names, costs in COSTS:
        now = {tuple(row[n] for n in names): row for row in found[kind]}
        for row in baseline[kind]:
            of = tuple(row[n] for n in names)
            name = " ".join(map(str, of))
            if of not in now:
                lines.append(f"{name}, {kind}: not measured")
                continue
            lines += [f"{name}, {cost}: {row[cost]:.1f} -> {now[of][cost]:.1f}"
                      for cost, slack in costs.items()
                      if now[of][cost] > row[cost] * (1 + TOLERANCE) + slack(row)]
    return lines


def worse(rows, baseline):
    """Lines saying which gated figures of @baseline are missing from @rows or
    more than TOLERANCE worse there, TOLERANCE_MANY of many connections."""
    median = {key(entry): entry["median"] for entry in rows}
    lines = []
    for entry in baseline:
        if entry["path"] not in GATED:
            continue
        most = TOLERANCE if entry["conns"] == 1 else TOLERANCE_MANY
        name = "{} {} conns, {} B, {}".format(*key(entry))
        now = median.get(key(entry))
        if now is None:
            lines.append(f"{name}: not measured")
            continue
        loss = gain(entry["what"], now, entry["median"]) - 1
        if loss > most:
            lines.append(f"{name}: {entry['median']} -> {now} "
                         f"{entry['unit']}, {loss:.1%} worse")
    return lines
