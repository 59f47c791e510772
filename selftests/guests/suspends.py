# SPDX-License-Identifier: GPL-2.0
"""Two guests that suspend and return, and connections between them that go on.

Needs a lab with guest1 and guest2, and more if there are, without the modules
loaded.
"""
import json
import re
import unittest

import system
from system import (Flow, each, lab, load, ring_conns, run, serve,
                    start_daemon, stats, stop_daemon, stop_serving, unload_all,
                    until, until_connected, uuid)
from xenlab import leaks

GUESTS = ("guest1", "guest2")
# Milliseconds that a silent peer may add to a suspend, and the most at all:
# CHAN_CLOSE_WAIT of chan.c, MIGRATE_WAIT of migrate.c
SILENCE, BOUND = 5000, 10000
# dom0's disk for a state that does not fit
SMALL = "/run/small"


def forget(*guests):
    """They are in another domain, or will be."""
    for guest in guests:
        system.domids.pop(guest, None)


def save(guest):
    lab.guest_save(guest)
    forget(guest)


def restore(guest):
    lab.guest_restore(guest)


def checkpoint(guest):
    """Its state is written, and it goes on in the same domain."""
    run("dom0", f"xl save -c {guest} {SMALL}.state; rm -f {SMALL}.state",
        timeout=60)


def fail_to_save(guest):
    """There is no room for its state, so it goes on in the same domain."""
    told = run("dom0", f"mkdir -p {SMALL}; mount -t tmpfs -o size=2m t {SMALL}; "
               f"xl save {guest} {SMALL}/state 2>&1 && echo saved; "
               f"umount {SMALL}", timeout=60)
    if "saved" in told.splitlines():
        raise AssertionError(f"{guest} was saved to a full disk: {told}")


def peers(guest):
    """Domain ids of the others that it knows."""
    told = json.loads(run(guest, f"{system.TOOL} -j peer show"))
    return [x["domid"] for x in told if x["transport"] == "xen"]


def stop_programs(guest, signal):
    """Its ends of all connections neither read nor write from then on, or do
    so again."""
    run(guest, f"kill -{signal} $(pidof stamp)")


class Suspends(unittest.TestCase):
    """One test leaves the guests as the next one expects them."""

    left = False        # the modules are unloaded

    @classmethod
    def setUpClass(cls):
        stop_daemon()
        cls.unloaded = leaks.count(lab)
        start_daemon()
        each(load, *GUESTS)
        each(serve, *GUESTS)
        until_connected(*GUESTS)
        cls.loaded = leaks.count(lab)

    def setUp(self):
        self.addCleanup(lab.check, lab.mark())
        self.flows = []
        self.before = {}

    def tearDown(self):
        if self.left:
            return
        until_connected(*GUESTS)
        leaks.check(lab, self.loaded)

    # -- helpers

    def start(self, gap=0):
        """A moved TCP connection in each direction and one of AF_XENVMC."""
        self.before = {guest: stats(guest) for guest in GUESTS}
        ends = [("inet", "guest1", "guest2"), ("inet", "guest2", "guest1"),
                ("xenvmc", "guest1", "guest2")]
        self.flows = each(lambda x: Flow(*x, gap, name=uuid), *ends)
        for flow in self.flows:
            flow.flows()
        for guest, other in (GUESTS, GUESTS[::-1]):
            until(lambda g=guest, o=other: ring_conns(g, o) == 2,
                  f"{guest}: the TCP connections have moved")

    @property
    def inet(self):
        return self.flows[:2]

    def more(self, guest, counter):
        """By how much a counter has grown since start()."""
        return stats(guest)[counter] - self.before[guest].get(counter, 0)

    def go_on(self):
        """All connections go on, and no byte was wrong. New ones of both kinds
        are as before."""
        until_connected(*GUESTS)
        for flow in self.flows:
            flow.flows()
        for guest in GUESTS:
            self.assertGreaterEqual(self.more(guest, "conn_resumed"), 1)
        self.end_exact()
        self.new_ones_move()

    def end_exact(self):
        for flow in self.flows:
            end = flow.stop()
            self.assertEqual(end["end"], "exact", f"{flow.client}: {end}")
            flow.until_theirs(end)

    def reset(self, flow):
        """The connection has ended with an error, right until then."""
        end = flow.ended()
        self.assertEqual(end["end"], "ECONNRESET", f"{flow.family}: {end}")

    def theirs_reset(self, flow, before):
        """So says its other end, which had @before lines."""
        flow.other.until(lambda: [line for line in flow.other.lines[before:]
                                  if line.startswith("end=ECONNRESET ")],
                         f"{flow.family}: the serving end has heard of it")

    def new_ones_move(self):
        self.start(gap=50)
        self.end_exact()

    def let_go(self, guest):
        """Milliseconds that the last freeze took, as the guest says."""
        told = re.findall(r"let go of all peers in (\d+) ms",
                          run(guest, "dmesg"))
        print(f"# {guest}: {told[-1]} ms", flush=True)
        return int(told[-1])

    def test_99_nothing_is_left(self):
        type(self).left = True

        def leave(guest):
            stop_serving(guest, "inet")
            unload_all(guest)
        each(leave, *GUESTS)
        until(lambda: "/peer/" not in run(
            "dom0", "xenstore-ls -f /local/domain"),
              "xenvmcd has seen them leave")
        stop_daemon()
        leaks.check(lab, self.unloaded)
