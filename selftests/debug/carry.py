#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""carry.py [NAME...]: TCP carries streams of AF_XENVMC whose ends are apart. TAP.

Runs on the sanitizer kernel, with the test build of the module. The loopback's
channel goes as before a suspend and stays away: to both ends the other one is
on another host, which the address 127.0.0.1 leads to. When the channel is there
again they have met; back.py has what may be in the way then. Each byte is known
by its place.
"""
import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path += [HERE]

# pylint: disable=wrong-import-position
import back  # noqa: E402
import park  # noqa: E402
from apart import (TCP_PORT, all_is_heard, apart, both_ways,  # noqa: E402
                   close, ends_with, listens, lossy, paths, policy, stalled,
                   tcp_connections, together)
from park import (DEADLINE, SELF, SUSPENDED, THERE, Counters,  # noqa: E402
                  Task, Way, accept, asleep, channel, check, connect, dial,
                  is_reset, is_up, listen, park_s, states, until, walk,
                  would_block)

HELLO = struct.Struct("<HHI8sQQ")
CHALLENGE = struct.Struct("<HHIQQQQ")
ANSWER = struct.Struct("<HHIQQQ")
CASES = []


def case(function):
    CASES.append(function)
    return function


# ---- bytes -----------------------------------------------------------------

@case
def there_and_back_with_bytes_in_each_place():
    """Unread before, sent while apart, unread when they meet."""
    client, server = connect()
    ways = both_ways(client, server, 1)
    told = Counters()
    for size in (100, 7000, 60000):
        for way in ways:
            way.send(size)
        apart()
        for way in ways:
            way.recv(50)
            way.send(2 * size)
            way.recv(size)
        together()
        for way in ways:
            way.send(10)
    for way in ways:
        way.catch_up()
    told.check(conn_carried=6, carry_broken=0, violations=0)
    close(client)
    ends_with(server)
    close(server)


@case
def both_directions_under_load():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(["stamp", "serve", "xenvmc", "7951"],
                          **pipes) as server:
        server.stdout.readline()
        clients = [subprocess.Popen(["stamp", "run", "xenvmc", str(SELF),
                                     "7951"], **pipes) for _ in range(3)]
        for client in clients:
            client.stdout.readline()
        told = Counters()
        for number in range(1, 3):
            channel(SUSPENDED)
            until(lambda n=number: told.more("conn_carried") >= 6 * n,
                  "TCP carries them")
            begun = Counters()
            until(lambda b=begun: b.more("rx_bytes") > 1000000, "bytes move")
            together(len(clients))
        ends = [client.communicate()[0].splitlines()[-1] for client in clients]
        for end in ends:
            check(end.startswith("end=exact"), end)
        server.communicate()
        told.check(violations=0, carry_broken=0)


@case
def many_streams():
    listener = listen()
    pairs = []
    for seed in range(50):
        client = dial()
        pairs.append(both_ways(client, accept(listener), 2 * seed))
    listener.close()
    for number in range(2):
        for ways in pairs:
            for way in ways:
                way.send(500 + way.seed)
        if number:
            channel(THERE)
            is_up(len(pairs))
        else:
            apart(len(pairs))
    for ways in pairs:
        for way in ways:
            way.catch_up()
            way.send(300)
            way.catch_up()
        close(ways[0].source, ways[1].source)


@case
def those_without_a_place_are_not_tried():
    """64 may greet at a time."""
    with listen() as listener:
        pairs = [(dial(), accept(listener)) for _ in range(150)]
    told = Counters()
    begin = time.monotonic()
    apart(len(pairs))
    # A greeting that is slow does not count: another one may begin beside it.
    # The first begins after two seconds, and is tried again after as many
    dials = told.more("carry_dials")
    late = max(0, int(time.monotonic() - begin - 4))
    check(dials < len(pairs) + 30 + 64 * late, f"{dials} were tried")
    together(len(pairs))
    for pair in pairs:
        close(*pair)


@case
def a_blocked_writer_goes_on():
    client, server = connect()
    way = Way(client, server, 4)
    writer = Task(lambda: way.send(8000000))
    asleep(writer)
    apart()
    for _ in range(20):
        way.recv()
    together()
    for _ in range(20):
        way.recv()
    apart()
    while way.got.offset < 8000000:
        way.recv()
    writer.get()
    together()
    close(client)
    ends_with(server)
    close(server)


@case
def both_write_before_they_read():
    """What is on the way when they meet is in nobody's way."""
    client, server = connect()
    ways = both_ways(client, server, 6)
    apart()
    for way in ways:
        way.source.settimeout(0.5)
        try:
            while True:
                before = way.sent
                way.sent += way.source.send(park.pattern(way.seed, before,
                                                         20000))
        except TimeoutError:
            way.source.settimeout(DEADLINE / 2)
    together()
    for way in ways:
        way.send(10000)
    for way in ways:
        way.catch_up()
    close(client, server)


@case
def a_reader_that_waits_is_woken():
    client, server = connect()
    reader = Task(lambda: server.recv(100))
    asleep(reader)
    apart()
    poll = Task(lambda: select.select([client], [], [], DEADLINE / 2))
    asleep(poll)
    client.sendall(b"here")
    check(reader.get() == b"here", "the bytes")
    server.sendall(b"there")
    check(poll.get()[0] == [client], "poll")
    check(client.recv(100, socket.MSG_PEEK) == b"there", "a peek")
    together()
    check(client.recv(100) == b"there", "the same bytes")
    close(client, server)


# ---- ends of streams -------------------------------------------------------

@case
def half_closed_before_they_are_apart():
    client, server = connect()
    ways = both_ways(client, server, 8)
    ways[0].send(5000)
    client.shutdown(socket.SHUT_WR)
    apart(ways=2)
    ways[0].catch_up()
    ends_with(server)
    ways[1].send(7000)
    ways[1].catch_up()
    channel(THERE)
    is_up(1)
    ways[1].send(7000)
    ways[1].catch_up()
    close(server)
    ends_with(client)
    close(client)


@case
def half_closed_while_they_are_apart():
    client, server = connect()
    ways = both_ways(client, server, 10)
    apart()
    ways[0].send(5000)
    client.shutdown(socket.SHUT_WR)
    ways[0].catch_up()
    ends_with(server)
    ways[1].send(5000)
    channel(THERE)
    is_up(1)
    ways[1].catch_up()
    ways[1].send(5000)
    ways[1].catch_up()
    close(server)
    ends_with(client)
    close(client)


@case
def shutdown_in_front_of_tcp():
    """When nobody carries it yet: the end follows the bytes."""
    client, server = connect()
    client.sendall(b"last words")
    channel(SUSPENDED)
    client.shutdown(socket.SHUT_WR)
    check(server.recv(100) == b"last words", "the bytes")
    ends_with(server)
    server.sendall(b"back")
    check(client.recv(100) == b"back", "the other direction")
    close(client, server)
    channel(THERE)


@case
def half_closed_end_closes_while_apart():
    """The other one, which still writes, is told."""
    client, server = connect()
    client.shutdown(socket.SHUT_WR)
    ends_with(server)
    apart(ways=2)
    server.sendall(bytes(3000))
    check(len(client.recv(3000, socket.MSG_WAITALL)) == 3000, "the bytes")
    close(client)

    def told():
        try:
            server.send(b"x")
        except (BrokenPipeError, ConnectionResetError):
            return True
        return False
    until(told, "the writer is told")
    close(server)
    until(lambda: not tcp_connections(), "no TCP is left")


@case
def close_reaches_the_other_host():
    client, server = connect()
    apart()
    client.sendall(b"last words")
    close(client)
    check(server.recv(100) == b"last words", "the bytes")
    ends_with(server)
    server.send(b"x")
    close(server)
    until(lambda: states() == [], "nothing is left", states)
    until(lambda: not tcp_connections(), "no TCP is left")


@case
def close_while_nobody_carries_it():
    client, server = connect()
    client.sendall(b"last words")
    channel(SUSPENDED)
    close(client)
    check(server.recv(100) == b"last words", "the bytes")
    ends_with(server)
    close(server)
    until(lambda: states() == [], "nothing is left", states)


@case
def close_reaches_an_end_that_has_not_answered_yet():
    """It was closed before: its last word is right behind the greeting."""
    for _ in range(3):
        client, server = connect()
        with stalled("door") as come:
            channel(SUSPENDED)
            close(client)
            until(come, "the end that listens is about to answer its stream")
            until(lambda: len(states()) == 1 and all_is_heard(),
                  "the last word has come", states)
        server.settimeout(DEADLINE / 2)
        ends_with(server)
        close(server)
        until(lambda: states() == [], "nothing is left", states)
        channel(THERE)


@case
def close_with_unread_bytes_resets():
    client, server = connect()
    apart()
    server.sendall(b"nobody reads this")
    until(lambda: select.select([client], [], [], 0)[0], "they came")
    close(client)
    is_reset(lambda: server.recv(1))
    close(server)


@case
def closed_just_as_they_meet():
    for close_first in (True, False):
        client, server = connect()
        apart()
        client.sendall(b"last words")
        if close_first:
            close(client)
        channel(THERE)
        if not close_first:
            close(client)
        check(server.recv(100) == b"last words", "the bytes")
        ends_with(server)
        close(server)


@case
def last_words_are_said_again():
    """The network loses them, and whoever said them has gone on."""
    listener = listen()
    pairs = []
    for seed in range(20):
        client = dial()
        pairs.append(both_ways(client, accept(listener), 2 * seed))
    listener.close()
    apart(len(pairs))
    with lossy(40):
        for one, other in pairs[:10]:
            close(one.source)
            ends_with(other.source)
            close(other.source)
        channel(THERE)
    # With each loss TCP waits for twice as long: that many may take minutes
    is_up(len(pairs) - 10)
    until(lambda: not tcp_connections(), "TCP is over")
    for ways in pairs[10:]:
        for way in ways:
            way.send(300)
            way.catch_up()
        close(ways[0].source, ways[1].source)


# ---- what goes wrong -------------------------------------------------------

@case
def tcp_is_killed():
    told = Counters()
    client, server = connect()
    apart()
    client.sendall(b"these may be lost")
    reader = Task(lambda: client.recv(1))
    asleep(reader)
    subprocess.run(["ss", "-K", "dport", f"= :{TCP_PORT}"], check=True,
                   stdout=subprocess.DEVNULL)
    is_reset(reader.get)

    def read_on():
        while server.recv(100):
            pass
    is_reset(read_on)
    until(lambda: told.more("carry_broken") >= 1, "it is counted")
    channel(THERE)
    told.check(conn_resumed=2)
    close(client, server)


@case
def ends_that_do_not_agree_are_reset():
    told = Counters()
    client, server = connect()
    client.sendall(b"these came")
    channel(SUSPENDED)
    walk.arm(1, "position")
    is_reset(lambda: client.recv(1))
    check(server.recv(100) == b"these came", "the bytes")
    is_reset(lambda: server.recv(1))
    walk.arm(0)
    told.check(park_mismatch=2, conn_carried=0)
    channel(THERE)
    close(client, server)


def memory_is_short(ways, nth, site):
    """The nth call at @site fails when the ends are parted, and no byte."""
    walk.arm(nth, site)
    apart()
    check(walk.calls()[site] >= nth, f"{site} did not fail")
    walk.arm(0)
    for way in ways:
        way.send(1000)
        way.catch_up()
    together()


@case
def memory_is_short_for_a_moment():
    """At either end, for the carrier or for what its bytes go through."""
    client, server = connect()
    ways = both_ways(client, server, 14)
    for nth, site in ((1, "carrier"), (5, "carrier"), (6, "carrier"),
                      (2, "chan"), (1, "grant")):
        memory_is_short(ways, nth, site)
    close(client, server)


@case
def numbers_are_short_for_a_moment():
    """For the connection of either end, or for the carrier's end of it."""
    client, server = connect()
    ways = both_ways(client, server, 15)
    for nth in range(1, 5):
        memory_is_short(ways, nth, "conn_id")
    close(client, server)


@case
def policy_forbids_it():
    told = Counters()
    client, server = connect()
    policy(False)
    try:
        channel(SUSPENDED)
        # The silence is what is tested, not waited with
        time.sleep(4)
        check(told.more("carry_dials") == 0 and not listens(), "it was tried")
        would_block(lambda: client.send(b"x", socket.MSG_DONTWAIT))
    finally:
        policy(True)
    until(lambda: paths().count("tcp") == 4, "allowed again", paths)
    client.sendall(b"through")
    check(server.recv(100) == b"through", "the bytes")
    together()
    close(client, server)


@case
def no_way_there_is_a_reset_in_time():
    told = Counters()
    client, server = connect()
    subprocess.run(["ip", "link", "set", "lo", "down"], check=True)
    try:
        channel(SUSPENDED)
        park_s(5)
        is_reset(lambda: client.recv(1))
        is_reset(lambda: server.recv(1))
        told.check(park_expired=2, conn_carried=0)
    finally:
        park_s(900)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    channel(THERE)
    close(client, server)


@case
def the_port_is_open_while_one_waits():
    # The case before has had one that waited
    until(lambda: not listens(), "no port is open")
    client, server = connect()
    check(not listens(), "a port is open")
    apart()
    until(lambda: not listens(), "the port is closed")
    together()
    close(client, server)


# ---- a network that means ill ----------------------------------------------

def stranger():
    return socket.create_connection(("127.0.0.1", TCP_PORT), DEADLINE / 2)


def is_refused(sock):
    """Without a word: the end, or a reset."""
    sock.settimeout(DEADLINE / 2)
    try:
        check(sock.recv(100) == b"", "it was answered")
    except ConnectionResetError:
        pass
    sock.close()


def lonely():
    """An end that was accepted and waits, whose other end does so no more."""
    client, server = connect()
    channel(SUSPENDED)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                      struct.pack("ii", 1, 0))
    close(client)
    until(listens, "the port is open")
    return server


def give_up(server):
    park_s(1)
    is_reset(lambda: server.recv(1))
    park_s(900)
    close(server)
    channel(THERE)


@case
def strangers_get_nothing():
    told = Counters()
    server = lonely()
    for lie in (b"GET / HTTP/1.0\r\n\r\n", os.urandom(200), b"\xff" * 100,
                struct.pack("<HHI", 0, 4, 0), struct.pack("<HHI", 8192, 5, 0),
                struct.pack("<HHI", 0, 6, 0), struct.pack("<HHI", 0, 9, 0),
                struct.pack("<HHI", 24, 1, 1) + bytes(24),
                struct.pack("<HHI", 25, 1, 0) + bytes(25),
                HELLO.pack(24, 1, 0, b"XenVMC-2", 1, 2),
                HELLO.pack(24, 1, 0, b"XenVMC-1", 1, 2)):
        sock = stranger()
        sock.sendall(lie)
        is_refused(sock)
    told.check(conn_carried=0, park_refused=0, carry_lost=0)
    give_up(server)


@case
def who_knows_the_name_is_not_the_other_end():
    """It was overheard. Neither end takes a proof that is none, or its own."""
    told = Counters()
    client, server = connect()
    # The last case's goes with a tick of the clock, not with its connection
    until(lambda: not listens(), "the port is closed")
    with socket.create_server(("127.0.0.1", TCP_PORT)) as false:
        false.settimeout(DEADLINE / 2)
        channel(SUSPENDED)
        sock = false.accept()[0]
        words = HELLO.unpack(sock.recv(HELLO.size, socket.MSG_WAITALL))
        check(words[:4] == (24, 1, 0, b"XenVMC-1"), f"{words}")
        sock.sendall(CHALLENGE.pack(32, 2, 0, 5, 0, 0, 7))
        is_refused(sock)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                          struct.pack("ii", 1, 0))
        close(client)
    until(listens, "the port is open")
    for proof in (None, 0):
        sock = stranger()
        sock.sendall(HELLO.pack(24, 1, 0, b"XenVMC-1", words[4], 3))
        sock.settimeout(DEADLINE / 2)
        said = CHALLENGE.unpack(sock.recv(CHALLENGE.size, socket.MSG_WAITALL))
        check(said[:3] == (32, 2, 0), f"{said}")
        sock.sendall(ANSWER.pack(24, 3, 0, said[5], said[4],
                                 said[6] if proof is None else proof))
        is_refused(sock)
    told.check(conn_carried=0, park_mismatch=0)
    give_up(server)


def accepted():
    """States of the module's own ends, once somebody has connected."""
    told = subprocess.run(["ss", "-Htan", f"sport = :{TCP_PORT}"], check=True,
                          capture_output=True, text=True).stdout
    return [line.split()[0] for line in told.splitlines()
            if line.split()[0] not in ("LISTEN", "TIME-WAIT")]


@case
def nothing_is_left_of_one_whose_end_is_not_heard():
    """The network loses all when a stranger's time is up. TCP of the kernel's
    own says nothing again."""
    server = lonely()
    sock = stranger()
    until(lambda: accepted() == ["ESTAB"], "it is heard", accepted)
    with lossy(100):
        until(lambda: accepted() != ["ESTAB"], "its time is up", accepted)
    until(lambda: not accepted(), "nothing is left", accepted)
    sock.close()
    give_up(server)


@case
def silent_strangers_do_not_pile_up():
    """64 may be silent for ten seconds, and the others are sent away."""
    client, server = connect()
    lone = lonely()
    begin = time.monotonic()
    silent = [stranger() for _ in range(64)]
    for _ in range(5):
        # A reset may be as early as that
        with contextlib.suppress(ConnectionResetError):
            is_refused(stranger())
    first = select.select(silent[:1], [], [], 0)[0]
    check(not first or time.monotonic() > begin + 9, "the first one, too")
    for sock in silent:
        is_refused(sock)
    until(lambda: paths().count("tcp") == 4, "TCP carries it", paths)
    client.sendall(b"through")
    check(server.recv(100) == b"through", "the bytes")
    together()
    close(client, server)
    is_reset(lambda: lone.recv(1))
    close(lone)


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, park.hang)
    sys.exit(park.main(CASES + back.CASES))
