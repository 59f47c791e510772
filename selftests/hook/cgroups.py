#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""cgroups.py [NAME...]: the rings of a connection are memory of its program's
cgroup and of TCP, and none is lent beyond a limit. TAP. In the namespaces of
path.py, with version 2 of cgroups and memory enabled below its top.
"""
import contextlib
import json
import os
import socket
import subprocess
import sys

import path
from pair import recv_exact
from path import Pair, Thread, case, check, fallbacks, run_in

path.CASES.clear()      # those of this file only
TOP = "/sys/fs/cgroup"
FOREVER = 1 << 30       # milliseconds
TCP_MEM = "/proc/sys/net/ipv4/tcp_mem"
LIMIT = 384 << 10       # less than a ring, enough for a socket
SLACK = 256 << 10       # what TCP keeps for two sockets, and each processor
BULK = 64 << 10


def write(name, text):
    with open(f"{TOP}/{name}", "w", encoding="ascii") as file:
        file.write(text)


class Cgroup:
    """Sockets that are made inside "with" are of it."""

    def __enter__(self):
        write("test/cgroup.procs", str(os.getpid()))
        return self

    def __exit__(self, *_):
        write("cgroup.procs", str(os.getpid()))

    def limit(self, more):
        """Not so much more than there is now, of whatever kind; without what
        processors have charged in advance."""
        for high in ("0", "max"):
            write("test/memory.high", high)
        with open(f"{TOP}/test/memory.current", encoding="ascii") as file:
            write("test/memory.max", str(int(file.read()) + more))

    def sockets(self):
        """Bytes of memory of its sockets."""
        with open(f"{TOP}/test/memory.stat", encoding="ascii") as file:
            return int(dict(line.split() for line in file)["sock"])


@contextlib.contextmanager
def cgroup():
    """One that is gone afterwards."""
    os.mkdir(f"{TOP}/test")
    try:
        yield Cgroup()
    finally:
        os.rmdir(f"{TOP}/test")


def conns(name):
    return json.loads(run_in(name, "xenvmc", "-j", "conn", "show"))


def rings(pair):
    """Bytes of the rings that are lent to the ends."""
    return sum(conn["rx_ring"] for name, port in pair.ports.items()
               for conn in conns(name) if conn["sport"] == port)


def connected(group, moved):
    """Both ends are of the cgroup."""
    def dial(address):
        with group:
            return socket.create_connection(address)
    return Pair(moved, dial, accepting=group)


def close(pair, group):
    """Nothing is left of a connection."""
    for sock in pair.ends.values():
        sock.close()
    while group.sockets():
        pass


@case
def ring_is_memory_of_the_cgroup():
    """Until the connection goes back to TCP."""
    with cgroup() as group:
        pair = connected(group, True)
        lent = rings(pair)
        check(lent > SLACK, f"rings of {lent} bytes are lent")
        held = group.sockets()
        check(lent <= held < lent + SLACK,
              f"{held} bytes are charged for rings of {lent}")
        path.to_tcp(pair.a)
        while rings(pair) or group.sockets() > SLACK:
            pair.ping()
        close(pair, group)


@contextlib.contextmanager
def later(group):
    """The cgroup, once the connection to be accepted has a ring."""
    while not any(conn["rx_ring"] for conn in conns("b")):
        pass
    with group:
        yield


@case
def accepting_program_pays():
    """Also for a ring that was lent before."""
    with cgroup() as group:
        pair = Pair(True, accepting=later(group))
        lent = rings(pair) / 2
        check(lent > SLACK, f"a ring of {lent} bytes is lent")
        held = group.sockets()
        check(lent <= held < lent + SLACK,
              f"{held} bytes are charged for a ring of {lent}")
        close(pair, group)


def is_refused(pair):
    """The hook takes it from now on, and has no room for its rings."""
    before = fallbacks("no_memory")
    for name in pair.ends:
        run_in(name, "xenvmc", "hook", "on", "loopback")
    while fallbacks("no_memory") == before or rings(pair):
        pair.ping()


@case
def no_ring_beyond_the_limit():
    """The connection is TCP's, which goes on within the limit."""
    with cgroup() as group:
        pair = connected(group, False)
        group.limit(LIMIT)
        is_refused(pair)
        for source, target in ((pair.a, pair.b), (pair.b, pair.a)):
            data = os.urandom(BULK)
            thread = Thread(source.sendall, data)
            check(recv_exact(target, BULK) == data, "other bytes have come")
            thread.finish()
        check(not pair.on_rings(), "the connection is on rings")
        close(pair, group)


@contextlib.contextmanager
def tcp_mem_is_used_up():
    """TCP has more memory than it may: unread bytes outside the namespaces."""
    with open(TCP_MEM, encoding="ascii") as file:
        limits = file.read()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with socket.create_server(("127.0.0.1", 0)) as listener, \
            socket.socket() as sender:
        for sock in (listener, sender):     # it stays on TCP
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT,
                            FOREVER)
        sender.connect(listener.getsockname())
        sender.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                sender.send(bytes(BULK))
        with open(TCP_MEM, "w", encoding="ascii") as file:
            file.write("1 1 1")
        try:
            yield
        finally:
            with open(TCP_MEM, "w", encoding="ascii") as file:
                file.write(limits)


@case
def no_ring_beyond_tcp_mem():
    """The same, with TCP's own limit. What it has it uses anew."""
    pair = Pair(False)
    with tcp_mem_is_used_up():
        is_refused(pair)
        for _ in range(10):
            pair.ping()
        check(not pair.on_rings(), "the connection is on rings")
    for sock in pair.ends.values():
        sock.close()


if __name__ == "__main__":
    sys.exit(bool(path.main()))
