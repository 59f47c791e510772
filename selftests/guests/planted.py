#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""planted: do the lab's sanitizer kernel and its eye on consoles see bugs?

Boots a guest with that kernel and loads planted.ko there with one bug after
another. A bug that the kernel does not report, or whose report is not taken for
a failure, fails the test. TAP.
"""
import os
import sys
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../xen"))

# pylint: disable=wrong-import-position
from xenlab import deadline, recipes, tap  # noqa: E402
from xenlab.lab import Lab  # noqa: E402
from xenlab.params import Params  # noqa: E402

MODULE = "/opt/xenvmc/planted.ko"
# Kind of the planted bug, and what the kernel says of it. From lock-inversion on
# lockdep looks no more
PLANTED = (
    ("sleep", "sleeping function called from invalid context"),
    ("rcu", "suspicious RCU usage"),
    ("object", "ODEBUG: free active"),
    ("shift", "UBSAN: shift-out-of-bounds"),
    ("leak", "unreferenced object"),
    ("lock-inversion", "possible circular locking dependency"),
    ("use-after-free", "Poison overwritten"),
    ("out-of-bounds", "Redzone overwritten"),
)
# Freed objects are looked at when they are used again, or asked for
VALIDATE = "echo 1 >/sys/kernel/slab/kmalloc-128/validate"
# kmemleak takes nothing for lost that is younger than five seconds, or that
# changed between two scans
KMEMLEAK = "/sys/kernel/debug/kmemleak"
SCAN = f"sleep 5; for _ in 1 2; do echo scan >{KMEMLEAK}; done; cat {KMEMLEAK}"

lab = Lab(quiet=True)


class Planted(unittest.TestCase):
    """A test for each kind of bug, on one guest that goes on after it."""

    @classmethod
    def setUpClass(cls):
        lab.up(Params(guests=1, guest_memory=1024,
                      guest_kernels={"guest1": recipes.DEBUG}))

    @classmethod
    def tearDownClass(cls):
        lab.down()

    def is_seen(self, kind, words):
        """The kernel says @words of a bug of that kind, and it is heard. Of
        what is lost it says them to who asks, as the file sanitized does."""
        mark = lab.mark()
        command = f"insmod {MODULE} bug={kind}; rmmod planted"
        if kind == "leak":
            command += f"; {SCAN}"
        elif kind == "use-after-free":
            command += f"; {VALIDATE}"
        result = lab.exec("guest1", command, watch=False)
        deadline.wait_until(
            lambda: words in result.stdout or
            any(words in found.line for found in lab.findings(mark)),
            30, f"a report that says: {words}")


def add_kinds():
    """A test for each kind, in that order."""
    for number, (kind, words) in enumerate(PLANTED):
        setattr(Planted, f"test_{number}_{kind}",
                lambda self, x=kind, y=words: self.is_seen(x, y))


add_kinds()
if __name__ == "__main__":
    lab.build(Params(guest_kernels={"guest1": recipes.DEBUG}))
    sys.exit(tap.run([Planted]))
