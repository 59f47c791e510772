#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Guests go from one host to another while bytes flow.

Boots two hosts on one Ethernet segment, each with Xen, dom0 and xenvmcd, and
guest1 and guest2 on the first. Their TCP connections, opened by either, are on
rings while both are on one host, and go on byte-exact when they are not; so do
streams of AF_XENVMC.

  hosts.py pv|pvh [TEST...]

XENVMC_TEST_HOPS says how often a guest goes there and back in a row (10).
"""
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../xen"))

import system  # noqa: E402
from system import (Flow, each, load, ring_conns, run, serve,  # noqa: E402
                    start_daemon, stats, stop_daemon, stop_serving,
                    stream_paths, tcp_conns, unload, until, until_connected,
                    uuid)
from xenlab import leaks, tap  # noqa: E402
from xenlab.pair import Pair  # noqa: E402
from xenlab.params import Params  # noqa: E402

GUESTS = ("guest1", "guest2")
DOM0S = ("dom0", "dom0-2")
ENDS = (GUESTS, GUESTS[::-1])
HOPS = int(os.environ.get("XENVMC_TEST_HOPS", "10"))

NAME = os.environ.get("XENVMC_LAB", "hosts")
LAB = os.path.join(HERE, "../xen/lab")

pair = Pair(NAME, quiet=True)
system.lab = pair


def migrate(guest):
    """To the other host."""
    pair.migrate(guest)
    system.domids.clear()


class Hosts(unittest.TestCase):
    """One test leaves both guests on the first host."""

    left = False        # the modules are unloaded

    @classmethod
    def setUpClass(cls):
        cls.unloaded = cls.count()
        for dom0 in DOM0S:
            start_daemon(dom0)
        each(load, *GUESTS)
        for guest in GUESTS:
            serve(guest, "inet", "xenvmc")
        until_connected(*GUESTS)
        cls.loaded = cls.count()

    @staticmethod
    def count():
        """What is held, on each host."""
        return [leaks.count(host) for host in pair.hosts]

    @staticmethod
    def nothing_left(before):
        for host, counts in zip(pair.hosts, before):
            leaks.check(host, counts)

    def setUp(self):
        self.before = {guest: stats(guest) for guest in GUESTS}
        self.flows = []

    def tearDown(self):
        if not self.left:
            until_connected(*GUESTS)
            self.nothing_left(self.loaded)

    # -- helpers

    def start(self, gap=20, families=("inet", "xenvmc")):
        """A moved connection in each direction, and a stream."""
        self.flows = each(lambda x: Flow(x[0], *x[1], gap, name=uuid),
                          *((family, ends) for family in families
                            for ends in ENDS))
        self.flow_on_rings()

    def number(self, family):
        return sum(flow.family == family for flow in self.flows)

    def streams_by(self, path):
        """Each way, and a stream has two ends and each two ways."""
        for guest in GUESTS:
            until(lambda g=guest: stream_paths(g) ==
                  [path] * 2 * self.number("xenvmc"),
                  f"{guest}: all streams go by {path}")

    def flow(self):
        """Bytes go both ways in all."""
        for flow in self.flows:
            flow.flows()

    def flow_on_rings(self):
        self.flow()
        for one, other in ENDS:
            until(lambda g=one, o=other: ring_conns(g, o) ==
                  self.number("inet"), f"{one}: all connections are on rings")
        self.streams_by("ring")

    def flow_apart(self):
        """Nothing of the other guest is left where it was, but bytes flow."""
        self.flow()
        for guest in GUESTS:
            until(lambda g=guest: not tcp_conns(g), f"{guest}: all are TCP's")
            self.assertEqual(self.more(guest, "violations"), 0)
        self.streams_by("tcp")

    def more(self, guest, counter):
        """By how much a counter has grown."""
        return stats(guest)[counter] - self.before[guest].get(counter, 0)

    def end_exact(self):
        for flow in self.flows:
            end = flow.stop()
            self.assertEqual(end["end"], "exact", f"{flow.client}: {end}")
            flow.until_theirs(end)

    # -- tests

    def test_01_away_and_back(self):
        self.start()
        migrate("guest2")
        self.assertEqual(pair.where("guest2").number, 2)
        self.flow_apart()
        for guest in GUESTS:
            self.assertEqual(self.more(guest, "fallback_suspend"), 2)
        migrate("guest2")
        self.flow_on_rings()
        self.end_exact()

    def test_02_opened_apart(self):
        """Connections that never were on rings move where the two meet."""
        migrate("guest2")
        self.flows = each(lambda ends: Flow("inet", *ends, 20), *ENDS)
        self.flow_apart()
        migrate("guest2")
        self.flow_on_rings()
        self.end_exact()

    def test_03_one_after_the_other(self):
        self.start()
        migrate("guest2")
        migrate("guest1")
        self.flow_on_rings()
        migrate("guest2")
        migrate("guest1")
        self.flow_on_rings()
        self.end_exact()

    def test_04_both_at_once(self):
        self.start()
        for _ in DOM0S:
            each(migrate, *GUESTS)
            self.flow_on_rings()
        self.end_exact()

    def test_05_there_and_back(self):
        self.start()
        for _ in range(HOPS):
            migrate("guest2")
            self.flow()
            migrate("guest2")
            self.flow_on_rings()
        self.end_exact()

    def test_06_at_full_speed(self):
        """Rings hold bytes that nobody has read when it leaves."""
        self.start(gap=0)
        migrate("guest2")
        self.flow()
        self.assertGreater(self.more("guest2", "rx_bytes_to_tcp"), 0)
        migrate("guest2")
        self.flow_on_rings()
        self.end_exact()

    def test_07_streams(self):
        """Streams of AF_XENVMC, which TCP carries while the two are apart."""
        self.start(families=("xenvmc",))
        for _ in range(2):
            migrate("guest2")
            self.streams_by("tcp")
            self.flow()
            migrate("guest2")
            self.streams_by("ring")
            self.flow()
        for guest in GUESTS:
            self.assertEqual(self.more(guest, "conn_carried"), 4)
            self.assertEqual(self.more(guest, "carry_broken"), 0)
        self.end_exact()

    def test_08_the_verb(self):
        """That of the lab, which can say where to."""
        self.start()

        def verb(*words):
            done = subprocess.run([LAB, "--name", NAME, "guest", "migrate",
                                   *words], capture_output=True, text=True,
                                  check=False)
            system.domids.clear()
            return done.returncode, done.stderr
        self.assertEqual(verb("2", "--to", "2")[0], 0)
        self.assertEqual(pair.where("guest2").number, 2)
        self.flow_apart()
        status, told = verb("2", "--to", "2")
        self.assertEqual(status, 1)
        self.assertIn("guest2 is on host 2", told)
        self.assertEqual(pair.where("guest2").number, 2)
        self.assertEqual(verb("guest2", "--to", "1")[0], 0)
        self.assertEqual(pair.where("guest2").number, 1)
        self.flow_on_rings()
        self.end_exact()

    def test_99_nothing_is_left(self):
        type(self).left = True

        def leave(guest):
            stop_serving(guest, "inet")
            stop_serving(guest, "xenvmc")
            unload(guest)
        each(leave, *GUESTS)
        for dom0 in DOM0S:
            until(lambda d=dom0: "/peer/" not in run(
                d, "xenstore-ls -f /local/domain"),
                  f"{dom0}: xenvmcd has seen them leave")
            stop_daemon(dom0)
        self.nothing_left(self.unloaded)


def main(kind, *names):
    """Boot, test, end."""
    pair.up(Params(guests=2, guest_memory=192, guest_type=kind))
    try:
        status = tap.run([Hosts], names)
        pair.check()
        return status
    finally:
        pair.down()


if __name__ == "__main__":
    if sys.argv[1:2] not in (["pv"], ["pvh"]):
        sys.exit("hosts.py: expected pv or pvh, and names of tests")
    sys.exit(main(*sys.argv[1:]))
