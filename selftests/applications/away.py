#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""away: Debian's programs between two Xen guests, which are saved meanwhile.

Boots Xen, dom0 and two guests under emulation, with the programs of
applications.py on their disk. Some of these run at the same time. Meanwhile the
servers' guest is saved and restored, then the clients', and then the servers'
writes a checkpoint. Before and after each of these all connections must be on
rings, and all programs must get on; in the end they must have succeeded, with
results that are right, and nothing may be left over. TAP.

  away.py [--programs NAME,...] [--rsync-mib MIB] [--keep] [TEST...]
"""
import argparse
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../guests"))
sys.path.insert(0, os.path.join(HERE, "../xen"))

# pylint: disable=wrong-import-position
from xenlab import deadline, leaks, tap  # noqa: E402
from xenlab.errors import CommandFailed, LabError, Timeout  # noqa: E402
from xenlab.lab import Lab  # noqa: E402
from xenlab.params import Params  # noqa: E402

import lasting  # noqa: E402
import system  # noqa: E402
from pair import CLIENT, SERVER, Pair, same  # noqa: E402
from programs import PACKAGES  # noqa: E402
from system import (domid, each, load, run, start_daemon,  # noqa: E402
                    stats, stop_daemon, tcp_conns, unload, until,
                    until_connected)

# dom0's disk has room for the state of one
MEMORY_MIB = 448
STATE = "/var/lib/xen/save/checkpoint"
GUESTS = (CLIENT, SERVER)
KEEPALIVE = 15      # Documentation/hook.rst: three of them, and a path is cut

system.lab = lab = Lab("away")
pair = Pair(lab)


def in_place(guest):
    """Saved and restored: it has another domain id then."""
    old = domid(guest)
    lab.guest_save(guest)
    lab.guest_restore(guest)
    system.domids.pop(guest)
    if domid(guest) == old:
        raise AssertionError(f"{guest} is in the same domain as before")


def checkpoint(guest):
    """Its state is written, and it goes on in the same domain."""
    run("dom0", f"mkdir -p $(dirname {STATE}); xl save -c {guest} {STATE}; "
        f"done=$?; rm -f {STATE}; exit $done", timeout=120)
    lab.await_answer(guest)


DEEDS = (("saved and restored", in_place, SERVER),
         ("saved and restored", in_place, CLIENT),
         ("checkpoint", checkpoint, SERVER))


def found(where, whom, programs):
    """Of each program: (how many connections there are between the two, whether
    as many as are busy are on rings)."""
    conns = [x for x in tcp_conns(where) if x["peer"] == domid(whom)]
    return [(len(one.mine(conns)),
             sum(map(one.on_rings, one.mine(conns))) >= one.busy)
            for one in programs]


class Away(unittest.TestCase):
    """They go on; and the tests can fail."""

    programs = ()       # names

    @classmethod
    def setUpClass(cls):
        cls.unloaded = leaks.count(lab)
        start_daemon()
        each(load, *GUESTS)
        # A guest that has no processor for long sends nothing meanwhile
        seconds = f"{deadline.scaled(KEEPALIVE):.0f}"
        for guest in GUESTS:
            run(guest, f"sysctl -q net.xenvmc.keepalive_s={seconds}")
        until_connected(*GUESTS)
        cls.loaded = leaks.count(lab)

    def setUp(self):
        self.addCleanup(lab.check, lab.mark())
        # The first one is the last to be done
        self.addCleanup(self.nothing_is_left)

    def tearDown(self):
        pair.stop()

    def nothing_is_left(self):
        """Guests hold what they held before the test."""
        leaks.check(lab, self.loaded)

    # -- helpers

    def started(self, *names):
        """They run. What they need no more is freed at the end."""
        programs = [lasting.PROGRAMS[name]() for name in names]
        for one in programs:
            self.addCleanup(one.finish, pair)
            self.addCleanup(one.drop)
            one.prepare(pair)
        for one in programs:
            one.start(pair)
        return programs

    @staticmethod
    def until(programs, condition, what, seconds=120):
        """Wait, while all programs run, until it is true."""
        def ask():
            for one in programs:
                if one.program.over:
                    said = " / ".join(one.program.lines[-3:])
                    raise CommandFailed(f"{one.program.what} ended before "
                                        f"{what}, and said: {said:.999}")
            return condition()
        until(ask, what, seconds)

    def work(self, programs, seconds=120):
        """Their connections are on rings where bytes move, and they get on.
        Returns how far they are."""
        wanted = [(one.conns, True) for one in programs]
        seen = []

        def there(one, other):
            seen[:] = found(one, other, programs)
            return seen == wanted
        for one, other in (GUESTS, GUESTS[::-1]):
            try:
                self.until(programs, lambda x=one, y=other: there(x, y),
                           "all connections are on rings", seconds)
            except LabError as error:
                raise type(error)(f"{one}: {seen}: {error}") from None

        def gets_on(program):
            before = program.done(pair)
            self.until(programs, lambda: program.done(pair) > before,
                       f"{program.port} gets on")
            return program.done(pair)
        return each(gets_on, *programs)

    def outlast(self, programs, what, deed, guest):
        """All that they have on rings comes back to them after that."""
        before = {name: stats(name) for name in GUESTS}
        begin = time.monotonic()
        deed(guest)
        spent = time.monotonic() - begin
        print(f"# {guest}, {what}: {spent:.0f} s; then {self.work(programs)}",
              flush=True)
        for name in GUESTS:
            self.assertGreaterEqual(
                stats(name)["fallback_suspend"] -
                before[name]["fallback_suspend"],
                sum(x.busy for x in programs),
                f"{name}: they were on rings until then")

    # -- the tests can fail

    def test_0_connections_on_tcp_are_seen(self):
        run(CLIENT, "xenvmc hook off")
        self.addCleanup(run, CLIENT, "xenvmc hook on")
        [session] = self.started("ssh")
        self.until([session], lambda: session.done(pair) > 5, "it counts")
        with self.assertRaisesRegex(Timeout, "on rings"):
            self.work([session], 5)
        session.hurry(pair)
        same(session.program.wait(), 0, "exit status")

    def test_0_a_program_that_ends_is_seen(self):
        programs = self.started("ssh")
        self.work(programs)
        pair.sh(CLIENT, "kill $(pidof ssh)")
        with self.assertRaisesRegex(CommandFailed, "ended before"):
            self.work(programs)
        self.assertNotEqual(programs[0].program.wait(), 0)

    # -- the programs

    def test_1_programs_go_on(self):
        """All at once: what takes long is to save a guest."""
        programs = self.started(*self.programs)
        print(f"# {self.programs}: {self.work(programs)}", flush=True)
        for deed in DEEDS:
            self.outlast(programs, *deed)
        for one in programs:
            one.hurry(pair)
        for name, one in zip(self.programs, programs):
            same(one.program.wait(1200), 0, f"{name}: exit status")
            one.judge(pair)
            one.spoil(pair)
            with self.assertRaises(AssertionError, msg=name):
                one.judge(pair)

    def test_9_nothing_is_left(self):
        each(unload, *GUESTS)
        until(lambda: "/peer/" not in run("dom0", "xenstore-ls -f "
                                          "/local/domain"),
              "xenvmcd has seen them leave")
        stop_daemon()
        type(self).loaded = self.unloaded


def main():
    """Boots, tests."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", default=",".join(lasting.PROGRAMS),
                        help="names, with commas (default %(default)s)")
    parser.add_argument("--rsync-mib", type=int, default=1024,
                        help="the file that rsync copies (default 1024)")
    parser.add_argument("--keep", action="store_true",
                        help="leave the machine running for the lab's verbs")
    parser.add_argument("tests", nargs="*", metavar="TEST")
    args = parser.parse_args()
    Away.programs = args.programs.split(",")
    lasting.Rsync.mib = args.rsync_mib
    params = Params(guest_memory=MEMORY_MIB, packages=PACKAGES)
    try:
        lab.down()
        lab.build(params)
        lab.up(params)
        return tap.run([Away], args.tests)
    except LabError as error:
        print(f"Bail out! {error}", flush=True)
        return 1
    finally:
        if not args.keep:
            lab.down()


if __name__ == "__main__":
    sys.exit(main())
