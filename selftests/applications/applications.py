#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""applications: Debian's programs between two Xen guests, hook off and on.

Boots Xen, dom0 and two guests under emulation, and runs each program with the
hook off and on in turn, all in one boot. A test is one program. Its results
must be right and the same each time; with the hook on its connections must have
moved, and stay on TCP for no reason but those that the program has; with the
hook off none may have moved; and nothing may be left over. TAP; the figures go
to build/applications/results.json.

  applications.py [--rounds N] [--file-mib MIB] [--keep] [TEST...]
"""
import argparse
import os
import sys
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../xen"))
sys.dont_write_bytecode = True      # echo/ is copied as it is

# pylint: disable=wrong-import-position
from xenlab import ending, leaks, results, tap  # noqa: E402
from xenlab.errors import LabError  # noqa: E402
from xenlab.lab import Lab  # noqa: E402
from xenlab.moving import Moving, fallbacks, grown, ring_bytes  # noqa: E402
from xenlab.params import Params  # noqa: E402

import languages  # noqa: E402
import web  # noqa: E402
from pair import CLIENT, SERVER, Pair, same  # noqa: E402
from programs import PACKAGES, PROGRAMS  # noqa: E402

# Of each guest, beside the big file: its root is a layer in memory
MEMORY_MIB = 1024
GUESTS = (CLIENT, SERVER)

lab = Lab("apps")
pair = Pair(lab)
moving = Moving(lab, *GUESTS)


class Differs(AssertionError):
    """A program's connections went the wrong way."""


def run(program, state):
    """One run with the hook "off" or "on"; returns what it returned, and by
    how much the counters of each guest have grown."""
    before = moving.counters(state)
    found = program.run(pair)
    pair.stop()
    return found, [grown(*each) for each in zip(before, moving.counters())]


def judge(program, state, counters):
    """Did the connections go where they should? @counters: of both guests."""
    for guest, count in zip(GUESTS, counters):
        moved, size = count.get("hook_moved", 0), ring_bytes(count)
        if state == "on" and program.moves:
            if not moved or not size:
                raise Differs(f"{guest}: nothing has moved: {count}")
        elif moved or size:
            raise Differs(f"{guest}: {moved} connections have moved: {count}")
        why = set(fallbacks(count))
        if state == "on" and not why <= program.reasons:
            raise Differs(f"{guest}: stayed on TCP because of {why}")


def compare(program, rounds):
    """Off and on in turn; returns the row of results.json."""
    values, first = {"off": [], "on": []}, None
    moved, why = [0, 0], {}
    for _ in range(rounds):
        for state in ("off", "on"):
            found, counters = run(program, state)
            judge(program, state, counters)
            first = first or found.facts
            same(found.facts, first, f"results with the hook {state}")
            values[state].append(found.figure)
            if state == "on":
                moved = [x + count.get("hook_moved", 0)
                         for x, count in zip(moved, counters)]
                for count in counters:
                    why.update(fallbacks(count))
    return {"unit": program.unit, "what": program.what, "same": True,
            **results.row(values, program.less), "moved": moved,
            "fallbacks": why, "versions": {
                name: pair.version(CLIENT, name) for name in program.packages}}


class Applications(unittest.TestCase):
    """A test for each program, and some for the tests."""

    rounds, file_mib, echo = 1, 0, ""
    rows = {}

    @classmethod
    def setUpClass(cls):
        lab.push([cls.echo])
        lab.push([os.path.join(HERE, "flip.py")], CLIENT)
        cls.unloaded = leaks.count(lab)
        moving.start()
        cls.loaded = leaks.count(lab)

    def setUp(self):
        # The first one is the last to be done
        self.addCleanup(self.nothing_is_left)

    def tearDown(self):
        pair.stop()

    def nothing_is_left(self):
        """Guests hold what they held before the test."""
        leaks.check(lab, self.loaded)

    def program(self, name):
        """It is ready to run; what it needs no more is freed at the end."""
        kind = PROGRAMS[name]
        made = kind(self.file_mib) if kind is web.Curl else kind()
        self.addCleanup(made.finish, pair)
        made.prepare(pair)
        return made

    def is_the_same(self, name):
        """The results of a program do not depend on the hook."""
        row = compare(self.program(name), self.rounds)
        self.rows[name] = row
        versions = ", ".join(" ".join(x) for x in row["versions"].items())
        print(f"# {name}: {row['off']} -> {row['on']} {row['unit']}, "
              f"{row['ratio']}x; moved {row['moved']}, on TCP "
              f"{row['fallbacks']}; {versions or 'built here'}", flush=True)

    # -- the tests can fail

    def wrong_byte(self, name, port):
        """Somebody between client and server changes a byte of the answer."""
        program = self.program(name)
        pair.serve(CLIENT, f"python3 /root/flip.py {port} {SERVER} {port} "
                   "70000", port)
        pair.host = "localhost"
        try:
            with self.assertRaises((AssertionError, LabError)) as seen:
                run(program, "on")
        finally:
            pair.host = SERVER
        return str(seen.exception)

    def test_0_a_wrong_byte_of_a_file_is_seen(self):
        self.assertIn("file:", self.wrong_byte("curl", 8080))

    def test_0_a_wrong_byte_of_a_message_is_seen(self):
        self.assertIn("answers:", self.wrong_byte("asyncio", 7004))

    def test_0_a_hook_that_is_not_there_is_seen(self):
        program = self.program("go")
        for found, state in (("off", "on"), ("on", "off")):
            _, counters = run(program, found)
            with self.assertRaises(Differs):
                judge(program, state, counters)

    def test_9_nothing_is_left(self):
        moving.stop()
        leaks.check(lab, self.unloaded)
        type(self).loaded = self.unloaded


def add_programs():
    """A test for each."""
    for name in PROGRAMS:
        setattr(Applications, f"test_1_{name}",
                lambda self, x=name: self.is_the_same(x))


def parameters(file_mib):
    """The lab. Nothing is saved, so it needs no room for restored guests."""
    guest = MEMORY_MIB + file_mib * 4 // 3
    params = Params(guest_memory=guest, packages=PACKAGES)
    params.memory = 512 + params.dom0_memory + 2 * (guest + 64)
    return params


def table():
    """The figures, for people."""
    line = "{:<11} {:>6} {:>10} {:>10} {:>6}  {}"
    print(line.format("#", "unit", "off", "on", "ratio", "moved"))
    for name, row in Applications.rows.items():
        print(line.format(f"# {name}", row["unit"], row["off"], row["on"],
                          f"{row['ratio']}x", row["moved"]))


def main():
    """Boots, tests, writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2,
                        help="times off and on of each program (default 2)")
    parser.add_argument("--file-mib", type=int, default=256,
                        help="the file that curl fetches (default 256)")
    parser.add_argument("--keep", action="store_true",
                        help="leave the machine running for the lab's verbs")
    parser.add_argument("tests", nargs="*", metavar="TEST")
    args = parser.parse_args()
    Applications.rounds, Applications.file_mib = args.rounds, args.file_mib
    params = parameters(args.file_mib)
    ending.on_signals()
    try:
        lab.down()
        Applications.echo = languages.build(lab.say)
        lab.build(params)
        lab.up(params)
        status = tap.run([Applications], args.tests)
        path = results.write("applications", {
            **results.about(lab, CLIENT), "file_mib": args.file_mib,
            "programs": Applications.rows})
        table()
        print(f"# figures: {path}")
    except LabError as error:
        print(f"Bail out! {error}", flush=True)
        return 1
    finally:
        if not args.keep:
            lab.down()
    return status


add_programs()
if __name__ == "__main__":
    sys.exit(main())
