#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""tables.py [NAME...]: whose functions a socket has, when others put some of
their own there: kTLS, a listener that was a connection, and a call that began
before the connection. TAP.

As late.py, whose helpers it uses. The kernel has kTLS.
"""
import ctypes
import errno
import socket
import struct
import sys
import time

import late
from late import (DEADLINE, by_ring, connect, inside, moved, on_rings, stat,
                  unloaded, until, ways)
from network import packets_take
from pair import check

TCP_ULP = 31            # Python has no names for these
SOL_TLS = 282
TLS_TX, TLS_RX = 1, 2
AF_UNSPEC = 0
# TLS 1.2, AES-GCM-128; iv, key, salt and record number are all zero
KEY = struct.pack("HH", 0x0303, 51) + bytes(8 + 16 + 4 + 8)
ADDRESS6 = "fd09::2"
LIBC = ctypes.CDLL(None, use_errno=True)


CASES = []


def case(function):
    CASES.append(function)
    return function


def connect6():
    """A connection from a to b by IPv6."""
    listener = inside("b", lambda: socket.create_server(
        (ADDRESS6, 0), family=socket.AF_INET6))
    client = inside("a", lambda: socket.create_connection(
        listener.getsockname()[:2]))
    server = listener.accept()[0]
    listener.close()
    return client, server


def ask_for_tls(*socks):
    for sock in socks:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")


def refused(function, code):
    """It fails with this errno."""
    try:
        function()
    except OSError as err:
        check(err.errno == code, f"{err}, not {errno.errorcode[code]}")
    else:
        check(False, f"no {errno.errorcode[code]}")


def tls_works(source, target, data):
    """Keys at both ends, and bytes that are encrypted."""
    source.setsockopt(SOL_TLS, TLS_TX, KEY)
    target.setsockopt(SOL_TLS, TLS_RX, KEY)
    source.sendall(data)
    got = b""
    while len(got) < len(data):
        got += target.recv(len(data))
    check(got == data, "other bytes")


def without_a_key_it_is_on_rings(make):
    """Libraries ask for kTLS on each connection, and seldom use it."""
    client, server = make()
    both = ways(client, server)
    moved(client)
    ask_for_tls(client, server)
    for way in both:
        way.send(3000)
        way.catch_up()
    moved(client)
    by_ring(*both)
    before = stat("fallback_ulp")
    for sock in (client, server):
        check(sock.getsockopt(socket.IPPROTO_TCP, TCP_ULP, 16)
              .rstrip(b"\0") == b"tls", "which ULP?")
        # Refused, and nothing changes
        refused(lambda sock=sock: ask_for_tls(sock), errno.EEXIST)
    check(on_rings(client), "it went back for nothing")
    tls_works(client, server, b"secret" * 5000)
    check(stat("fallback_ulp") > before and not on_rings(client),
          "encrypted, and on rings")
    return client, server


@case
def ktls_without_a_key():
    without_a_key_it_is_on_rings(connect)


@case
def ktls_without_a_key_by_ipv6():
    without_a_key_it_is_on_rings(connect6)


@case
def ktls_lives_without_the_hook():
    """It has copied none of our functions, for this socket or any other."""
    for make in (connect, connect6):
        client, server = without_a_key_it_is_on_rings(make)
        other = make()
        moved(other[0])
        ask_for_tls(*other)
        with unloaded():
            server.setsockopt(SOL_TLS, TLS_TX, KEY)
            client.setsockopt(SOL_TLS, TLS_RX, KEY)
            server.sendall(b"answer")
            check(client.recv(10) == b"answer", "other bytes")
            tls_works(*other, b"more")
            fresh = make()
            ask_for_tls(*fresh)
            tls_works(*fresh, b"still more")
            for sock in (client, server, *other, *fresh):
                sock.close()


@case
def closed_with_ktls():
    """Nothing is left of it, nor of unread bytes."""
    client, server = connect()
    moved(client)
    ask_for_tls(client, server)
    moved(client)
    client.sendall(b"unread")
    server.close()
    until(lambda: client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
          == errno.ECONNRESET, "a reset")
    client.close()


def unspecific(sock):
    """connect() to no address, which Python cannot."""
    where = struct.pack("H14x", AF_UNSPEC)
    if LIBC.connect(sock.fileno(), where, len(where)):
        raise OSError(ctypes.get_errno(), "connect")


@case
def ktls_is_not_disconnected():
    """That is refused by it, and costs no byte."""
    client, server = connect()
    both = ways(client, server)
    moved(client)
    ask_for_tls(client, server)
    moved(client)
    for way in both:
        way.send(100)
    refused(lambda: unspecific(client), errno.EOPNOTSUPP)
    for way in both:
        way.catch_up()
    by_ring(*both)


@case
def a_connection_becomes_a_listener():
    """What it accepts has functions of its own, also by a call that began when
    the listener had not got its own back."""
    client, server = connect()
    moved(client)
    port = client.getsockname()[1]
    unspecific(client)
    client.bind(("10.9.0.1", port))
    client.listen()
    accepted = late.Task(lambda: client.accept()[0])
    late.asleep(accepted)
    # This one is not moved, and gets no functions by that
    late.hook("off")
    peer = inside("b", lambda: socket.create_connection(("10.9.0.1", port)))
    accepted = accepted.get()
    with unloaded():
        accepted.sendall(b"hello")
        check(peer.recv(10) == b"hello", "other bytes")
        for sock in (client, server, peer, accepted):
            sock.close()


@case
def begins_to_read_before_it_is_connected():
    """TCP lets it, and has no ring in view while it sleeps."""
    listener = inside("b", lambda: socket.create_server(("10.9.0.2", 0)))
    client = inside("a", socket.socket)
    client.setblocking(False)
    with packets_take(0.5):
        client.connect_ex(listener.getsockname())
        client.setblocking(True)
        reader = late.Task(lambda: client.recv(100))
        late.asleep(reader)
        server = listener.accept()[0]
    # Who does not look has moved it by then
    time.sleep(0.5)
    server.sendall(b"first")
    check(reader.get() == b"first", "other bytes")
    both = ways(client, server)
    until(lambda: exchange(both) and on_rings(client), "it moves")
    by_ring(*both)


def exchange(both):
    """Each call may be the one that sees that nobody is inside any more."""
    for way in both:
        way.send(10)
        way.catch_up()
    return True


if __name__ == "__main__":
    late.CASES = CASES
    sys.exit(late.main())
