#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""nat.py INSIDE CLIENT OUTSIDE SERVER ADDRESS: translates addresses of TCP.

What comes from the address CLIENT by the interface INSIDE for SERVER goes on by
OUTSIDE as if ADDRESS had sent it, and what is answered comes back. CLIENT and
SERVER have their hardware addresses behind a comma. For these two it must be
this machine that has the other's address, and they must cut their segments
themselves: nothing here knows of ARP, nor of segments that a card would cut. It
is for kernels without netfilter.
"""
import array
import select
import socket
import struct
import sys

ETH_P_IP = 0x0800
ETHER, ADDRESSES = 14, 12       # length of a header; offset of both addresses
PACKET_OUTGOING = 4


def checksum(data):
    """Of RFC 1071, in the order of the network."""
    total = sum(array.array("H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return struct.pack("=H", ~total & 0xffff)


def translated(packet, addresses):
    """An IPv4 packet of TCP that is between @addresses from now on."""
    size = (packet[0] & 15) * 4
    end = struct.unpack_from("!H", packet, 2)[0]
    head, body = packet[:size], packet[size:end]
    head[ADDRESSES:ADDRESSES + 8] = addresses
    head[10:12] = b"\0\0"
    head[10:12] = checksum(bytes(head))
    body[16:18] = b"\0\0"
    body[16:18] = checksum(addresses + struct.pack(
        "!HH", socket.IPPROTO_TCP, len(body)) + bytes(body))
    return head + body


class Side:
    """An interface, and the machine behind it."""

    def __init__(self, name, machine):
        self.address, hardware = machine.split(",")
        self.address = socket.inet_aton(self.address)
        self.hardware = bytes.fromhex(hardware.replace(":", ""))
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                  socket.htons(ETH_P_IP))
        self.sock.bind((name, ETH_P_IP))

    def take(self):
        """What the machine sent: a packet of TCP, or None."""
        frame, where = self.sock.recvfrom(1 << 16)
        if where[2] == PACKET_OUTGOING or \
                frame[ETHER + 9] != socket.IPPROTO_TCP:
            return None
        return bytearray(frame[ETHER:])

    def give(self, packet):
        """Send it to the machine."""
        self.sock.send(self.hardware + self.sock.getsockname()[4] +
                       struct.pack("!H", ETH_P_IP) + packet)


def main(inside, client, outside, server, address):
    """Does it until it is ended."""
    sides = Side(inside, client), Side(outside, server)
    client, server = sides[0].address, sides[1].address
    address = socket.inet_aton(address)
    # From which side, between which two: between which from then on
    known = {(0, client + server): address + server,
             (1, server + address): server + client}
    print("ready", flush=True)
    while True:
        for sock in select.select([side.sock for side in sides], [], [])[0]:
            number = int(sock is sides[1].sock)
            packet = sides[number].take()
            addresses = packet and bytes(packet[ADDRESSES:ADDRESSES + 8])
            if (number, addresses) in known:
                sides[1 - number].give(translated(
                    packet, known[number, addresses]))


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
