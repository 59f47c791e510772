# SPDX-License-Identifier: GPL-2.0
"""What each domain cost, out of Xen's own trace: xentrace and xenalyze in dom0.

Under instruction counting a cycle is an instruction. What starting a program
costs is in a trace, too: callers take the difference of two amounts of work.
"""
import re

from xenlab.errors import LabError

FILE = "/run/xvbench-trace"
# Who runs, and hypercalls and traps of PV guests: TRC_SCHED, TRC_PV
EVENTS = "0x0022f000"
PAGES = 4096                # of buffer: nothing may be lost
IDLE = 32767


def start(lab):
    """From now on."""
    lab.exec("dom0", f"rm -f {FILE}*; setsid xentrace -D -S {PAGES} "
             f"-e {EVENTS} {FILE} </dev/null >{FILE}.log 2>&1 & "
             f"echo $! >{FILE}.pid; "
             f"until [ -s {FILE} ]; do kill -0 $! || exit 1; sleep 0.1; done",
             check=True, timeout=60)


def stop(lab):
    """Until now: see parse()."""
    done = lab.exec("dom0", f"kill -INT $(cat {FILE}.pid); "
                    f"while kill -0 $(cat {FILE}.pid) 2>/dev/null; do "
                    "sleep 0.1; done; "
                    f"xenalyze --dump-all {FILE} 2>/dev/null | "
                    "grep -q lost_records && echo lost; "
                    f"xenalyze --summary {FILE} 2>/dev/null; rm -f {FILE}*",
                    check=True, timeout=300)
    if done.stdout.startswith("lost"):
        raise LabError("Xen's trace buffer was too small: records are lost")
    return parse(done.stdout)


def parse(text):
    """{domid: {"cycles": it ran for, "hypercalls": that it made}} out of the
    summary of xenalyze. Returning from an interrupt or a system call is a
    hypercall of its own in a PV guest and not counted as one."""
    found = {}
    for block in text.split("|-- Domain ")[1:]:
        domid = int(block.split(" ", 1)[0])
        if domid == IDLE:
            continue
        cycles = sum(int(times) * int(average) for times, average in re.findall(
            r"^   running: +(\d+) +\S+ +(\d+) ", block, re.M))
        calls = sum(map(int, re.findall(r"^  hypercall +(\d+)$", block, re.M)))
        iret = sum(map(int, re.findall(r"^ +iret +\[23\]: +(\d+)$", block,
                                       re.M)))
        found[domid] = {"cycles": cycles, "hypercalls": calls - iret}
    if 0 not in found:
        raise LabError("no word of dom0 in Xen's trace")
    return found
