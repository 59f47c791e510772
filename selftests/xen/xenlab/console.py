# SPDX-License-Identifier: GPL-2.0
"""Reads all consoles and finds lines that mean failure.

A console is a file that only grows. A finding is a line that matches one of
PATTERNS and none of HARMLESS; it is named by console and offset, so that a
caller can tell new ones from those it has seen.
"""
import collections
import glob
import os
import re

PATTERNS = (
    r"kernel panic",
    r"\bBUG:", r"kernel BUG at",
    r"\bWARNING:",
    r"\bOops\b",
    r"general protection fault", r"double fault", r"stack segment",
    r"invalid opcode", r"divide error",
    r"unable to handle",
    r"segfault at", r"\btraps: ",
    r"possible (?:recursive|circular|irq) ?lock", r"inconsistent lock state",
    r"possible irq lock inversion", r"HARDIRQ-safe|SOFTIRQ-safe",
    r"suspicious RCU usage", r"bad unlock balance", r"held lock freed",
    r"lock held when returning", r"trying to register non-static key",
    r"DEBUG_LOCKS_WARN_ON", r"scheduling while atomic",
    r"rcu\w*:? .*(?:detected .*stall|self-detected stall|INFO: .*stall)",
    r"rcu: .*kthread (?:starved|timer)",
    r"INFO: task .* blocked for more than",
    r"(?:soft|hard) lockup", r"watchdog: ",
    r"\bKASAN\b", r"\bUBSAN\b", r"\bKCSAN\b", r"\bKFENCE\b",
    r"kmemleak: \d+ new", r"ODEBUG:",
    r"\[[\w ]+ overwritten\]", r"\bBUG [\w-]+ \(",
    r"refcount_t:", r"list_(?:add|del) corruption", r"Bad page",
    r"unregister_netdevice: waiting for",
    r"Out of memory|oom-kill|page allocation failure",
    r"grant table: .*(?:leak|still in use|deferr)", r"g\.e\. 0x",
    r"Panic on CPU", r"Triple fault", r"Xen (?:call trace|BUG|WARN)", r"Unhandled: vec",
    r"\bdomain_crash", r"Domain \d+ .*crashed", r"reported crash",
    r"^lab: ",
)

# (pattern, why it is no failure)
HARMLESS = (
    (r"segfault at .* in stress-ng", "stress-ng provokes faults on purpose"),
    (r"Speculative Return Stack Overflow|Spectre|RETBleed|MMIO Stale Data",
     "boot messages about the emulated CPU's mitigations, starting WARNING:"),
    (r"NMI watchdog: Perf NMI watchdog permanently disabled",
     "there is no such counter in a guest"),
    (r"WARNING: .* xennet_disconnect_backend",
     "netfront takes references to pages of a slab when a guest resumes with "
     "packets under way: github.com/QubesOS/qubes-issues/issues/10969"),
    (r"WARNING: .* will be removed|sources of WARNING",
     "a note about the future, not about this run"),
)

_BAD = re.compile("|".join(f"(?:{item})" for item in PATTERNS), re.I)
_HARMLESS = re.compile("|".join(f"(?:{item})" for item, _ in HARMLESS), re.I)

Finding = collections.namedtuple("Finding", "console offset line")


def describe(finding):
    """A finding for people."""
    return f"{finding.console} console: {finding.line}"


def bad_line(line):
    """Whether a console line means failure."""
    return bool(_BAD.search(line)) and not _HARMLESS.search(line)


def scan(data, start=0):
    """(offset, line) of each bad line in the bytes @data, from @start on."""
    offset = start
    for raw in data[start:].splitlines(keepends=True):
        line = raw.decode("utf-8", "replace").strip()
        if bad_line(line):
            yield offset, line
        offset += len(raw)


def _last_line(path):
    """Offset of the line at the end of @path that is not complete yet."""
    with open(path, "rb") as handle:
        size = handle.seek(0, os.SEEK_END)
        handle.seek(max(0, size - 4096))
        tail = handle.read()
    return size - len(tail) + tail.rfind(b"\n") + 1


class Watcher:
    """All consoles of a lab. mark() takes a position, findings() reads on."""

    def __init__(self, folder):
        self.folder = folder

    def _logs(self):
        return sorted(glob.glob(os.path.join(self.folder, "*.log")))

    def mark(self):
        """The present end of every console: where its last line begins."""
        return {path: _last_line(path) for path in self._logs()}

    def findings(self, since=None):
        """Bad lines in all consoles, those after @since (a mark) only."""
        found = []
        for path in self._logs():
            name = os.path.basename(path).removesuffix(".log")
            name = name.removeprefix("guest-")
            start = (since or {}).get(path, 0)
            if os.path.getsize(path) <= start:
                continue
            with open(path, "rb") as handle:
                handle.seek(start)
                data = handle.read()
            found += [Finding(name, start + offset, line)
                      for offset, line in scan(data)]
        return found
