# SPDX-License-Identifier: GPL-2.0
"""Results of programs that were run with the hook off and on: figures, file."""
import json
import os
import platform
import statistics

from .lab import build_folder


def row(values, less=False):
    """@values: {"off": [...], "on": [...]}; medians, their ratio, the spread.
    @less: a smaller value is better."""
    off, on = (statistics.median(values[state]) for state in ("off", "on"))
    return {"off": round(off, 2), "on": round(on, 2),
            "ratio": round(off / on if less else on / off, 2),
            "spread": {state: [min(each), max(each)]
                       for state, each in values.items()}}


def about(lab, guest):
    """Where the figures were taken."""
    def said(where, command):
        return lab.exec(where, command, check=True).stdout.strip()
    return {"xen": said("dom0", "xl info xen_version"),
            "kernel": said(guest, "uname -r"),
            "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, "
                       "emulated"}


def write(name, found):
    """Write build/NAME/results.json; returns its path."""
    folder = os.path.join(build_folder(), name)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "results.json")
    with open(path, "w", encoding="utf-8") as handle:
        json.dump(found, handle, indent=1)
        handle.write("\n")
    return path
