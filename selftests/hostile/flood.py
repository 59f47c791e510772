#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""flood.py N: writes N announcements into this guest's part of XenStore, as fast
as it goes: each time as many other addresses as a node may have, those of others
among them, nodes that nobody knows, long and empty ones. Says how many were
taken, and how many addresses they named.
"""
import ipaddress
import struct
import sys

WRITE, ERROR = 11, 16
HOME = "data/xenvmc"
MOST = 16       # addresses in a node, by Documentation/protocol.rst
FIRST = (ipaddress.ip_address("10.64.0.1"),
         ipaddress.ip_address("fd00:77:1::1"))


def addresses(turn):
    """As many as a node may have, and no other turn has them."""
    first = FIRST[turn % len(FIRST)]
    return [str(first + MOST * turn + i) for i in range(MOST)]


def text_of(turn):
    """What is announced."""
    kind = turn % 5
    if kind < 2:
        return " ".join(addresses(turn))
    if kind == 2:
        return " ".join(["10.77.0.101", "10.77.0.103", *addresses(turn)[2:]])
    if kind == 3:
        return "" if turn % 2 else "x" * 2000
    return f"0.0.0.0 127.0.0.{turn % 250} 255.255.255.{turn % 250}"


def node_of(turn):
    """Where. Not elsewhere, where it names addresses."""
    if turn % 25 == 24:
        return f"unknown/{turn}"
    if turn % 10 == 9:
        return "features" if turn % 20 == 9 else "version"
    return "addr"


def request(bus, kind, payload):
    """One message to XenStore; its answer's kind and payload."""
    bus.write(struct.pack("IIII", kind, 0, 0, len(payload)) + payload)
    head = bus.read(16)
    answer, _, _, size = struct.unpack("IIII", head)
    return answer, bus.read(size) if size else b""


def main():
    taken, named = 0, set()
    with open("/dev/xen/xenbus", "r+b", buffering=0) as bus:
        for turn in range(int(sys.argv[1])):
            node, text = node_of(turn), text_of(turn)
            kind, _ = request(bus, WRITE,
                              f"{HOME}/{node}\0{text}".encode("ascii"))
            if kind == ERROR:
                continue
            taken += 1
            if node == "addr":
                named.update(text.split())
    print(f"{taken} writes, {len(named)} addresses")


if __name__ == "__main__":
    main()
