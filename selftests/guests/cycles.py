#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Suspends at random, from a seed, while bytes flow: make soak-migrate.

Needs a lab as migrate.py does. In each cycle something is done to one of two
guests, or to both, that keeps its connections alive; all of them must go on, and
every tenth cycle all must end byte-exact with nothing left over.

  cycles.py

XENVMC_TEST_CYCLES	how many (100; 0: until XENVMC_SOAK seconds have passed,
			or for ever)
XENVMC_TEST_SEED	where chance begins (1); the test says which it was
"""
import os
import random
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../xen"))

from suspends import (GUESTS, Suspends, checkpoint,  # noqa: E402
                      fail_to_save, forget, restore, save, stop_programs)
from system import (Flow, TOOL, each, lab, ring_conns, run,  # noqa: E402
                    start_daemon, stop_daemon, until, until_connected, uuid)
from xenlab import leaks, tap  # noqa: E402

CYCLES = int(os.environ.get("XENVMC_TEST_CYCLES", "100"))
SECONDS = float(os.environ.get("XENVMC_SOAK", "0"))
SEED = int(os.environ.get("XENVMC_TEST_SEED", "1"))
FLOWS, EXACT = 5, 10


def there_and_back(*guests):
    """Out of this host and into it again; all at once, if several."""
    each(save, *guests)
    each(restore, *guests)


def both_overlap(first, second):
    """The second one leaves before the first one is back, and comes later."""
    save(first)
    save(second)
    restore(first)
    restore(second)


def pause(guest):
    """It gets no processor until somebody else has had one."""
    run("dom0", f"xl pause {guest}")
    run("dom0", "xl list")
    run("dom0", f"xl unpause {guest}")


def daemon_restarts(_):
    """The directory is what it was, and is written anew."""
    stop_daemon()
    start_daemon()


def hook_off_and_on(guest):
    """New connections may not move meanwhile; those that have moved stay."""
    run(guest, f"{TOOL} hook off && {TOOL} hook on")


# What may happen, and how often of all of them. Each takes one guest
DEEDS = ((6, there_and_back), (2, checkpoint),
         (1, fail_to_save), (1, pause), (1, daemon_restarts),
         (1, hook_off_and_on))
# The same for both; each takes both guests, in either order
DEEDS_OF_BOTH = ((2, there_and_back), (1, both_overlap))


class Cycles(Suspends):
    """The cycles are one test."""

    def open(self):
        """One more connection, of either kind, from either guest."""
        family = self.chance.choice(("inet", "inet", "xenvmc"))
        ends = self.chance.sample(GUESTS, 2)
        return Flow(family, *ends, self.chance.choice((0, 20, 100)), name=uuid)

    def deed(self):
        """(function, guests), picked by weight."""
        weights, deeds = zip(*[(weight, (function, 1))
                               for weight, function in DEEDS]
                             + [(weight, (function, 2))
                                for weight, function in DEEDS_OF_BOTH])
        function, count = self.chance.choices(deeds, weights)[0]
        return function, self.chance.sample(GUESTS, count)

    def on_rings(self):
        """All that can be are on rings."""
        until_connected(*GUESTS)
        count = sum(flow.family == "inet" for flow in self.flows)
        for one, other in (GUESTS, GUESTS[::-1]):
            until(lambda g=one, o=other: ring_conns(g, o) == count,
                  f"{one}: {count} connections are on rings")

    def cycle(self, number):
        """One of them."""
        function, guests = self.deed()
        stopped = self.chance.choice((None, None, *GUESTS))
        print(f"# cycle {number}: {function.__name__} {' '.join(guests)}"
              + (f", programs of {stopped} stopped" if stopped else ""),
              flush=True)
        if self.chance.random() < 0.5:
            self.on_rings()
        if stopped:
            stop_programs(stopped, "STOP")
        function(*guests)
        if stopped:
            stop_programs(stopped, "CONT")
        forget(*GUESTS)
        each(Flow.flows, *self.flows)
        # One ends, for another one
        last = self.flows.pop(self.chance.randrange(FLOWS))
        end = last.stop()
        self.assertEqual(end["end"], "exact", f"{last.family}: {end}")
        last.until_theirs(end)
        self.flows.append(self.open())

    def numbers(self):
        """Of the cycles."""
        begin, number = time.monotonic(), 0
        while not CYCLES or number < CYCLES:
            if not CYCLES and SECONDS and time.monotonic() - begin > SECONDS:
                break
            number += 1
            yield number

    def test_01_cycles(self):
        self.chance = random.Random(SEED)
        for number in self.numbers():
            if not self.flows:
                self.flows = [self.open() for _ in range(FLOWS)]
            try:
                self.cycle(number)
                if number % EXACT == 0:
                    self.end_exact()
                    self.flows = []
                    until_connected(*GUESTS)
                    leaks.check(lab, self.loaded)
            except Exception:
                print(f"# seed {SEED}, cycle {number}", flush=True)
                raise
        self.end_exact()


if __name__ == "__main__":
    sys.exit(tap.run([Cycles], ["test_01_cycles", "test_99_nothing_is_left"]))
