#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""nbd.py: a program gives a socket that has moved to the kernel's network block
device. TAP. In the namespaces of path.py, with the module nbd.

The program negotiates first, so the connection is on rings; then the kernel reads
and writes by itself, from tasks of its own and while it frees memory. The
connection is TCP's soon, and each byte of the disk is right.
"""
import fcntl
import os
import random
import socket
import struct
import sys

import path
from pair import recv_exact
from path import Pair, Thread, case, check, fallbacks, segments

path.CASES.clear()      # those of this file only
DEVICE = "/dev/nbd0"
# linux/nbd.h
SET_SOCK, DO_IT, CLEAR_SOCK = 0xab00, 0xab03, 0xab04
SET_BLKSIZE, SET_SIZE_BLOCKS, DISCONNECT = 0xab01, 0xab07, 0xab08
REQUEST, REPLY = 0x25609513, 0x67446698
READ, WRITE, DISC = range(3)
BLOCK = 4096
SIZE = 4 << 20


def serve(sock, disk):
    """The other end of a device, until it says that it disconnects; the device
    waits for the end of the connection then."""
    while True:
        magic, what, cookie, start, size = struct.unpack(
            "!IIQQI", recv_exact(sock, 28))
        check(magic == REQUEST, f"no request: {magic:#x}")
        kind = what & 0xffff
        if kind == DISC:
            sock.shutdown(socket.SHUT_RDWR)
            return
        if kind == WRITE:
            disk[start:start + size] = recv_exact(sock, size)
        sock.sendall(struct.pack("!IIQ", REPLY, 0, cookie))
        if kind == READ:
            sock.sendall(disk[start:start + size])


def goes_by_tcp(pair, handle):
    """Does a block that is not in memory come by TCP?"""
    os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    before = segments(pair.b)
    os.pread(handle.fileno(), BLOCK, 0)
    return segments(pair.b) > before


@case
def block_device_gets_a_moved_socket():
    """What it reads is what was there, what it writes comes; by ring at first,
    and soon by TCP."""
    pair = Pair(True)
    before = fallbacks("kernel")
    disk = bytearray(random.Random(1).randbytes(SIZE))
    wanted = bytes(disk)
    server = Thread(serve, pair.b, disk)
    device = os.open(DEVICE, os.O_RDWR)
    for request, value in ((SET_BLKSIZE, BLOCK), (CLEAR_SOCK, 0),
                           (SET_SOCK, pair.a.fileno()),
                           (SET_SIZE_BLOCKS, SIZE // BLOCK)):
        fcntl.ioctl(device, request, value)
    worker = Thread(fcntl.ioctl, device, DO_IT)
    with open(DEVICE, "rb") as handle:
        while not handle.seek(0, os.SEEK_END):
            check(worker.is_alive(), worker.failure)
        handle.seek(0)
        check(handle.read(SIZE) == wanted, "other bytes were read")
        # Without another call, which might have it noticed by chance
        while fallbacks("kernel") == before:
            pass
        while not goes_by_tcp(pair, handle):
            pass
    written = random.Random(2).randbytes(SIZE)
    with open(DEVICE, "r+b") as handle:
        handle.write(written)
        handle.flush()
        os.fsync(handle.fileno())
    check(bytes(disk) == written, "other bytes were written")
    fcntl.ioctl(device, DISCONNECT)
    for thread in (worker, server):
        thread.finish()
    os.close(device)


if __name__ == "__main__":
    sys.exit(bool(path.main()))
