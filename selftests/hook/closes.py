#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""closes.py [NAME...]: an end closes while bytes are on their way to it, and
each message about the ring is late in turn. TAP.

As late.py, whose helpers it uses. TCP would answer such bytes with a RST.
"""
import contextlib
import errno
import select
import socket
import sys
import time

import late
from late import KNOBS, by_ring, connect, moved, stat, turn, until, ways
from network import packets_take
from pair import check

TCP_CLOSE = 7           # in struct tcp_info
CASES = []


def case(function):
    CASES.append(function)
    return function


@contextlib.contextmanager
def stalled(place):
    """The next to come there waits until the end of this. Gives a function that
    waits for it."""
    turn(f"stall_{place}", "1")

    def comes():
        with open(f"{KNOBS}stall_{place}", encoding="ascii") as handle:
            return handle.read().strip() == "0"
    try:
        yield lambda: until(comes, f"somebody comes to {place}")
    finally:
        turn(f"stall_{place}", "-1")


def on_rings():
    client, server = connect()
    moved(client)
    by_ring(*ways(client, server))
    return client, server


def send_by_ring(sock, data):
    before = stat("tx_bytes")
    sock.sendall(data)
    check(stat("tx_bytes") == before + len(data), "they went by TCP")


def read_and_switch(sock):
    """As the last byte is read another ring is to be lent."""
    turn("switch_bytes", "1")
    byte = sock.recv(1)
    turn("switch_bytes", "0")
    check(byte == b"x", "another byte")


def is_told(sock, wanted):
    """A reset, behind the end of the stream."""
    poll = select.poll()
    poll.register(sock, 0)
    got = poll.poll(1000 * late.DEADLINE / 2)
    check(got and got[0][1] & select.POLLERR, f"polled {got}")
    error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    check(error == wanted, f"error {error}")
    check(sock.recv(1) == b"", "a byte")
    sock.close()


def is_over(sock):
    """In order, and nothing is left of it."""
    until(lambda: not late.inside("b", late.views.conns), "the connection is over")
    check(not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), "an error")
    sock.close()


@case
def byte_crosses_close_and_recall():
    """The byte is in the ring that the writer gives back before it hears that
    the reader's program has closed."""
    client, server = on_rings()
    with stalled("closed") as closed:
        with stalled("recall") as recalled:
            send_by_ring(server, b"x")
            read_and_switch(client)
            recalled()
            client.close()
            send_by_ring(server, b"y")
            stops, before = stat("ring_stops"), stat("rx_bytes_discarded")
        until(lambda: stat("ring_stops") > stops, "the writer has stopped")
        closed()
        # Not before the writer had the opportunity to see it
        quiet = time.monotonic() + 0.3
        while time.monotonic() < quiet:
            check(stat("rx_bytes_discarded") == before, "it is thrown away")
    is_told(server, errno.EPIPE)


@case
def writer_that_has_ended_is_not_told():
    """Its TCP has ended in order before it hears of the reader's end. TCP would
    have answered the byte with a RST."""
    client, server = on_rings()
    with stalled("closed") as closed:
        client.close()
        closed()
        send_by_ring(server, b"y")
        server.shutdown(socket.SHUT_WR)
        until(lambda: late.tcp_state(server) == TCP_CLOSE, "TCP has ended")
    check(server.recv(1) == b"", "a byte")
    is_over(server)


@case
def byte_crosses_close():
    client, server = on_rings()
    with stalled("closed") as closed:
        client.close()
        closed()
        send_by_ring(server, b"y")
    is_told(server, errno.EPIPE)


@case
def end_of_the_stream_comes_later_than_the_news():
    """Of a reader whose FIN is slow. The writer has ended, too."""
    client, server = on_rings()
    with stalled("closed") as closed, packets_take(0.5):
        client.close()
        closed()
        # Asking whether it went by ring would take as long as the FIN
        server.sendall(b"y")
        server.shutdown(socket.SHUT_WR)
        turn("stall_closed", "-1")
        check(server.recv(1) == b"", "a byte")
    server.close()


@case
def what_was_read_is_no_reason():
    """A writer that has ended, and all whose bytes were read."""
    client, server = on_rings()
    with stalled("closed") as closed:
        send_by_ring(server, b"x")
        check(client.recv(1) == b"x", "another byte")
        client.close()
        closed()
        server.shutdown(socket.SHUT_WR)
    check(server.recv(1) == b"", "a byte")
    is_over(server)


if __name__ == "__main__":
    late.CASES = CASES
    sys.exit(late.main())
