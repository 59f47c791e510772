#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""rules.py [NAME...]: what rules of a packet filter (nftables) do to a moved
connection, as to one on TCP; and what a module does that is not loaded. TAP. In
the namespaces of path.py.
"""
import contextlib
import os
import socket
import sys

import path
from path import (INTERVAL, Pair, case, check, heard, is_over, keepalive,
                  ping_for)

path.CASES.clear()      # those of this file only
# Whoever sends may be kept off its processor for a while
FORGOTTEN = 4 * INTERVAL * max(1, int(path.FACTOR))
TCP_ULP = 31            # Python has no name for it


@contextlib.contextmanager
def rule(words, name="b"):
    """Of what comes in at the namespace, as long as this lasts."""
    path.run_in(name, "nft", "table ip rules { chain input { "
                f"type filter hook input priority 0; {words}; }}; }}")
    try:
        yield
    finally:
        path.run_in(name, "nft", "delete table ip rules")


@case
def reject_ends_both():
    """TCP's bytes meet the rule; at a moved connection the packets at rest do.
    It lets resets through, or the end behind it would hear nothing."""
    keepalive(INTERVAL)
    for moved in (False, True):
        pair = Pair(moved)
        with rule(f"tcp flags & rst == 0x0 tcp dport {pair.ports['b']} "
                  "reject with tcp reset"):
            while not (is_over(pair.a) and is_over(pair.b)):
                for sock in pair.ends.values():
                    with contextlib.suppress(OSError):
                        sock.send(b"x", socket.MSG_DONTWAIT)
                        sock.recv(10, socket.MSG_DONTWAIT)
        for name, sock in pair.ends.items():
            check(heard(sock)[-1] == "EPIPE", f"{name} can still send")


@case
def drop_stops_the_bytes():
    """Until the rule is gone, when all arrive."""
    with contextlib.ExitStack() as stack:
        path.stops_the_bytes(
            lambda: stack.enter_context(rule("ip protocol tcp drop")),
            stack.close)


def goes_on_by_tcp(pair, seconds=1):
    """Does a byte come that TCP brings, within so many seconds?"""
    for sock in pair.ends.values():
        path.to_tcp(sock)
    before = path.segments(pair.a)
    pair.a.sendall(b"?")
    check(path.segments(pair.a) > before, "it went by ring")
    pair.b.settimeout(path.FACTOR * seconds)
    with contextlib.suppress(TimeoutError):
        return pair.b.recv(1) == b"?"
    return False


@case
def tracking_knows_it_meanwhile():
    """A firewall that forgets connections that are silent, and lets nothing in
    that it does not know, still knows one that rests; but not if it is told to
    send no packet."""
    path.run_in("b", "nft", "table ip first { chain c { type filter hook input "
                "priority 0; ct state established accept; }; }")
    for key, value in (("timeout_established", FORGOTTEN), ("loose", 0)):
        path.run_in("b", "sysctl", "-q",
                    f"net.netfilter.nf_conntrack_tcp_{key}={value}")
    with rule("ct state established accept; "
              "tcp flags & (syn | ack) == syn accept; ip protocol tcp drop"):
        for interval in (INTERVAL, 0):
            keepalive(interval)
            pair = Pair(True)
            ping_for(pair, 2 * FORGOTTEN)
            check(pair.on_rings(), "not on rings any more")
            known = goes_on_by_tcp(pair, 15 if interval else 1)
            check(known == bool(interval),
                  f"{'known' if known else 'forgotten'} with packets each "
                  f"{interval} s")


MODPROBE = "/proc/sys/kernel/modprobe"


@case
def tls_that_is_not_there_leaves_it_on_rings():
    """Libraries ask for it on each connection."""
    check(not os.path.exists("/proc/net/tls_stat"), "the kernel has TLS")
    with open(MODPROBE, encoding="ascii") as handle:
        loader = handle.read().strip()
    pair = Pair(True)
    with open(MODPROBE, "w", encoding="ascii") as handle:
        handle.write("/bin/false")
    try:
        for sock in pair.ends.values():
            try:
                sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
                raise path.Failure("there is TLS")
            except FileNotFoundError:
                pass
    finally:
        with open(MODPROBE, "w", encoding="ascii") as handle:
            handle.write(loader)
    check(pair.on_rings(), "it went back for nothing")


if __name__ == "__main__":
    sys.exit(bool(path.main()))
