#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Kernel memory that is in use when all caches are empty, as JSON: objects by
slab cache, and "pages" that belong to nothing that has a name.

Stands alone: it runs where the memory is.
"""
import glob
import json
import os

# Of the sanitizers, for each object of others
TRACKERS = ("debug_objects_cache", "kmemleak_object", "kmemleak_scan_area")
NAMED = ("MemFree", "Buffers", "Cached", "AnonPages", "Slab", "KernelStack",
         "PageTables", "Percpu", "VmallocUsed")


def write(path, text):
    """To a file of the kernel's."""
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def shrink():
    """Inodes go twice: what they hold is free when they are."""
    for _ in range(2):
        write("/proc/sys/vm/drop_caches", "3")
    for folder in glob.glob("/sys/kernel/slab/*"):
        # Other names of a cache are links
        if not os.path.islink(folder):
            write(folder + "/shrink", "1")


def used():
    """Numbers by name."""
    with open("/proc/slabinfo", encoding="ascii") as file:
        counts = {line.split()[0]: int(line.split()[1])
                  for line in file.readlines()[2:]
                  if not line.startswith(TRACKERS)}
    with open("/proc/meminfo", encoding="ascii") as file:
        kib = {line.split(":")[0]: int(line.split()[1]) for line in file}
    counts["pages"] = (kib["MemTotal"] -
                       sum(kib.get(name, 0) for name in NAMED)) // 4
    return counts


def grown(before, after, times):
    """What was left each time, if something was done so many times."""
    more = {name: number - before.get(name, 0)
            for name, number in after.items()}
    return {name: number for name, number in more.items()
            if number > times / 2}


if __name__ == "__main__":
    shrink()
    print(json.dumps(used()))
