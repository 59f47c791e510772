#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Kernel memory that is in use when all caches are empty, as JSON: objects by
slab cache, and "pages" that belong to nothing that has a name.

Stands alone: it runs where the memory is.
"""
import contextlib
import glob
import json
import os

# Of the sanitizers, for each object of others
TRACKERS = ("debug_objects_cache", "kmemleak_object", "kmemleak_scan_area")
NAMED = ("MemFree", "Buffers", "Cached", "AnonPages", "Slab", "KernelStack",
         "PageTables", "Percpu", "VmallocUsed")


def shrunk_slabs():
    """Objects by cache. A processor keeps slabs of a cache for what it allocates
    next, whose objects count as used. It takes some with the first allocation:
    so nothing is opened between the shrinking and the look, nor read for the
    first time."""
    with contextlib.ExitStack() as files:
        knobs = [files.enter_context(open(folder + "/shrink", "wb", 0))
                 for folder in glob.glob("/sys/kernel/slab/*")
                 # Other names of a cache are links
                 if not os.path.islink(folder)]
        slabs = files.enter_context(open("/proc/slabinfo", "rb", 0))
        slabs.read()
        slabs.seek(0)
        for knob in knobs:
            knob.write(b"1")
        lines = slabs.read().decode().splitlines()[2:]
    return {line.split()[0]: int(line.split()[1]) for line in lines
            if not line.startswith(TRACKERS)}


def free_by_processor():
    """Free pages that a processor keeps for itself, which MemFree has not."""
    with open("/proc/zoneinfo", encoding="ascii") as file:
        words = [line.split() for line in file]
    return sum(int(line[1]) for line in words if line[:1] == ["count:"])


def used():
    """Numbers by name."""
    # Inodes go twice: what they hold is free when they are
    for _ in range(2):
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
            file.write("3")
    counts = shrunk_slabs()
    with open("/proc/meminfo", encoding="ascii") as file:
        kib = {line.split(":")[0]: int(line.split()[1]) for line in file}
    counts["pages"] = (kib["MemTotal"] -
                       sum(kib.get(name, 0) for name in NAMED)) // 4 - \
        free_by_processor()
    return counts


def grown(before, after, times):
    """What was left each time, if something was done so many times."""
    more = {name: number - before.get(name, 0)
            for name, number in after.items()}
    return {name: number for name, number in more.items()
            if number > times / 2}


if __name__ == "__main__":
    print(json.dumps(used()))
