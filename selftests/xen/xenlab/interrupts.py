# SPDX-License-Identifier: GPL-2.0
"""For how long interrupts held a guest's processor: its kernel measures each
handler and each softirq from entry to exit, and keeps the longest."""
import re

from .errors import LabError

EVENTS = "/sys/kernel/tracing/events/irq"
# An event, and the field that tells two that are under way from each other
KINDS = (("irq_handler", "irq"), ("softirq", "vec"))
# A line of a histogram, and the one below it
NUMBER = re.compile(r"hitcount: +(\d+)\s+max: +(\d+)")


def _entry(kind, field):
    """(file, text) of the trigger that notes the time."""
    return (f"{EVENTS}/{kind}_entry/trigger",
            f"hist:keys=common_cpu,{field}:{field}_at=common_timestamp.usecs")


def _exit(kind, field):
    """The same of the one that compares."""
    return (f"{EVENTS}/{kind}_exit/trigger",
            f"hist:keys=common_cpu,{field}:"
            f"held=common_timestamp.usecs-${field}_at:"
            f"onmax($held).save({field})")


def watch(lab, where):
    """From now on, if not before already."""
    begin = [make(*kind) for kind in KINDS for make in (_entry, _exit)]
    lab.exec(where, "mountpoint -q /sys/kernel/tracing || "
             "mount -t tracefs none /sys/kernel/tracing; "
             + " && ".join(f"{{ grep -q ^hist: {path} || "
                           f"echo '{text}' >{path}; }}"
                           for path, text in begin), check=True)


def again(lab, where):
    """(seconds of the longest one, how many there were) since watch() or
    again(); from now on anew."""
    ends = [_exit(*kind) for kind in KINDS]
    done = lab.exec(where, f"cat {EVENTS}/*_exit/hist && "
                    + " && ".join(f"echo '!{text}' >{path} && "
                                  f"echo '{text}' >{path}"
                                  for path, text in ends), check=True)
    return measured(done.stdout)


def measured(text):
    """The same, of histograms. Neither nothing is a measurement, nor what
    there was no room for."""
    if re.search(r"Dropped: +[1-9]", text):
        raise LabError("interrupts were dropped from a histogram")
    found = [(int(most), int(count)) for count, most in NUMBER.findall(text)]
    if not found:
        raise LabError("no interrupt was measured")
    return (max(most for most, _ in found) / 1e6,
            sum(count for _, count in found))
