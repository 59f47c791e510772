#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Pair tests: plain TCP programs at two ends, byte-exact, hook or no hook.

A case is a pair of functions, one for each end of a TCP connection. The server
end runs on one machine (or in one network namespace), the client end on the
other; a second connection, which each case uses once, tells the server which
case comes and brings its verdict back. All is over IPv6 if ADDRESS is of IPv6.
Nothing here knows of XenVMC but the options --moved and --stays, which have the
client check that bytes went over rings, or that none did, and why.

  pair.py serve [--port N]
  pair.py run ADDRESS [--port N] [--moved|--stays REASON] [--only NAME...]
"""
import argparse
import array
import errno
import fcntl
import functools
import json
import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import traceback

PORT = 7700
FACTOR = float(os.environ.get("XENVMC_DEADLINE_FACTOR", "1"))
DEADLINE = int(60 * FACTOR)
MIB = 1 << 20
BULK = int(os.environ.get("XENVMC_TEST_BULK", str(6 * MIB)))


def set_bulk(size):
    """Both ends must mean the same: the client end says it."""
    globals()["BULK"] = size


class Failure(Exception):
    """What the case asserts is not so."""


def check(cond, text):
    if not cond:
        raise Failure(text)


# ---- the stream: any byte can be computed from its offset ------------------

@functools.lru_cache(maxsize=64)
def block(seed, k):
    """1 MiB; blocks differ, so that none can stand for another."""
    return random.Random(seed * 1000003 + k).randbytes(MIB)


def pattern(seed, offset, size):
    parts = []
    while size:
        k, at = divmod(offset, MIB)
        n = min(size, MIB - at)
        parts.append(block(seed, k)[at:at + n])
        offset += n
        size -= n
    return b"".join(parts)


def sizes(seed, total, most=100000):
    """Odd sizes that add up to total."""
    rnd = random.Random(seed)
    while total:
        n = min(total, rnd.choice((1, 7, 100, 1448, 4096, 65536, most)))
        yield n
        total -= n


class Checker:
    """Compares what comes with what was to come."""

    def __init__(self, seed):
        self.seed = seed
        self.offset = 0

    def feed(self, data):
        want = pattern(self.seed, self.offset, len(data))
        if data != want:
            at = next(i for i in range(len(data)) if data[i] != want[i])
            raise Failure(f"byte {self.offset + at} is wrong")
        self.offset += len(data)


def send_pattern(sock, seed, total, start=0):
    offset = start
    for n in sizes(seed, total):
        sock.sendall(pattern(seed, offset, n))
        offset += n


def recv_pattern(sock, seed, total, most=70000):
    got = Checker(seed)
    rnd = random.Random(seed + 1)
    while got.offset < total:
        data = sock.recv(min(total - got.offset, rnd.choice((1, 500, most))))
        check(data, f"end of stream after {got.offset} of {total} bytes")
        got.feed(data)


def recv_to_end(sock, seed):
    got = Checker(seed)
    while True:
        data = sock.recv(70000)
        if not data:
            return got.offset
        got.feed(data)


def recv_exact(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        check(more, "unexpected end of stream")
        data += more
    return data


def both(*functions):
    """Runs the functions side by side; the first failure is raised."""
    failures = []

    def guard(function):
        try:
            function()
        except BaseException as err:    # also Failure: told to the caller
            failures.append(err)

    threads = [threading.Thread(target=guard, args=(f,)) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def fionread(sock, request=termios.FIONREAD):
    buf = array.array("i", [0])
    fcntl.ioctl(sock, request, buf)
    return buf[0]


# ---- cases -----------------------------------------------------------------

CASES = {}


class Case:
    def __init__(self, name, client, server, moved, listen):
        self.name, self.client, self.server = name, client, server
        self.moved, self.listen = moved, listen


def case(moved=True, listen=None):
    """The class holds client() and server(); its name is the case's."""
    def register(cls):
        CASES[cls.__name__] = Case(cls.__name__, cls.client, cls.server,
                                   moved, listen)
        return cls
    return register


@case()
class bulk_to_server_is_exact:
    def client(sock):
        send_pattern(sock, 1, BULK)

    def server(sock):
        check(recv_to_end(sock, 1) == BULK, "short stream")


@case()
class bulk_to_client_is_exact:
    def client(sock):
        check(recv_to_end(sock, 2) == BULK, "short stream")

    def server(sock):
        send_pattern(sock, 2, BULK)


@case()
class both_directions_at_once_are_exact:
    def client(sock):
        both(lambda: send_pattern(sock, 3, BULK // 2),
             lambda: recv_pattern(sock, 4, BULK // 2))

    def server(sock):
        both(lambda: send_pattern(sock, 4, BULK // 2),
             lambda: recv_pattern(sock, 3, BULK // 2))


@case()
class ping_pong_of_one_byte:
    ROUNDS = 400

    def client(sock):
        for i in range(ping_pong_of_one_byte.ROUNDS):
            sock.sendall(bytes([i & 255]))
            check(sock.recv(10) == bytes([i & 255]), f"round {i}")

    def server(sock):
        for _ in range(ping_pong_of_one_byte.ROUNDS):
            sock.sendall(recv_exact(sock, 1))


@case()
class ping_pong_with_busy_poll:
    """A reader that looks before it sleeps."""
    SO_BUSY_POLL = 46
    USEC = 5000

    def look(sock):
        case_ = ping_pong_with_busy_poll
        sock.setsockopt(socket.SOL_SOCKET, case_.SO_BUSY_POLL, case_.USEC)

    def client(sock):
        ping_pong_with_busy_poll.look(sock)
        ping_pong_of_one_byte.client(sock)

    def server(sock):
        ping_pong_with_busy_poll.look(sock)
        ping_pong_of_one_byte.server(sock)


@case()
class large_single_write_while_upgrading:
    def client(sock):
        sock.sendall(pattern(5, 0, BULK))

    def server(sock):
        check(recv_to_end(sock, 5) == BULK, "short stream")


@case()
class vectors_and_messages:
    COUNT = 300

    def client(sock):
        offset = 0
        for i in range(vectors_and_messages.COUNT):
            parts = [pattern(6, offset, 10), pattern(6, offset + 10, 3000 + i)]
            size = len(parts[0]) + len(parts[1])
            if i % 2:
                sent = sock.sendmsg(parts)
            else:
                sent = os.writev(sock.fileno(), parts)
            if sent < size:
                sock.sendall(pattern(6, offset + sent, size - sent))
            offset += size
        sock.shutdown(socket.SHUT_WR)
        check(sock.recv(1) == b"", "no end of stream")

    def server(sock):
        got = Checker(6)
        bufs = [bytearray(100), bytearray(5000)]
        turn = 0
        while True:
            turn += 1
            if turn % 2:
                n = os.readv(sock.fileno(), bufs)
            else:
                n = sock.recvmsg_into(bufs)[0]
            if not n:
                break
            got.feed((bytes(bufs[0]) + bytes(bufs[1]))[:n])
        want = sum(3010 + i for i in range(vectors_and_messages.COUNT))
        check(got.offset == want, f"{got.offset} bytes instead of {want}")


@case()
class sendfile_and_splice:
    SIZE = 2 * MIB + 4321

    def client(sock):
        size = sendfile_and_splice.SIZE
        with tempfile.TemporaryFile() as file:
            file.write(pattern(7, 0, size))
            file.flush()
            done = 0
            while done < size:
                done += os.sendfile(sock.fileno(), file.fileno(), done,
                                    min(90000, size - done))
                # By turns: neither may take a way on which it overtakes
                part = pattern(7, done, min(777, size - done))
                sock.sendall(part)
                done += len(part)
        sock.shutdown(socket.SHUT_WR)
        check(recv_exact(sock, 2) == b"ok", "answer")

    def server(sock):
        got = Checker(7)
        rd, wr = os.pipe()
        while True:
            n = os.splice(sock.fileno(), wr, 60000)
            if not n:
                break
            while n:
                data = os.read(rd, n)
                got.feed(data)
                n -= len(data)
        os.close(rd)
        os.close(wr)
        check(got.offset == sendfile_and_splice.SIZE, "short stream")
        sock.sendall(b"ok")


def epoll_exchange(sock, out_seed, in_seed, total, edge):
    """Both directions on one non-blocking socket."""
    sock.setblocking(False)
    poll = select.epoll()
    flags = select.EPOLLIN | select.EPOLLOUT | (select.EPOLLET if edge else 0)
    poll.register(sock, flags)
    got, sent = Checker(in_seed), 0
    rnd = random.Random(out_seed)
    while got.offset < total or sent < total:
        if not edge and sent == total:
            poll.modify(sock, select.EPOLLIN)
        events = poll.poll(DEADLINE)
        check(events, f"no event: sent {sent}, received {got.offset}")
        while sent < total:
            n = min(total - sent, rnd.choice((3, 2000, 50000)))
            try:
                sent += sock.send(pattern(out_seed, sent, n))
            except BlockingIOError:
                break
        while got.offset < total:
            try:
                data = sock.recv(40000)
            except BlockingIOError:
                break
            check(data, "unexpected end of stream")
            got.feed(data)
    sock.setblocking(True)
    sock.shutdown(socket.SHUT_WR)
    sock.settimeout(DEADLINE)
    check(sock.recv(1) == b"", "bytes behind the stream")


@case()
class epoll_level_triggered:
    def client(sock):
        epoll_exchange(sock, 8, 9, 2 * MIB, False)

    def server(sock):
        epoll_exchange(sock, 9, 8, 2 * MIB, False)


@case()
class epoll_edge_triggered:
    def client(sock):
        epoll_exchange(sock, 10, 11, 2 * MIB, True)

    def server(sock):
        epoll_exchange(sock, 11, 10, 2 * MIB, True)


@case()
class poll_and_select_ping_pong:
    ROUNDS = 60

    def client(sock):
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        for i in range(poll_and_select_ping_pong.ROUNDS):
            sock.sendall(b"ping")
            if i % 2:
                check(poll.poll(DEADLINE * 1000), f"poll, round {i}")
            else:
                check(select.select([sock], [], [], DEADLINE)[0],
                      f"select, round {i}")
            check(recv_exact(sock, 4) == b"pong", "answer")
            check(not select.select([sock], [], [], 0)[0], "still readable")
            check(select.select([], [sock], [], 0)[1], "not writable")
        sock.shutdown(socket.SHUT_WR)

    def server(sock):
        for _ in range(poll_and_select_ping_pong.ROUNDS):
            recv_exact(sock, 4)
            sock.sendall(b"pong")
        check(sock.recv(1) == b"", "no end of stream")


@case()
class half_close_both_ways:
    def client(sock):
        send_pattern(sock, 12, MIB)
        sock.shutdown(socket.SHUT_WR)
        check(recv_to_end(sock, 13) == MIB, "short answer")

    def server(sock):
        check(recv_to_end(sock, 12) == MIB, "short request")
        send_pattern(sock, 13, MIB)


@case(moved=False)
class close_with_unread_bytes_resets:
    def client(sock):
        recv_exact(sock, 1)
        sock.sendall(pattern(14, 0, 5000))
        check(recv_exact(sock, 1) == b"g", "go")
        try:
            check(sock.recv(1) == b"", "bytes after close")
            sock.sendall(b"x" * 10)
            sock.recv(1)
            raise Failure("neither reset nor end of stream")
        except (ConnectionResetError, BrokenPipeError):
            pass

    def server(sock):
        sock.sendall(b"1")
        check(recv_exact(sock, 1) == pattern(14, 0, 1), "first byte")
        sock.sendall(b"g")


@case(moved=False)
class write_after_close_of_the_peer_fails:
    def client(sock):
        ping(sock)
        check(sock.recv(1) == b"", "end of stream")
        try:
            while True:
                sock.sendall(b"x" * 1000)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def server(sock):
        pong(sock)


@case(moved=False)
class linger_zero_resets:
    def client(sock):
        ping(sock)
        try:
            check(sock.recv(1) == b"", "byte")
            raise Failure("end of stream instead of reset")
        except ConnectionResetError:
            pass

    def server(sock):
        pong(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack("ii", 1, 0))


def ping(sock, rounds=20):
    for _ in range(rounds):
        sock.sendall(b"?")
        check(recv_exact(sock, 1) == b"!", "answer")


def pong(sock, rounds=20):
    for _ in range(rounds):
        check(recv_exact(sock, 1) == b"?", "question")
        sock.sendall(b"!")


@case()
class peek_waitall_lowat_timeout_ioctl:
    def client(sock):
        ping(sock)
        sock.sendall(b"0123456789")
        recv_exact(sock, 1)
        sock.sendall(b"abc")
        recv_exact(sock, 1)
        sock.sendall(b"de" + b"f" * 1000)
        recv_exact(sock, 1)
        sock.sendall(b"L")
        recv_exact(sock, 1)
        sock.sendall(b"MN")
        check(recv_exact(sock, 2) == b"ok", "verdict")
        while fionread(sock, termios.TIOCOUTQ):     # until the deadline
            pass

    def server(sock):
        pong(sock)
        check(sock.recv(4, socket.MSG_PEEK | socket.MSG_WAITALL) == b"0123",
              "peek")
        check(sock.recv(10, socket.MSG_WAITALL) == b"0123456789", "waitall")
        check(fionread(sock) == 0, "nothing is left")
        try:
            sock.recv(1, socket.MSG_DONTWAIT)
            raise Failure("a byte from nowhere")
        except BlockingIOError:
            pass
        sock.sendall(b"1")
        check(sock.recv(1, socket.MSG_PEEK) == b"a", "peek one")
        check(recv_exact(sock, 3) == b"abc", "abc")
        sock.sendall(b"2")
        check(sock.recv(1002, socket.MSG_WAITALL) == b"de" + b"f" * 1000,
              "waitall in two parts")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO,
                        struct.pack("ll", 0, 50000))
        try:
            sock.recv(1)
            raise Failure("no timeout")
        except BlockingIOError:
            pass
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO,
                        struct.pack("ll", 0, 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 3)
        sock.sendall(b"3")
        while fionread(sock) < 1:       # under the deadline of the case
            pass
        check(not select.select([sock], [], [], 0)[0], "readable below lowat")
        sock.sendall(b"4")
        check(select.select([sock], [], [], DEADLINE)[0], "not readable")
        check(sock.recv(100) == b"LMN", "three bytes at once")
        sock.sendall(b"ok")


@case()
class low_water_mark_across_the_move:
    """The mark counts what TCP brought and what the ring brought together."""
    ROUNDS = 60

    def client(sock):
        port, = struct.unpack("!H", recv_exact(sock, 2))
        peer = (sock.getpeername()[0], port)
        for _ in range(low_water_mark_across_the_move.ROUNDS):
            with socket.create_connection(peer, DEADLINE) as other:
                other.setsockopt(socket.SOL_TCP, socket.TCP_NODELAY, 1)
                for _ in range(3):
                    other.sendall(b"a" * 60)
                    other.sendall(b"b" * 50)
                    check(recv_exact(other, 1) == b".", "answer")

    def server(sock):
        with socket.create_server(("", 0), family=sock.family) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 100)
            sock.sendall(struct.pack("!H", listener.getsockname()[1]))
            for _ in range(low_water_mark_across_the_move.ROUNDS):
                with listener.accept()[0] as other:
                    for _ in range(3):
                        low_water_mark_across_the_move.answer(other)

    def answer(sock):
        ready = select.select([sock], [], [], DEADLINE / 2)[0]
        check(ready, f"{fionread(sock)} bytes wait above the mark")
        data = recv_exact(sock, 110)
        check(data == b"a" * 60 + b"b" * 50, "other bytes")
        sock.sendall(b".")


@case()
class urgent_byte_falls_back:
    def client(sock):
        ping(sock)
        sock.sendall(b"before")
        sock.send(b"U", socket.MSG_OOB)
        sock.sendall(b"after")
        sock.shutdown(socket.SHUT_WR)
        check(recv_exact(sock, 2) == b"ok", "verdict")

    def server(sock):
        pong(sock)
        check(recv_exact(sock, 6) == b"before", "bytes before the mark")
        poll = select.poll()
        poll.register(sock, select.POLLPRI)
        check(poll.poll(DEADLINE * 1000), "no POLLPRI")
        check(sock.recv(1, socket.MSG_OOB) == b"U", "urgent byte")
        check(recv_exact(sock, 5) == b"after", "bytes behind the mark")
        check(sock.recv(1) == b"", "no end of stream")
        sock.sendall(b"ok")


TCP_INQ = 36


@case()
class option_takes_the_stream_back_exactly:
    def client(sock):
        both(lambda: send_pattern(sock, 15, BULK),
             lambda: recv_pattern(sock, 16, MIB))

    def server(sock):
        def read():
            got = Checker(15)
            while got.offset < BULK:
                if got.offset > BULK // 2 and not read.done:
                    sock.setsockopt(socket.IPPROTO_TCP, TCP_INQ, 1)
                    sock.setsockopt(socket.IPPROTO_TCP, TCP_INQ, 0)
                    read.done = True
                data = sock.recv(30000)
                check(data, "end of stream")
                got.feed(data)
        read.done = False
        both(read, lambda: send_pattern(sock, 16, MIB))


@case()
class nothing_to_read_where_a_ring_has_ended:
    """Whoever takes its end back to TCP says nothing to the other program."""
    QUIET = 0.5

    def client(sock):
        ping(sock)
        sock.sendall(b"ring")
        sock.setsockopt(socket.IPPROTO_TCP, TCP_INQ, 1)
        check(recv_exact(sock, 2) == b"ok", "verdict")
        sock.sendall(b"tcp")
        check(recv_exact(sock, 2) == b"ok", "verdict")

    def server(sock):
        pong(sock)
        check(recv_exact(sock, 4) == b"ring", "bytes of the ring")
        quiet = nothing_to_read_where_a_ring_has_ended.QUIET
        check(not select.select([sock], [], [], quiet)[0], "still readable")
        sock.sendall(b"ok")
        check(recv_exact(sock, 3) == b"tcp", "bytes of TCP")
        sock.sendall(b"ok")


@case()
class peek_waits_for_all:
    """MSG_PEEK with MSG_WAITALL sees what comes later, on whichever way."""
    ROUNDS = 30

    def client(sock):
        ping(sock)
        for _ in range(peek_waits_for_all.ROUNDS):
            sock.sendall(b"0123")
            check(recv_exact(sock, 1) == b".", "answer")
            sock.sendall(b"45")
            sock.sendall(b"67")
            check(recv_exact(sock, 1) == b"!", "answer")

    def server(sock):
        pong(sock)
        for _ in range(peek_waits_for_all.ROUNDS):
            check(sock.recv(4, socket.MSG_PEEK | socket.MSG_WAITALL) == b"0123",
                  "the first bytes")
            seen = []
            peek = threading.Thread(target=lambda s=seen: s.append(sock.recv(
                8, socket.MSG_PEEK | socket.MSG_WAITALL)))
            peek.start()
            sock.sendall(b".")
            peek.join()
            check(seen == [b"01234567"], f"peeked {seen}")
            # Fewer than there are, so that a ring may end in the middle
            check(recv_exact(sock, 3) == b"012", "bytes")
            check(sock.recv(5, socket.MSG_PEEK) == b"34567", "the rest")
            check(recv_exact(sock, 5) == b"34567", "bytes")
            sock.sendall(b"!")


@case()
class slow_reader_blocks_the_writer:
    def client(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO,
                        struct.pack("ll", 0, 100000))
        sent, blocked = 0, False
        while not blocked:
            try:
                sent += sock.send(pattern(17, sent, 40000))
            except BlockingIOError:
                blocked = True
            check(sent < 64 * MIB, "the writer never blocks")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO,
                        struct.pack("ll", 0, 0))
        control_send(sock.control, sent)
        send_pattern(sock, 17, MIB, start=sent)
        check(recv_exact(sock, 2) == b"ok", "verdict")

    def server(sock):
        sent = control_recv(sock.control)
        recv_pattern(sock, 17, sent + MIB)
        sock.sendall(b"ok")


@case()
class dual_stack_listener:
    def client(sock):
        send_pattern(sock, 18, MIB)
        sock.shutdown(socket.SHUT_WR)
        check(recv_to_end(sock, 19) == MIB, "short stream")

    def server(sock):
        check(sock.family == socket.AF_INET6, "not an IPv6 socket")
        check(recv_to_end(sock, 18) == MIB, "short stream")
        send_pattern(sock, 19, MIB)


dual_stack = CASES["dual_stack_listener"]
dual_stack.listen = socket.AF_INET6


@case()
class killed_sender_leaves_a_prefix:
    def client(sock):
        got = Checker(20)
        try:
            while True:
                data = sock.recv(50000)
                if not data:
                    break
                got.feed(data)
                if got.offset > MIB and not getattr(sock, "told", None):
                    sock.told = True
                    control_send(sock.control, "kill")
        except ConnectionResetError:
            pass
        check(got.offset > MIB, "too few bytes")

    def server(sock):
        pid = os.fork()
        if not pid:
            offset = 0
            while True:
                sock.sendall(pattern(20, offset, 30000))
                offset += 30000
        sock.close()
        try:
            check(control_recv(sock.control) == "kill", "signal")
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@case()
class killed_reader_is_noticed_by_the_writer:
    def client(sock):
        offset = 0
        try:
            while True:
                sock.sendall(pattern(21, offset, 30000))
                offset += 30000
                if offset > 2 * MIB and not getattr(sock, "told", None):
                    sock.told = True
                    control_send(sock.control, "kill")
        except (BrokenPipeError, ConnectionResetError):
            pass

    def server(sock):
        pid = os.fork()
        if not pid:
            while sock.recv(50000):
                pass
            os._exit(0)
        sock.close()
        try:
            check(control_recv(sock.control) == "kill", "signal")
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@case()
class many_connections_at_once:
    COUNT = 60
    SIZE = 50000

    def client(sock):
        address = sock.getpeername()[:2]
        socks = [socket.create_connection(address, DEADLINE)
                 for _ in range(many_connections_at_once.COUNT)]

        for seed in range(4):
            block(seed, 0)

        def one(i):
            socks[i].sendall(bytes([i % 4]))
            send_pattern(socks[i], i % 4, many_connections_at_once.SIZE)
            check(recv_exact(socks[i], 1) == b"k", "answer")
            socks[i].close()
        both(*[functools.partial(one, i) for i in range(len(socks))])

    def server(sock):
        conns = [sock.listener.accept()[0]
                 for _ in range(many_connections_at_once.COUNT)]
        for seed in range(4):
            block(seed, 0)

        def one(conn):
            conn.settimeout(DEADLINE)
            got = Checker(recv_exact(conn, 1)[0])
            while got.offset < many_connections_at_once.SIZE:
                data = conn.recv(50000)
                check(data, "end of stream")
                got.feed(data)
            conn.sendall(b"k")
            check(conn.recv(1) == b"", "no end of stream")
            conn.close()
        both(*[functools.partial(one, conn) for conn in conns])


@case()
class two_writers_and_two_readers_lose_nothing:
    """Records of 1 KiB; the order between two threads is not defined."""
    COUNT = 600

    def client(sock):
        lock = threading.Lock()

        count = two_writers_and_two_readers_lose_nothing.COUNT

        def write(first):
            for i in range(first, count, 2):
                with lock:
                    sock.sendall(struct.pack("!I", i) * 256)
        both(lambda: write(0), lambda: write(1))
        sock.shutdown(socket.SHUT_WR)
        check(recv_exact(sock, 2) == b"ok", "verdict")

    def server(sock):
        count = two_writers_and_two_readers_lose_nothing.COUNT
        total = []

        def read():
            while True:
                data = sock.recv(20000)
                if not data:
                    return
                total.append(len(data))
        both(read, read)
        check(sum(total) == count * 1024, f"{sum(total)} bytes")
        sock.sendall(b"ok")


# ---- the two ends ----------------------------------------------------------

def control_send(control, value):
    control.write(json.dumps(value).encode() + b"\n")
    control.flush()


def control_recv(control):
    line = control.readline()
    check(line, "the other end went away")
    return json.loads(line)


class Sock(socket.socket):
    """A socket that carries what its case needs."""

    @classmethod
    def of(cls, sock, control, listener=None):
        new = cls(fileno=sock.detach())
        new.control, new.listener = control, listener
        return new


def family_of(conn):
    """The family of IP that the packets of a connection have."""
    if conn.family == socket.AF_INET6 and \
            not conn.getpeername()[0].startswith("::ffff:"):
        return socket.AF_INET6
    return socket.AF_INET


def serve_one(control, name, family):
    case_ = CASES[name]
    listener = socket.socket(case_.listen or family, socket.SOCK_STREAM)
    listener.settimeout(DEADLINE)
    listener.bind(("", 0))
    listener.listen(128)
    control_send(control, listener.getsockname()[1])
    sock = Sock.of(listener.accept()[0], control, listener)
    sock.settimeout(DEADLINE)
    sock.setblocking(True)
    try:
        case_.server(sock)
        return None
    except Exception as err:
        return f"server: {type(err).__name__}: {err}\n" + \
            traceback.format_exc()
    finally:
        sock.close()
        listener.close()


def handle(conn):
    """One case, in a process of its own, so that nothing of it can stay."""
    conn.settimeout(None)
    signal.alarm(DEADLINE)
    control = conn.makefile("rwb")
    name, size = control_recv(control)
    set_bulk(size)
    error = serve_one(control, name, family_of(conn))
    control_send(control, {"error": error})


def serve(args):
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    dual = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual else socket.AF_INET
    listener = socket.create_server(("", args.port), family=family, backlog=8,
                                    dualstack_ipv6=dual)
    print("serving", flush=True)
    while True:
        conn = listener.accept()[0]
        if not os.fork():
            listener.close()
            try:
                handle(conn)
            finally:
                os._exit(0)
        conn.close()
        while True:
            try:
                if os.waitpid(-1, os.WNOHANG) == (0, 0):
                    break
            except ChildProcessError:
                break


def counters():
    """What the tool shows, by name, where it is not 0."""
    out = subprocess.run([args.tool, "-j", "stat", "show"], check=True,
                         capture_output=True, text=True).stdout
    stats = json.loads(out)
    if isinstance(stats, list):
        stats = {k: v for s in stats for k, v in
                 ([(s["name"], s["value"])] if "name" in s else s.items())}
    return stats


def check_way(case_, before, after):
    """Did the connection take the way that it had to?"""
    def grown(name):
        return after.get(name, 0) - before.get(name, 0)

    if before is None:
        return
    by_ring = grown("rx_bytes") + grown("tx_bytes")
    if args.stays:
        check(not by_ring, f"{by_ring} bytes went over a ring")
        check(grown(f"fallback_{args.stays}"),
              f"nothing stayed on TCP because of {args.stays}")
    elif case_.moved:
        check(by_ring, "no byte went over a ring")


def run_one(args, case_):
    conn = socket.create_connection((args.address, args.port), DEADLINE)
    conn.settimeout(None)
    control = conn.makefile("rwb")
    control_send(control, [case_.name, BULK])
    port = control_recv(control)
    before = counters() if args.moved or args.stays else None
    sock = Sock.of(socket.create_connection((args.address, port), DEADLINE),
                   control)
    sock.setblocking(True)
    try:
        case_.client(sock)
        error = None
    except Exception as err:
        error = f"client: {type(err).__name__}: {err}\n" + \
            traceback.format_exc()
    sock.close()
    there = control_recv(control)["error"]
    conn.close()
    check(not error and not there, f"{error or ''}{there or ''}")
    check_way(case_, before, None if before is None else counters())


def run(args):
    cases = [c for c in CASES.values() if not args.only or c.name in args.only]
    print(f"TAP version 13\n1..{len(cases)}", flush=True)
    failed = 0
    for number, case_ in enumerate(cases, 1):
        pid = os.fork()
        if not pid:
            status = 1
            try:
                signal.alarm(DEADLINE)
                run_one(args, case_)
                status = 0
            except Exception as err:
                text = "\n# ".join(str(err).splitlines())
                print(f"# {type(err).__name__}: {text}", flush=True)
            finally:
                sys.stdout.flush()
                os._exit(status)
        start = time.monotonic()
        status = os.waitpid(pid, 0)[1]
        if os.WIFSIGNALED(status):
            print(f"# ended by signal {os.WTERMSIG(status)} (14: deadline)")
        failed += status != 0
        print(f"{'not ' if status else ''}ok {number} - {case_.name} "
              f"# time={time.monotonic() - start:.1f}", flush=True)
    return 1 if failed else 0


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sub = parser.add_subparsers(required=True)
    server = sub.add_parser("serve", help="the server end of every case")
    server.set_defaults(func=serve)
    client = sub.add_parser("run", help="run cases against a server")
    client.set_defaults(func=run)
    client.add_argument("address")
    way = client.add_mutually_exclusive_group()
    way.add_argument("--moved", action="store_true",
                     help="bytes must have gone over rings")
    way.add_argument("--stays", metavar="REASON",
                     help="none may have, and it is counted why")
    client.add_argument("--tool", default="xenvmc", help="the xenvmc tool")
    client.add_argument("--only", nargs="+", metavar="NAME")
    for each in (server, client):
        each.add_argument("--port", type=int, default=PORT)
    return parser.parse_args()


if __name__ == "__main__":
    args = parse()
    sys.exit(args.func(args))
