#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""full.py [NAME...]: TCP has bytes behind a ring that nobody reads, and before
the next one. TAP.

As late.py, whose helpers it uses.
"""
import select
import socket
import struct
import subprocess
import sys
import termios
import threading
import time

import late
from late import (Task, by_ring, connect, moved, stat, tcp_info, unloaded,
                  until, ways)
from network import nothing_arrives
from pages import ask
from pair import check

RING = 512 << 10
SOON = 20               # net.xenvmc.full_ms
PIECE = 4096
LITTLE = 500
TCP_INQ = 36            # Python has no name for it
CASES = []


def case(function):
    CASES.append(function)
    return function


def wait_at_full(milliseconds):
    for side in ("a", "b"):
        subprocess.run(["ip", "netns", "exec", side, "sysctl", "-q",
                        f"net.xenvmc.full_ms={milliseconds}"], check=True)


def on_rings(milliseconds=SOON):
    wait_at_full(milliseconds)
    client, server = connect()
    both = ways(client, server)
    moved(client)
    by_ring(*both)
    return client, server, both


def send_some(way, most=PIECE):
    """What goes without waiting, of one piece."""
    way.source.setblocking(False)
    try:
        size = way.source.send(late.pattern(way.seed, way.sent, most))
    except BlockingIOError:
        size = 0
    way.source.setblocking(True)
    way.sent += size
    return size


def fill_ring(way):
    """Until what comes next is TCP's."""
    before = stat("hook_full")
    while stat("hook_full") == before:
        while send_some(way):
            pass


def stays_unsent(sock):
    """Bytes wait for TCP's window."""
    for _ in range(20):
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 148)
        if not struct.unpack_from("I", info, 144)[0]:   # tcpi_notsent_bytes
            return False
        time.sleep(0.01)
    return True


def fill(way):
    """The ring, then TCP's two buffers, until there is no room any more."""
    fill_ring(way)
    quiet = time.monotonic()
    while time.monotonic() < quiet + 1:
        if send_some(way):
            quiet = time.monotonic()
    check(way.sent > RING + (64 << 10), f"{way.sent} bytes are all")


def fill_barely(way):
    """The ring, then TCP's buffer at the other end, and little more."""
    fill_ring(way)
    while not stays_unsent(way.source):
        send_some(way, LITTLE)


def slow(way, more, least, filled=fill, piece=PIECE):
    """The reader has read the ring, and @more of what TCP has behind it; the
    writer goes on by another ring, before whose bytes TCP still owes some."""
    filled(way)
    starts = stat("ring_starts")
    end = way.got.offset + RING + more
    while way.got.offset < end:
        way.recv(end - way.got.offset)
    # Not those that wait to be sent: TCP's window does not reach so far
    until(lambda: send_some(way, piece) and stat("ring_starts") > starts,
          "another ring is written to")
    owed = way.sent - way.got.offset - ask(way.target, termios.FIONREAD)
    check(owed > least, f"TCP owes {owed} bytes")


def end(client, server, both):
    for way in both:
        way.catch_up()
        way.send(1000)
        way.catch_up()
    for sock in (client, server):
        sock.close()


def goes_back(sock):
    size = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_INQ, 1)
    now = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    check(now == size, f"a buffer of {now} bytes is left, of {size}")


@case
def option_while_tcp_owes_much():
    client, server, both = on_rings()
    slow(both[0], 16 << 10, 64 << 10)
    goes_back(server)
    end(client, server, both)


@case
def option_while_tcp_owes_little():
    """TCP tells of no window that is small beside a full buffer."""
    client, server, both = on_rings()
    slow(both[0], 1, LITTLE, fill_barely, LITTLE)
    goes_back(server)
    end(client, server, both)


@case
def unloading_while_tcp_owes_much():
    client, server, both = on_rings()
    slow(both[0], 16 << 10, 64 << 10)
    with unloaded():
        both[0].catch_up()
    end(client, server, both)


@case
def peer_goes_while_tcp_owes_much():
    client, server, both = on_rings()
    slow(both[0], 16 << 10, 64 << 10)
    late.peer(False)
    both[0].catch_up()
    late.peer(True)
    end(client, server, both)


@case
def what_was_sent_in_vain_comes_when_a_ring_is_lent():
    """As to a guest that was paused. TCP would wait for its timer."""
    client, server, both = on_rings()
    with nothing_arrives():
        fill_ring(both[0])
        until(lambda: send_some(both[0]), "TCP takes some")
        until(lambda: tcp_info(client)[0] >= 6, "TCP has tried six times")
    waits = tcp_info(client)[1]
    begin = time.monotonic()
    both[0].catch_up()
    took = time.monotonic() - begin
    check(took < waits / 2, f"took {took:.1f} s, TCP's timer is {waits:.1f} s")
    end(client, server, both)


@case
def who_waits_for_bytes_alone_ends_no_lend():
    """More than half of the ring is unread, and nobody wants to write."""
    client, server, both = on_rings()
    there = both[0]
    there.send(RING // 2 + RING // 4)
    before = stat("hook_full")
    poller = select.poll()
    poller.register(client, select.POLLIN)
    for _ in range(5):
        check(not poller.poll(4 * SOON), "there is something to read")
    check(stat("hook_full") == before, "the lend has ended")
    poller.register(client, select.POLLOUT)
    check(poller.poll(), "no room by TCP")
    check(stat("hook_full") == before + 1, "the lend has not ended")
    end(client, server, both)


class SlowReader(threading.Thread):
    """Some bytes every twentieth of a second; @longest without any."""

    def __init__(self, way):
        super().__init__(daemon=True)
        self.way, self.longest, self.over = way, 0, threading.Event()
        self.start()

    def run(self):
        last = time.monotonic()
        while not self.over.wait(0.05):
            self.way.recv(PIECE)
            now = time.monotonic()
            last, self.longest = now, max(self.longest, now - last)


@case
def who_reads_slowly_reads():
    """A ring that is full whenever it is looked at. It means nothing if the
    reader was kept off his processor for as long."""
    client, server, both = on_rings(1000)
    there, size = both[0], 16 * RING
    before = stat("hook_full")
    writer = Task(lambda: there.send(size))
    reader = SlowReader(there)
    until(lambda: there.got.offset > 60 * PIECE, "three looks are over")
    given_up = stat("hook_full") - before
    reader.over.set()
    reader.join()
    print(f"# {given_up} given up, at most {reader.longest:.2f} s without a byte",
          flush=True)
    check(reader.longest > 0.9 or not given_up, "it has lost its ring")
    while there.got.offset < size + 3000:
        there.recv()
    writer.get()
    end(client, server, both)


@case
def closing_does_not_wait_for_the_look():
    """Nor does unloading."""
    client, server, both = on_rings(60000)
    begin = time.monotonic()
    while send_some(both[0]):
        pass
    with unloaded():
        took = time.monotonic() - begin
        both[0].catch_up()
    check(took < 59, f"unloading took {took:.1f} s")
    end(client, server, both)


@case
def writer_that_sleeps_is_woken():
    client, server, both = on_rings()
    there = both[0]
    writer = Task(lambda: there.send(2 * RING))
    until(lambda: ask(server, termios.FIONREAD) >= RING + PIECE,
          "TCP takes the rest")
    before = there.got.offset
    while there.got.offset < before + 2 * RING:
        there.recv()
    writer.get()
    end(client, server, both)


@case
def peek_asks_for_what_waits():
    """The writer may not go on by TCP of its own accord."""
    client, server, both = on_rings(0)
    there = both[0]
    size = RING + 4 * PIECE
    writer = Task(lambda: there.send(size))
    seen = Task(lambda: server.recv(size, socket.MSG_PEEK |
                                    socket.MSG_WAITALL)).get()
    writer.get()
    check(seen == late.pattern(there.seed, there.got.offset, size),
          f"{len(seen)} bytes are seen, and as they were sent")
    while there.got.offset < there.sent:
        there.recv()
    end(client, server, both)


@case
def ring_that_nobody_read_is_the_last():
    """A peer that goes and comes fills TCP's queue by no more than one."""
    client, server, both = on_rings(0)
    there = both[0]
    while send_some(there):
        pass
    refused, starts = stat("fallback_no_memory"), stat("ring_starts")
    late.peer(False)
    until(lambda: ask(server, termios.FIONREAD) >= RING, "TCP has the ring's")
    late.peer(True)
    until(lambda: stat("fallback_no_memory") > refused, "it is refused")
    check(stat("ring_starts") == starts, "another ring is written to")
    there.catch_up()
    moved(client)
    by_ring(*both)
    end(client, server, both)


if __name__ == "__main__":
    late.CASES = CASES
    sys.exit(late.main())
