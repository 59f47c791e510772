# SPDX-License-Identifier: GPL-2.0
"""The Xen lab: boots Xen, dom0 and guests under emulation, runs things in them."""
import os

from .errors import LabError
from .lab import Lab
from .params import Params

# Where mkfs.ext4 and chroot are, which other users than root do not look in.
os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"

__all__ = ["Lab", "LabError", "Params"]
