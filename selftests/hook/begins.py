#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""begins.py [NAME...]: connections at their beginning: nobody has accepted them
yet, or both ends open at once. TAP.

As late.py, whose helpers it uses.
"""
import contextlib
import errno
import socket
import sys

import late
from late import (ADDRESS, Task, inside, lose_a_ring, on_rings, peer, stat,
                  unloaded, until, ways)
from network import packets_take
from pair import check

OURS = "10.9.0.1"
WAITING = 8
UNREAD = 30000
CASES = []


def case(function):
    CASES.append(function)
    return function


def listen():
    return inside("b", lambda: socket.create_server((ADDRESS, 0),
                                                    backlog=WAITING))


def unaccepted(listener, number):
    """Connections that are on rings, which have bytes that nobody reads."""
    before = stat("hook_moved")
    clients = [inside("a", lambda: socket.create_connection(
        listener.getsockname())) for _ in range(number)]
    until(lambda: stat("hook_moved") == before + 2 * number, "they move")
    for client in clients:
        until(lambda sock=client: on_rings(sock), "they have rings")
    there = [late.Way(client, None, 1) for client in clients]
    before = stat("tx_bytes")
    for way in there:
        way.send(UNREAD)
    check(stat("tx_bytes") > before, "no byte went by ring")
    return there


def accepted(listener, there):
    """The other ends, each with its own way."""
    ports = {way.source.getsockname()[1]: way for way in there}
    for _ in there:
        sock, (_, port) = listener.accept()
        ports.pop(port).target = sock
    return there


@case
def unloading_takes_back_what_nobody_has_accepted():
    listener = listen()
    there = unaccepted(listener, WAITING)
    with unloaded():
        for way in accepted(listener, there):
            way.catch_up()
            way.send(1000)
            way.catch_up()
            way.source.close()
            check(way.target.recv(1) == b"", "no end of the stream")
            way.target.close()
    listener.close()


@case
def the_listener_ends_while_the_hook_is_unloaded():
    for _ in range(5):
        listener = listen()
        there = unaccepted(listener, WAITING)
        with contextlib.ExitStack() as stack:
            going = Task(lambda s=stack: s.enter_context(unloaded()))
            listener.close()
            going.get()
            for way in there:
                try:
                    check(way.source.recv(1) == b"", "bytes of nobody")
                except ConnectionResetError:
                    pass
                way.source.close()


@case
def it_goes_back_before_it_is_accepted():
    """The peer goes, and the bytes are TCP's when the program comes."""
    listener = listen()
    way, = unaccepted(listener, 1)
    before = stat("rx_bytes_to_tcp")
    peer(False)
    until(lambda: stat("rx_bytes_to_tcp") == before + UNREAD,
          "its bytes are TCP's")
    accepted(listener, [way])
    way.catch_up()
    for sock in (way.source, way.target, listener):
        sock.close()


@case
def missing_bytes_are_told_when_it_is_accepted():
    listener = listen()
    while True:
        way, = unaccepted(listener, 1)
        if lose_a_ring():
            break
        # All of it had gone to TCP before
        accepted(listener, [way])
        way.catch_up()
        for sock in (way.source, way.target):
            sock.close()
        peer(True)
    accepted(listener, [way])
    for sock in (way.target, way.source):
        sock.settimeout(late.DEADLINE / 2)
        try:
            while sock.recv(70000):
                pass
        except ConnectionResetError:
            sock.close()
            continue
        check(False, "the end of the stream, and no error")
    listener.close()


@case
def both_open_at_once():
    """A program may be reading by then, inside TCP."""
    ends = {"a": OURS, "b": ADDRESS}
    socks = {}
    for side, address in ends.items():
        socks[side] = inside(side, socket.socket)
        socks[side].bind((address, 0))
        socks[side].setblocking(False)
    names = {side: sock.getsockname() for side, sock in socks.items()}
    before = stat("fallback_no_answer")
    with packets_take(2):
        for side, other in (("a", "b"), ("b", "a")):
            err = socks[side].connect_ex(names[other])
            check(err == errno.EINPROGRESS, f"connect(): {err}")
            socks[side].setblocking(True)
        reader = Task(lambda: socks["a"].recv(100))
        late.asleep(reader)
        until(lambda: stat("fallback_no_answer") == before + 2 or
              on_rings(socks["a"]), "the hook has seen it")
    socks["b"].sendall(b"first")
    check(reader.get() == b"first", "other bytes")
    both = ways(socks["a"], socks["b"])
    for way in both:
        task = Task(lambda w=way: w.send(1 << 20))
        while way.got.offset < 1 << 20:
            way.recv()
        task.get()
    for sock in socks.values():
        sock.close()


if __name__ == "__main__":
    late.CASES = CASES
    sys.exit(late.main())
