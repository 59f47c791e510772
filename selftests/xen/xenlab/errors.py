# SPDX-License-Identifier: GPL-2.0
"""Exceptions of the lab: each carries a message meant for the person who reads it."""


class LabError(Exception):
    """The lab could not do what was asked; the message says what and why."""


class Timeout(LabError):
    """A condition did not come true before its deadline."""


class ConsoleFailure(LabError):
    """A console shows a panic, oops, warning or the like."""


class CommandFailed(LabError):
    """A command that had to succeed did not."""
