#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""park.py [NAME...]: streams of AF_XENVMC outlive a suspend of their guest. TAP.

Runs on the sanitizer kernel, with the test build of the module: its knob has the
loopback's channel go as before a suspend and come again, which is a suspend of
both ends at once. Each case is a function; each byte is known by its place.
"""
import contextlib
import ctypes
import errno
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path += [os.path.join(HERE, "..", folder)
             for folder in ("faults", "hook", "netlink")]

# pylint: disable=wrong-import-position
import views  # noqa: E402
import walk  # noqa: E402
from late import Task, Way, asleep  # noqa: E402
from netlink_test import CONN_EVENT, EVENT, Listener, gaps  # noqa: E402
from pair import Checker, check, pattern  # noqa: E402

KNOB = "/sys/module/xenvmc/parameters/loopback"
GONE, THERE, SUSPENDED = "0", "1", "2"
PARK_S = "/proc/sys/net/xenvmc/park_s"
SELF, PORT = 0x7ff0, 7950
FACTOR = float(os.environ.get("XENVMC_DEADLINE_FACTOR", "1"))
DEADLINE = int(60 * FACTOR)
LIBC = ctypes.CDLL(None, use_errno=True)


# ---- the suspend, and what the tool shows ----------------------------------

def channel(state):
    """When this returns it is there, or nothing is left of it."""
    with open(KNOB, "w", encoding="ascii") as knob:
        knob.write(state)


def park_s(seconds):
    with open(PARK_S, "w", encoding="ascii") as file:
        file.write(str(seconds))


def states():
    return sorted(conn["state"] for conn in views.conns()
                  if conn["kind"] == "stream")


def until(cond, what, seen=lambda: ""):
    end = time.monotonic() + DEADLINE / 2
    while not cond():
        check(time.monotonic() < end, f"not in time: {what} {seen()}")
        time.sleep(0.02)


def is_up(conns):
    """Each stream is on rings again, at both ends."""
    until(lambda: states() == ["up"] * 2 * conns, f"{conns} streams are up",
          states)


class Counters:
    """What has been counted since."""

    def __init__(self):
        self.before = walk.stats()

    def more(self, name):
        return walk.stats()[name] - self.before[name]

    def check(self, **wanted):
        for name, value in wanted.items():
            until(lambda n=name, v=value: self.more(n) == v,
                  f"{name}: {self.more(name)}, expected {value}")


# ---- sockets, of which Python knows nothing --------------------------------

def done(ret):
    if ret < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return ret


def stream():
    return socket.socket(walk.AF_XENVMC, socket.SOCK_STREAM)


def listen():
    sock = stream()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    name = walk.named(walk.ANY, PORT)
    done(LIBC.bind(sock.fileno(), name, len(name)))
    sock.listen(512)
    return sock


def dial():
    sock = stream()
    name = walk.named(SELF, PORT)
    try:
        done(LIBC.connect(sock.fileno(), name, len(name)))
    except OSError:
        sock.close()
        raise
    return sock


def accept(listener):
    fd = done(LIBC.accept(listener.fileno(), None, None))
    return socket.socket(walk.AF_XENVMC, socket.SOCK_STREAM, 0, fd)


def connect(listener=None):
    """Both ends of a connection."""
    with listener or listen() as sock:
        client = dial()
        return client, accept(sock)


def would_block(function):
    try:
        function()
    except BlockingIOError:
        return
    raise AssertionError("it did not have to wait")


def is_reset(function, *codes):
    try:
        function()
    except OSError as err:
        check(err.errno in (codes or (errno.ECONNRESET,)), f"{err}")
        return
    raise AssertionError("it was not reset")


def events(sock):
    """What the socket is ready for."""
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLOUT | select.POLLRDHUP)
    return dict(poll.poll(0)).get(sock.fileno(), 0)


CASES = []


def case(function):
    CASES.append(function)
    return function


# ---- bytes -----------------------------------------------------------------

@case
def both_directions_under_load():
    """Suspended again and again, also before all have gone on."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(["stamp", "serve", "xenvmc", "7951"],
                          **pipes) as server:
        server.stdout.readline()
        clients = [subprocess.Popen(["stamp", "run", "xenvmc", str(SELF),
                                     "7951"], **pipes) for _ in range(4)]
        for client in clients:
            client.stdout.readline()
        told = Counters()
        for _ in range(10):
            channel(SUSPENDED)
            channel(THERE)
        until(lambda: told.more("conn_resumed") > 0, "some have gone on")
        is_up(len(clients))
        ends = [client.communicate()[0].splitlines()[-1] for client in clients]
        for end in ends:
            check(end.startswith("end=exact"), end)
        server.communicate()
        check(told.more("violations") == 0, "a violation")


@case
def many_connections_with_unread_bytes():
    listener = listen()
    pairs = []
    for seed in range(100):
        client = dial()
        way = Way(client, accept(listener), seed)
        way.send(500 + seed)
        pairs.append(way)
    listener.close()
    told = Counters()
    channel(SUSPENDED)
    check(states() == ["parked"] * 200, f"{len(states())}: {states()[0]}")
    channel(THERE)
    for way in pairs:
        way.catch_up()
    told.check(conn_parked=200, conn_resumed=200)
    for way in pairs:
        way.send(300)
    for way in pairs:
        way.catch_up()
        way.source.close()
        check(way.target.recv(1) == b"", "the end of the stream")
        way.target.close()


@case
def unread_bytes_can_be_read_while_parked():
    client, server = connect()
    way = Way(client, server, 3)
    way.send(10000)
    channel(SUSPENDED)
    way.recv(3000)
    check(len(server.recv(20000, socket.MSG_PEEK)) == 7000, "a peek")
    channel(THERE)
    is_up(1)
    check(len(server.recv(20000, socket.MSG_PEEK)) == 7000, "the same peek")
    way.catch_up()
    way.send(10000)
    way.catch_up()
    client.close()
    server.close()


@case
def unread_bytes_of_many_suspends_are_bounded():
    """Each time a ring becomes private memory and another one is lent."""
    told = Counters()
    with listen() as listener:
        pairs = [(dial(), accept(listener)) for _ in range(16)]
    for client, _ in pairs:
        client.setblocking(False)
    for _ in range(4):
        for client, _ in pairs:
            with contextlib.suppress(BlockingIOError):
                while client.send(bytes(65536)):
                    pass
        channel(SUSPENDED)
        channel(THERE)
        if told.more("park_full"):
            break
        is_up(len(pairs))
    check(told.more("park_full"), "streams are kept without end")
    for client, server in pairs:
        client.close()
        server.close()


@case
def there_is_room_beside_unread_bytes():
    """Both write before they read, again after each of two suspends."""
    client, server = connect()
    ways = Way(client, server, 8), Way(server, client, 9)
    for way in ways:
        way.send(10000)
    for _ in range(2):
        channel(SUSPENDED)
        channel(THERE)
        is_up(1)
        for way in ways:
            way.source.settimeout(DEADLINE / 2)
            way.send(5000)
    size = len(server.recv(30000, socket.MSG_PEEK | socket.MSG_WAITALL))
    check(10000 <= size <= 20000, f"a peek of {size}")
    for way in ways:
        way.recv(12000)
    channel(SUSPENDED)
    for way in ways:
        way.recv(1000)
    channel(THERE)
    for way in ways:
        way.send(1000)
        way.catch_up()
    client.close()
    check(server.recv(1) == b"", "the end of the stream")
    server.close()


@case
def blocked_writer_goes_on():
    client, server = connect()
    total = 3000000
    writer = Task(lambda: client.sendall(pattern(4, 0, total)))
    asleep(writer)
    got = Checker(4)
    for _ in range(3):
        channel(SUSPENDED)
        channel(THERE)
        got.feed(server.recv(50000))
    while got.offset < total:
        got.feed(server.recv(70000))
    writer.get()
    client.close()
    check(server.recv(1) == b"", "the end of the stream")
    server.close()


@case
def blocked_reader_goes_on():
    client, server = connect()
    reader = Task(lambda: server.recv(100))
    asleep(reader)
    channel(SUSPENDED)
    asleep(reader)
    channel(THERE)
    client.sendall(b"here")
    check(reader.get() == b"here", "the bytes")
    client.close()
    server.close()


# ---- calls while it is parked ----------------------------------------------

@case
def a_parked_socket_is_full_and_empty():
    client, server = connect()
    channel(SUSPENDED)
    would_block(lambda: client.send(b"x", socket.MSG_DONTWAIT))
    would_block(lambda: client.recv(1, socket.MSG_DONTWAIT))
    check(events(client) == 0, f"it is ready: {events(client)}")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO,
                      struct.pack("ll", 0, 50000))
    would_block(lambda: client.send(b"x"))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO,
                      struct.pack("ll", 0, 50000))
    would_block(lambda: client.recv(1))
    poll = Task(lambda: select.select([], [client], [], DEADLINE / 2))
    channel(THERE)
    check(poll.get()[1] == [client], "room was not told of")
    client.sendall(b"room")
    check(server.recv(10) == b"room", "the bytes")
    client.close()
    server.close()


@case
def signals_interrupt_a_parked_call():
    client, server = connect()
    channel(SUSPENDED)
    start = time.monotonic()

    def stop(_signo, _frame):
        raise InterruptedError
    old = signal.signal(signal.SIGUSR1, stop)
    main = threading.main_thread().native_id
    timer = threading.Timer(0.2, lambda: os.kill(os.getpid(),
                                                 signal.SIGUSR1))
    try:
        timer.start()
        client.recv(1)
        check(False, "it returned")
    except InterruptedError:
        check(main and time.monotonic() - start < DEADLINE / 4, "it hung")
    signal.signal(signal.SIGUSR1, old)
    channel(THERE)
    client.close()
    check(server.recv(1) == b"", "the end of the stream")
    server.close()


# ---- ends of streams -------------------------------------------------------

@case
def half_closed_stays_so():
    client, server = connect()
    way, back = Way(client, server, 5), Way(server, client, 6)
    way.send(5000)
    client.shutdown(socket.SHUT_WR)
    channel(SUSPENDED)
    channel(THERE)
    way.catch_up()
    check(server.recv(1) == b"", "the end of the stream")
    back.send(7000)
    back.catch_up()
    channel(SUSPENDED)
    check(server.recv(1) == b"", "the end is read twice")
    channel(THERE)
    back.send(7000)
    back.catch_up()
    server.close()
    check(client.recv(1) == b"", "the other end")
    client.close()


def one_direction_has_ended(client, server):
    check(server.recv(1) == b"", "the end of the stream")
    server.sendall(b"back")
    check(client.recv(10) == b"back", "the other direction")
    client.close()
    server.close()


@case
def an_end_that_was_not_read_stays():
    """No byte is in front of it."""
    client, server = connect()
    client.shutdown(socket.SHUT_WR)
    until(lambda: events(server) & select.POLLRDHUP, "the end has come")
    channel(SUSPENDED)
    check(events(server) & select.POLLRDHUP, "the end is gone")
    channel(THERE)
    one_direction_has_ended(client, server)


@case
def shutdown_while_parked_reaches_the_peer():
    client, server = connect()
    channel(SUSPENDED)
    client.shutdown(socket.SHUT_WR)
    would_block(lambda: server.recv(1, socket.MSG_DONTWAIT))
    channel(THERE)
    one_direction_has_ended(client, server)


@case
def close_while_parked_reaches_the_peer():
    client, server = connect()
    client.sendall(b"last words")
    channel(SUSPENDED)
    client.close()
    check(server.recv(100) == b"last words", "the bytes")
    would_block(lambda: server.recv(1, socket.MSG_DONTWAIT))
    channel(THERE)
    check(server.recv(1) == b"", "the end of the stream")
    server.close()


@case
def close_just_before_reaches_the_peer():
    client, server = connect()
    client.sendall(b"last words")
    client.close()
    channel(SUSPENDED)
    channel(THERE)
    check(server.recv(100) == b"last words", "the bytes")
    check(server.recv(1) == b"", "the end of the stream")
    server.close()


@case
def both_close_while_parked():
    told = Counters()
    client, server = connect()
    channel(SUSPENDED)
    client.close()
    server.close()
    channel(THERE)
    told.check(conn_resumed=2)
    until(lambda: states() == [], "nothing is left")


@case
def close_with_unread_bytes_resets():
    client, server = connect()
    server.sendall(b"nobody reads this")
    channel(SUSPENDED)
    client.close()
    would_block(lambda: server.recv(1, socket.MSG_DONTWAIT))
    channel(THERE)
    is_reset(lambda: server.recv(1))
    server.close()


@case
def an_unaccepted_connection_goes_on():
    with listen() as listener:
        client = dial()
        client.sendall(b"early")
        channel(SUSPENDED)
        channel(THERE)
        server = accept(listener)
    check(server.recv(10) == b"early", "the bytes")
    server.sendall(b"late")
    check(client.recv(10) == b"late", "the other direction")
    client.close()
    server.close()


@case
def connections_made_at_the_moment():
    """Each can be made, now or later, or cannot; those that were carry bytes."""
    listener = listen()
    over = threading.Event()
    made = []

    def serve():
        while True:
            server = accept(listener)
            try:
                data = server.recv(100)
                if data == b"stop":
                    return
                server.sendall(data)
            except ConnectionResetError:
                # connect() had not returned: it asks again
                pass
            server.close()

    def ask():
        while not over.is_set():
            try:
                client = dial()
            except OSError as err:
                check(err.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH),
                      f"connect: {err}")
                continue
            client.sendall(b"hello")
            check(client.recv(10) == b"hello", "the bytes")
            client.close()
            made.append(1)
    server, client = Task(serve), Task(ask)
    for _ in range(20):
        channel(SUSPENDED)
        channel(THERE)
        before = len(made)
        until(lambda b=before: len(made) > b or not
              (client.is_alive() and server.is_alive()),
              "a connection is made", lambda: (len(made), states()))
        check(server.is_alive(), f"who serves has ended: {server.error!r}")
    over.set()
    client.get()
    with dial() as last:
        last.sendall(b"stop")
        server.get()
    listener.close()


@case
def memory_is_short_for_a_moment():
    """At either end, for the connection that goes on: another one is tried."""
    client, server = connect()
    ways = Way(client, server, 11), Way(server, client, 12)
    for nth in (1, 2):
        told = Counters()
        for way in ways:
            way.send(3000)
        channel(SUSPENDED)
        walk.arm(nth, "resume")
        channel(THERE)
        is_up(1)
        walk.arm(0)
        for way in ways:
            way.catch_up()
        told.check(park_no_memory=1, conn_parked=2, conn_resumed=2)
    client.close()
    check(server.recv(1) == b"", "the end of the stream")
    server.close()


class Events:
    """What is told of streams from now on."""

    def __init__(self):
        self.listener = Listener()
        self.found = []

    def told(self):
        return [body[EVENT][:-1].decode() for _, command, body in self.found
                if command == CONN_EVENT]

    def check(self, **wanted):
        """So many of each, no other ones, and none was lost."""
        count = sum(wanted.values())
        until(lambda: self.found.extend(self.listener.events()) or
              len(self.told()) >= count, f"{count} events", self.told)
        told = self.told()
        check({what: told.count(what) for what in told} == wanted, f"{told}")
        check(gaps(self.found) == 0, "events were lost")
        self.found = []


@case
def a_program_that_sees_nothing_is_said_to_see_nothing():
    told = Events()
    client, server = connect()
    told.check(opened=2)
    channel(SUSPENDED)
    told.check(parked=2)
    channel(THERE)
    is_up(1)
    told.check(resumed=2)
    client.close()
    server.close()
    told.check(closed=2)


@case
def a_parked_stream_that_ends_is_said_to_end():
    client, server = connect()
    told = Events()
    channel(SUSPENDED)
    told.check(parked=2)
    park_s(1)
    until(lambda: states() == [], "nothing is parked")
    told.check(closed=2)
    park_s(900)
    channel(THERE)
    client.close()
    server.close()
    client, server = connect()
    told.check(opened=2)
    client.send(b"unread")
    channel(SUSPENDED)
    server.close()
    told.check(parked=2, closed=1)
    client.close()
    channel(THERE)
    told.check(closed=1)


# ---- what does not go on ---------------------------------------------------

@case
def time_is_up():
    told = Counters()
    client, server = connect()
    client.sendall(b"these came")
    reader = Task(lambda: client.recv(1))
    asleep(reader)
    channel(SUSPENDED)
    park_s(1)
    try:
        is_reset(reader.get)
        told.check(park_expired=2, conn_parked=2)
        check(server.recv(100) == b"these came", "the bytes")
        is_reset(lambda: server.recv(1))
    finally:
        park_s(900)
        channel(THERE)
    client.close()
    server.close()


@case
def a_closed_one_does_not_stay_for_ever():
    told = Counters()
    client, server = connect()
    channel(SUSPENDED)
    client.close()
    server.close()
    check(len(states()) == 2, f"{states()}")
    park_s(1)
    told.check(park_expired=2)
    until(lambda: states() == [], "nothing is left")
    park_s(900)
    channel(THERE)


@case
def one_end_is_gone():
    """It has closed so that the peer is reset, or lost patience."""
    told = Counters()
    client, server = connect()
    server.sendall(b"unread")
    channel(SUSPENDED)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                      struct.pack("ii", 1, 0))
    client.close()
    channel(THERE)
    is_reset(lambda: server.recv(1))
    told.check(park_refused=1, conn_resumed=0)
    server.close()


@case
def ends_that_do_not_agree_are_reset():
    """A peer that says that there was a byte more."""
    told = Counters()
    client, server = connect()
    client.sendall(b"these came")
    channel(SUSPENDED)
    walk.arm(1, "position")
    channel(THERE)
    is_reset(lambda: client.recv(1))
    check(server.recv(100) == b"these came", "the bytes")
    is_reset(lambda: server.recv(1))
    walk.arm(0)
    told.check(park_mismatch=1, violations=0)
    client.close()
    server.close()


@case
def nobody_waits_without_a_suspend():
    told = Counters()
    client, server = connect()
    channel(GONE)
    is_reset(lambda: client.recv(1))
    is_reset(lambda: server.recv(1))
    told.check(conn_parked=0)
    channel(THERE)
    client.close()
    server.close()


@case
def nobody_waits_if_told_so():
    told = Counters()
    client, server = connect()
    park_s(0)
    try:
        channel(SUSPENDED)
        is_reset(lambda: client.recv(1))
        is_reset(lambda: server.recv(1))
    finally:
        park_s(900)
        channel(THERE)
    told.check(conn_parked=0)
    client.close()
    server.close()


# ---- the test --------------------------------------------------------------

def hang(_signo, _frame):
    raise TimeoutError(f"no end after {DEADLINE} s")


def main(known):
    names = sys.argv[1:]
    cases = [c for name in names for c in known if c.__name__ == name]
    cases = cases or known
    signal.signal(signal.SIGALRM, hang)
    print(f"TAP version 13\n1..{len(cases)}", flush=True)
    failed = 0
    for number, function in enumerate(cases, 1):
        start = time.monotonic()
        signal.alarm(DEADLINE)
        try:
            function()
            # Nor one that is parked, which a case after this would count
            until(lambda: not walk.connections() and not states(),
                  "no connection is left")
            good = True
        except Exception:  # pylint: disable=broad-except
            print("# " + "\n# ".join(traceback.format_exc().splitlines()))
            good = False
        signal.alarm(0)
        channel(THERE)
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} {function.__name__} "
              f"# time={time.monotonic() - start:.1f}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(CASES))
