# SPDX-License-Identifier: GPL-2.0
"""Cases of carry.py: streams go back from TCP to rings, and something is in the
way."""
import contextlib
import os
import socket
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path += [HERE]

# pylint: disable=wrong-import-position
from apart import (RING, apart, both_ways, close, ends_with,  # noqa: E402
                   fill, limits, lossy, paths, stalled, timer, together,
                   unread)
from park import (SUSPENDED, THERE, Counters, Way, accept,  # noqa: E402
                  channel, check, connect, dial, is_up, listen, pattern,
                  states, until)

CASES = []


def case(function):
    CASES.append(function)
    return function


def parted_in_vain(meet):
    """TCP has tried to bring bytes for a while when @meet is called, while still
    nothing arrives. They are there sooner than by its timer."""
    client, server = connect()
    ways = both_ways(client, server, 1)
    apart()
    with lossy(100):
        for way in ways:
            way.send(3000)
        until(lambda: timer()[0] >= 6, "TCP has tried six times")
        meet()
        waits = timer()[1]
    begin = time.monotonic()
    channel(THERE)
    for way in ways:
        way.catch_up()
    took = time.monotonic() - begin
    check(took < waits / 2, f"took {took:.1f} s, TCP's timer is {waits:.1f} s")
    together()
    close(client)
    ends_with(server)
    close(server)


@case
def what_tcp_owes_comes_at_once():
    """They meet after that."""
    parted_in_vain(lambda: None)


@case
def what_tcp_owes_may_be_lost_once_more():
    """They meet before that."""
    def meet():
        tries = timer()[0]
        channel(THERE)
        until(lambda: timer()[0] >= tries + 2, "TCP tries again and again")
    parted_in_vain(meet)


@case
def a_peer_without_room_is_waited_for():
    """It takes more time to take what TCP has for it than it has to answer a
    stream that TCP has not carried."""
    client, server = connect()
    way = Way(client, server, 22)
    told = Counters()
    apart()
    fill(way)
    with limits(answer=1, unread=RING + 50000):
        channel(THERE)
        until(lambda: states() == ["asked", "parked"], "one end asks", states)
        # That nothing ends is what is tested
        time.sleep(3)
        told.check(park_expired=0)
        way.catch_up()
        is_up(1)
    told.check(park_expired=0, carry_lost=0, conn_resumed=4)
    close(client)
    ends_with(server)
    close(server)


@case
def who_reads_does_not_wait_for_who_does_not():
    """What is kept of a guest is bounded, for all of its streams together."""
    with listen() as listener:
        lazy = Way(dial(), accept(listener), 24)
        busy = both_ways(dial(), accept(listener), 25)
    told = Counters()
    apart(2)
    fill(lazy)
    with limits(unread=RING + 1):
        with lossy(100):
            for way in busy:
                way.send(3000)
            channel(THERE)
            until(lambda: unread(lazy.target) > RING, "all room is taken")
        for _ in range(20):
            for way in busy:
                way.catch_up()
                way.send(500)
        until(lambda: states().count("up") == 2, "one has gone on", states)
        for way in busy:
            way.catch_up()
        lazy.catch_up()
        is_up(2)
    told.check(carry_lost=0)
    for way in (lazy, *busy):
        way.send(100)
        way.catch_up()
    close(lazy.source, lazy.target, busy[0].source, busy[0].target)


@case
def parted_again_before_all_is_there():
    """Of a stream that goes back. One beside it has, and nothing is unread."""
    with listen() as listener:
        way = Way(dial(), accept(listener), 28)
        beside = both_ways(dial(), accept(listener), 29)
    told = Counters()
    apart(2)
    fill(way)
    with limits(unread=RING + 1):
        channel(THERE)
        until(lambda: states() == ["asked", "parked", "up", "up"],
              "one end asks", states)
        until(lambda: unread(way.target) > RING, "all room is taken")
        channel(SUSPENDED)
        # Those before, one for the other stream, one in vain and another one
        until(lambda: told.more("carry_dials") >= 5, "it is tried")
        way.catch_up()
        until(lambda: paths().count("tcp") == 8, "TCP carries both", paths)
        together(2)
    told.check(park_full=0, park_mismatch=0, carry_lost=0)
    for one in (way, *beside):
        one.send(100)
        one.catch_up()
    close(way.source, way.target, beside[0].source, beside[0].target)


@case
def they_meet_just_when_one_goes_on_by_tcp():
    """It does not, though that way is still open: its carrier has said STOP."""
    client, server = connect()
    there, back = both_ways(client, server, 26)
    told = Counters()
    with stalled("pair", 2) as met:
        with stalled("swap") as come:
            channel(SUSPENDED)
            until(come, "one end is about to go on")
            until(lambda: paths() == ["tcp"] * 2, "the other one has", paths)
            channel(THERE)
            until(met, "both are to go back")
            # This makes its carrier look
            there.send(3000)
            there.catch_up()
        # That it does not go on is what is tested
        time.sleep(1)
        with contextlib.suppress(BlockingIOError):
            back.sent += server.send(pattern(back.seed, 0, 1000),
                                     socket.MSG_DONTWAIT)
    is_up(1)
    for way in (there, back):
        way.send(2000)
        way.catch_up()
    told.check(park_mismatch=0, carry_lost=0)
    close(client)
    ends_with(server)
    close(server)
