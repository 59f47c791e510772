# SPDX-License-Identifier: GPL-2.0
"""What the tests use of os and Debian 12's Python lacks; read at its start."""
import ctypes
import os

LIBC = ctypes.CDLL(None, use_errno=True)


def setns(handle, kind):
    """This thread goes to the namespace."""
    if LIBC.setns(handle, kind):
        raise OSError(ctypes.get_errno(), "setns")


if not hasattr(os, "setns"):
    os.setns = setns
    os.CLONE_NEWNET = 0x40000000
