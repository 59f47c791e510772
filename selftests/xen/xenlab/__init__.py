# SPDX-License-Identifier: GPL-2.0
"""The Xen lab: boots Xen, dom0 and guests under emulation, runs things in them."""
from .errors import LabError
from .lab import Lab
from .params import Params

__all__ = ["Lab", "LabError", "Params"]
