# SPDX-License-Identifier: GPL-2.0
"""views.py: counters and connections, as the netlink family tells them.

For who looks again and again: to start the tool each time would be most of the
work of a test. What the tool shows is tested elsewhere.
"""
import struct

from netlink_test import STAT_GET, Netlink, attrs

STAT_NAME, STAT_VALUE = 2, 3
# XENVMC_A_CONN_*
WORDS = {3: "kind", 4: "state", 9: "tx", 10: "rx"}
NUMBERS = {7: "sport", 8: "dport", 20: "tx_ring", 21: "rx_ring"}


def text(value):
    """A string attribute."""
    return value.rstrip(b"\0").decode()


def stats():
    """All counters."""
    entries, = Netlink().do(STAT_GET)
    pairs = [dict(attrs(value)) for _, value in entries]
    return {text(pair[STAT_NAME]): struct.unpack("Q", pair[STAT_VALUE])[0]
            for pair in pairs}


def stat(name):
    """One of them."""
    return stats()[name]


def conns():
    """The connections of the present network namespace, in the tool's words."""
    return [{WORDS[kind]: text(value) for kind, value in conn.items()
             if kind in WORDS} |
            {NUMBERS[kind]: struct.unpack("I", value)[0]
             for kind, value in conn.items() if kind in NUMBERS}
            for conn in Netlink().conns()[0]]
