# SPDX-License-Identifier: GPL-2.0
"""Deadlines, all scaled by one factor, and waiting for a condition.

Emulation on a busy machine is slow by an unknown factor. Every limit in the
lab is written for a quiet two-core machine and multiplied by
XENVMC_DEADLINE_FACTOR here and nowhere else.
"""
import os
import threading
import time

from .errors import LabError, Timeout


# How much longer all takes on one processor that counts instructions.
ICOUNT_ROOM = 6

_room = [1]     # of this process: it uses labs of one kind


def icount_room(icount):
    """From now on deadlines are those of a machine with @icount, or not."""
    _room[0] = ICOUNT_ROOM if icount else 1


def factor():
    """The factor that scales every deadline (XENVMC_DEADLINE_FACTOR, 1)."""
    text = os.environ.get("XENVMC_DEADLINE_FACTOR", "1")
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.01 <= value <= 1000:
        raise LabError(f"XENVMC_DEADLINE_FACTOR={text!r}: "
                       "expected a number from 0.01 to 1000")
    return value


def scaled(seconds):
    """A limit written for a quiet machine, as seconds on this one."""
    return seconds * factor() * _room[0]


def watchdogs():
    """Words on a kernel's command line, each with a space behind it: its own
    watches on what hangs are as patient as we are. Nothing if all are as they
    were built. What the kernel allows is the most."""
    times = factor()
    if times <= 1:
        return ""
    return (f"watchdog_thresh={min(60, round(10 * times))} "
            f"rcupdate.rcu_cpu_stall_timeout={min(300, round(30 * times))} "
            "sysctl.kernel.hung_task_timeout_secs="
            f"{min(1000, round(120 * times))} ")


class Deadline:
    """A moment after which waiting is a failure."""

    def __init__(self, seconds):
        self.seconds = scaled(seconds)
        self.end = time.monotonic() + self.seconds

    def left(self):
        """Seconds left, never negative."""
        return max(0.0, self.end - time.monotonic())

    def passed(self):
        """Whether the moment has come."""
        return time.monotonic() >= self.end


def wait_until(condition, seconds, what, interval=0.1, watch=None):
    """Wait until condition() is true and return its value.

    watch() is called in each round and raises to end the wait early: a
    machine that died does not become ready. Raises Timeout naming @what.
    """
    deadline = Deadline(seconds)
    pause = threading.Event()
    while True:
        value = condition()
        if value:
            return value
        if watch:
            watch()
        if deadline.passed():
            raise Timeout(f"{what}: not within {deadline.seconds:.0f} s")
        pause.wait(min(interval, deadline.left() + 0.001))
