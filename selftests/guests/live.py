#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A guest migrates live to its own host: its domain id changes, its partner
stays. And bytes that the partner writes meanwhile, which Xen does not see.

Needs a lab with guest1 and guest2, of type pvh, without the modules loaded.

  live.py [TEST...]

Xen sends the pages that a guest has written once more, but not those that
others write through its grants. The module copies what is unread in its rings;
a test build can do without that ("stale" in net/xenvmc/stale.c), and then the
bytes are wrong.
"""
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../xen"))

from suspends import GUESTS, Suspends, forget  # noqa: E402
from system import (OPT, Flow, domid, each, lab, ring_conns, run,  # noqa: E402
                    serve, stop_serving, unload_all, until,
                    until_connected, uuid)
from xenlab import artifacts, tap  # noqa: E402
from xenlab.lab import build_folder  # noqa: E402

TOP = os.path.realpath(os.path.join(HERE, "../.."))
FAULTY = f"{OPT}/faulty"
MODULES = ("xenvmc", "xenvmc_inet")
STALE = "/sys/module/xenvmc/parameters/stale"
READS_RINGS, MAPS_ON = 1, 2     # values of that


def go(guest):
    """Live, to the same host."""
    run("dom0", f"xl migrate -s '' {guest} 'exec xl migrate-receive'", 600)
    forget(guest)
    lab.await_answer(guest)


def stale(guest, value):
    run(guest, f"echo {value} >{STALE}")


class Live(Suspends):
    """PV guests cannot: Debian's Xen does not log what they write."""

    has_test_build = False

    def go_and_be_back(self, guest):
        """All go on, on rings, and bytes were unread when it left."""
        self.start()
        old = domid(guest)
        go(guest)
        self.assertNotEqual(domid(guest), old)
        until_connected(*GUESTS)
        for one, other in (GUESTS, GUESTS[::-1]):
            until(lambda g=one, o=other: ring_conns(g, o) == 2,
                  f"{one}: the TCP connections are on rings again")
        self.assertEqual(self.more(guest, "restores"), 1)
        for name in GUESTS:
            self.assertEqual(self.more(name, "violations"), 0)
        told = self.more(guest, "rx_bytes_to_tcp")
        print(f"# {guest}: {told} bytes were unread", flush=True)
        self.assertGreater(told, 0)
        self.go_on()

    def test_01_the_domain_changes(self):
        self.go_and_be_back("guest2")

    def test_02_the_lower_domain_changes(self):
        self.go_and_be_back("guest1")

    @classmethod
    def load_test_build(cls):
        """Of the modules, and only then is there something to set."""
        modules = artifacts.build_faulty(TOP, build_folder(), lab.params(),
                                         lab.say)
        paths = [os.path.join(modules, f"{name}.ko") for name in MODULES]

        def change(guest):
            stop_serving(guest, "inet")
            unload_all(guest)
            lab.push(paths, f"{guest}:{FAULTY}")
            for name in MODULES:
                run(guest, f"insmod {FAULTY}/{name}.ko")
            serve(guest)
        each(change, *GUESTS)
        until_connected(*GUESTS)

    def with_maps_left(self, leaves):
        """guest2 goes, which is told @leaves, while guest1 writes all the time,
        and unmaps nothing. Returns the stream, and how many bytes guest2 has
        read from its rings' pages in its new domain."""
        if not self.has_test_build:
            self.load_test_build()
            type(self).has_test_build = True
        flow = Flow("xenvmc", *GUESTS, name=uuid)
        flow.flows()
        stale("guest1", MAPS_ON)
        stale("guest2", leaves)
        go("guest2")
        told = int(run("guest2", f"cat {STALE}_bytes"))
        print(f"# {told} bytes of pages that guest1 had written", flush=True)
        for guest in GUESTS:
            stale(guest, 0)
        return flow, told

    def test_03_copies_are_right_though_nothing_is_unmapped(self):
        flow, told = self.with_maps_left(0)
        self.assertEqual(told, 0)
        until_connected(*GUESTS)
        flow.flows()
        end = flow.stop()
        self.assertEqual(end["end"], "exact", end)
        flow.until_theirs(end)

    def test_04_without_copies_they_would_be_wrong(self):
        flow, told = self.with_maps_left(READS_RINGS)
        self.assertGreater(told, 0)
        flow.other.until(lambda: [line for line in flow.other.lines
                                  if line.startswith("end=wrong ")],
                         "guest2 reads what was there before")
        flow.ended()
        until_connected(*GUESTS)


if __name__ == "__main__":
    sys.exit(tap.run([Live], sys.argv[1:]))
