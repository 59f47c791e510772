# SPDX-License-Identifier: GPL-2.0
"""For how long interrupts held a guest's processor, as its tracepoints tell."""
import re

TRACING = "/sys/kernel/tracing"
EVENTS = ("irq_handler_entry", "irq_handler_exit", "softirq_entry",
          "softirq_exit")
# What is behind the processor's number: flags, seconds, event, which one
LINE = re.compile(r"\[(\d+)\] \S+ +([\d.]+): (irq_handler|softirq)_"
                  r"(entry|exit): (?:irq|vec)=(\d+)")


def watch(lab, where):
    """From now on."""
    lab.exec(where, f"mountpoint -q {TRACING} || "
             f"mount -t tracefs none {TRACING}; cd {TRACING} && "
             "echo 0 >tracing_on && echo >trace && "
             + " && ".join(f"echo 1 >events/irq/{event}/enable"
                           for event in EVENTS)
             + " && echo 1 >tracing_on", check=True)


def longest(lab, where):
    """(seconds of the longest one since watch(), how many there were), as far
    back as the kernel's buffer goes. Ends the watch."""
    done = lab.exec(where, f"cd {TRACING} && echo 0 >tracing_on && cat trace; "
                    + "; ".join(f"echo 0 >events/irq/{event}/enable"
                                for event in EVENTS), check=True)
    return pairs(done.stdout)


def pairs(text):
    """The same, of a trace."""
    begun, most, number = {}, 0.0, 0
    for cpu, when, kind, edge, which in LINE.findall(text):
        key = cpu, kind, which
        if edge == "entry":
            begun[key] = float(when)
        elif key in begun:
            most = max(most, float(when) - begun.pop(key))
            number += 1
    return most, number
