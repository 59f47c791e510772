# SPDX-License-Identifier: GPL-2.0
"""A program that is asked to end takes down what it has brought up."""
import signal
import sys


def on_signals():
    """SIGTERM and SIGHUP end the program as sys.exit() does, through whatever
    it has in "finally"."""
    for which in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(which, lambda number, _: sys.exit(128 + number))
