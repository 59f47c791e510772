# SPDX-License-Identifier: GPL-2.0
"""XenVMC between guests of a lab: there and gone, on and off, what has moved.

For programs that compare the two. Who tests what happens on the way has
functions of its own.
"""
import json

from . import deadline

OPT = "/opt/xenvmc"
TOOL = f"{OPT}/tools/xenvmc"

# Reasons of which the header says that they are no fallback: an end, only
ENDS = ("fallback_closed", "fallback_tcp_ended")


class Moving:
    """The modules in @guests of @lab, and dom0's daemon."""

    def __init__(self, lab, *guests):
        self.lab = lab
        self.guests = guests

    def _run(self, where, command):
        return self.lab.exec(where, command, timeout=120, check=True).stdout

    def _each(self, command):
        return [self._run(where, command) for where in self.guests]

    def start(self):
        """Start the daemon, load the modules; returns when the guests have
        found each other."""
        self._run("dom0", f"setsid {OPT}/tools/xenvmcd </dev/null "
                  ">/run/xenvmcd.log 2>&1 &")
        self._each(f"insmod {OPT}/xenvmc.ko && insmod {OPT}/xenvmc_inet.ko")
        limit = f"timeout {deadline.scaled(60):.0f}"
        self._each(f"{limit} sh -c 'until {TOOL} peer show | grep -q "
                   "\"state connected transport xen\"; do sleep 0.2; done'")

    def stop(self):
        """Unload the modules and end the daemon, in this order: it takes back
        what it wrote for them."""
        self._each("rmmod xenvmc_inet && rmmod xenvmc")
        limit = f"timeout {deadline.scaled(60):.0f}"
        self._run("dom0", f"{limit} sh -c 'while xenstore-ls -f "
                  "/local/domain | grep -q /peer/; do sleep 0.2; done'; "
                  "pid=$(pidof xenvmcd) && kill $pid && "
                  "while kill -0 $pid 2>/dev/null; do sleep 0.1; done")

    def counters(self, state=None):
        """Of each guest: all counters, a dictionary. @state: turn the hook
        "off" or "on" then."""
        then = f" && {TOOL} hook {state}" if state else ""
        return [json.loads(told) for told
                in self._each(f"{TOOL} -j stat show zero{then}")]


def grown(before, after):
    """By how much counters of one guest have grown, but for those that have
    not."""
    return {name: value - before.get(name, 0) for name, value in after.items()
            if value != before.get(name, 0)}


def ring_bytes(counters):
    """Bytes that one guest has read from and written to rings."""
    return counters.get("rx_bytes", 0) + counters.get("tx_bytes", 0)


def fallbacks(counters):
    """{reason: number} of why connections of one guest were on TCP."""
    return {name.removeprefix("fallback_"): value for name, value
            in counters.items() if value and name.startswith("fallback_")
            and name not in ENDS}
