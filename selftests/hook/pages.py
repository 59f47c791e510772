#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""pages.py [NAME...]: calls whose page is long in coming, brought by userfaultfd,
and what happens to their connection meanwhile. TAP.

As late.py, whose helpers it uses.
"""
import ctypes
import fcntl
import os
import socket
import struct
import sys
import termios

import late
from late import Task, by_ring, connect, moved, on_rings, peer, until, ways
from pair import check, pattern
from stuck import PAGE, UFFDIO_COPY, pages_that_never_come

SIOCATMARK = 0x8905     # Python has no name for it
EVENT = 32              # bytes of struct uffd_msg
CASES = []


def case(function):
    CASES.append(function)
    return function


class Page:
    """One that comes when it is told to."""

    def __init__(self):
        self.memory, self.fd = pages_that_never_come(1)

    def view(self):
        return memoryview(self.memory)

    def await_fault(self):
        """A task waits for it."""
        check(len(os.read(self.fd, EVENT)) == EVENT, "no event")

    def come(self, data=b""):
        place = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        source = ctypes.create_string_buffer(data, PAGE)
        fcntl.ioctl(self.fd, UFFDIO_COPY, struct.pack(
            "=QQQQq", place, ctypes.addressof(source), PAGE, 0, 0))


def ask(sock, request):
    """The number that an ioctl() tells, under the socket lock."""
    return struct.unpack("i", fcntl.ioctl(sock, request, bytes(4)))[0]


def moved_anew(sock):
    """The peer goes and comes, and has the connection again."""
    peer(False)
    until(lambda: not on_rings(sock), "it is back on TCP")
    peer(True)
    moved(sock)


def on_rings_both():
    """Two ends, and the ways between them, on which bytes have gone by ring."""
    client, server = connect()
    both = ways(client, server)
    moved(client)
    by_ring(*both)
    return client, server, both


@case
def urgent_byte_for_a_page_that_is_missing():
    """Who waits for it owns no socket."""
    client, server = connect()
    moved(client)
    client.send(b"!", socket.MSG_OOB)
    until(lambda: ask(server, SIOCATMARK), "the byte is there")
    page = Page()
    reader = Task(lambda: server.recv_into(page.view(), 1, socket.MSG_OOB))
    page.await_fault()
    Task(lambda: ask(server, termios.FIONREAD)).get()
    Task(lambda: peer(False)).get()
    page.come()
    check(reader.get() == 1 and page.memory[:1] == b"!", "another byte")
    for sock in (client, server):
        sock.close()


@case
def sender_without_a_page_does_not_write_past_new_rings():
    client, server, both = on_rings_both()
    there = both[0]
    page = Page()
    sender = Task(lambda: client.send(page.view(), socket.MSG_DONTWAIT))
    page.await_fault()
    moved_anew(client)
    there.send(3000)
    place = there.sent
    page.come(pattern(there.seed, place, PAGE))
    size = sender.get()
    check(size == PAGE, f"sent {size} bytes")
    there.sent += size
    there.send(3000)
    there.catch_up()
    by_ring(*both)
    for sock in (client, server):
        sock.close()


@case
def reader_without_a_page_does_not_read_past_new_rings():
    client, server, both = on_rings_both()
    there = both[0]
    there.send(1000)
    page = Page()
    reader = Task(lambda: server.recv_into(page.view(), 1000,
                                           socket.MSG_DONTWAIT))
    page.await_fault()
    moved_anew(client)
    there.send(1000)
    page.come()
    size = reader.get()
    check(size > 0, "nothing")
    there.got.feed(page.memory[:size])
    there.catch_up()
    by_ring(*both)
    for sock in (client, server):
        sock.close()


if __name__ == "__main__":
    late.CASES = CASES
    sys.exit(late.main())
