#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""flood.py N: writes N announcements into this guest's part of XenStore, as fast
as it goes: other addresses each time, those of others among them, nodes that
nobody knows, long and empty ones. Says how many were taken.
"""
import struct
import sys

WRITE, ERROR = 11, 16
HOME = "data/xenvmc"
TEXTS = ("10.7.0.%d 10.7.1.%d", "10.77.0.101 10.77.0.103 %d.%d", "",
         "x" * 2000, "0.0.0.0 127.0.0.%d 255.255.255.%d")


def request(bus, kind, payload):
    """One message to XenStore; its answer's kind and payload."""
    bus.write(struct.pack("IIII", kind, 0, 0, len(payload)) + payload)
    head = bus.read(16)
    answer, _, _, size = struct.unpack("IIII", head)
    return answer, bus.read(size) if size else b""


def main():
    count = int(sys.argv[1])
    taken = 0
    with open("/dev/xen/xenbus", "r+b", buffering=0) as bus:
        for i in range(count):
            text = TEXTS[i % len(TEXTS)]
            if "%d" in text:
                text %= (i % 250 + 1, i // 250 + 1)[:text.count("%d")]
            name = ("version", "features")[i % 2] if i % 10 == 9 else "addr"
            if i % 25 == 24:
                name = f"unknown/{i}"
            kind, _ = request(bus, WRITE,
                              f"{HOME}/{name}\0{text}".encode("ascii"))
            taken += kind != ERROR
    print(f"{taken} writes")


if __name__ == "__main__":
    main()
