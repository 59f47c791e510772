#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""late.py [NAME...]: connections are there before their peer, and stay when it
goes. TAP.

Both ends are here, in the network namespaces a and b, which the hook joins over
the loopback. The test build of the module has a knob with which the loopback's
channel goes and comes, as a peer does. Each case is a function; none of them
sees more of XenVMC than what the tool shows.
"""
import contextlib
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

import pair
from network import nothing_arrives
from pair import Checker, Failure, check, pattern

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path += [os.path.join(HERE, "../netlink")]

# pylint: disable=wrong-import-position
import views  # noqa: E402
from views import stat  # noqa: E402

KNOBS = "/sys/module/xenvmc/parameters/"
ADDRESS = "10.9.0.2"
ROUNDS = 20
CLOSE_WAIT = 8         # in struct tcp_info
HALF = 200000
DEADLINE = int(60 * pair.FACTOR)
# Of what a case may leave, in the order in which it is put right
USUAL = {"fault_nth": "0", "switch_bytes": "0", "stall_recall": "-1",
         "stall_closed": "-1"}
SO_TIMESTAMP, TCP_INQ = 29, 36      # Python has no names for them


# ---- the peer, and what the tool shows -------------------------------------

def turn(knob, value):
    with open(KNOBS + knob, "w", encoding="ascii") as handle:
        handle.write(value)


def peer(there):
    """The channel comes, or is gone when this returns."""
    turn("loopback", "1" if there else "0")


def lose_a_ring():
    """The peer goes, and for the first ring that is unread there is no memory to
    save it. False if all had been taken to TCP before that."""
    torn = stat("hook_torn")
    turn("fault_site", "spill")
    turn("fault_nth", "1")
    peer(False)
    with open(KNOBS + "fault_nth", encoding="ascii") as handle:
        lost = handle.read().strip() == "0"
    turn("fault_nth", "0")
    # Both ends count here, and one of them misses bytes
    until(lambda: stat("hook_torn") == torn + lost, "it is counted once")
    return lost


def hook(*words):
    for side in ("a", "b"):
        subprocess.run(["ip", "netns", "exec", side, "xenvmc", "hook", *words],
                       check=True)


def until(cond, what):
    """The deadline is the case's alarm; a condition, not a time, is awaited."""
    end = time.monotonic() + DEADLINE / 2
    while not cond():
        check(time.monotonic() < end, f"not in time: {what}")
        time.sleep(0.02)


def on_rings(sock):
    """Both ends of the connection have a ring each way."""
    port = sock.getsockname()[1]
    ends = [conn for side in ("a", "b") for conn in inside(side, views.conns)
            if port in (conn["sport"], conn["dport"])]
    return len(ends) == 2 and all(conn["state"] == "up" and
                                  conn["rx_ring"] and conn["tx_ring"]
                                  for conn in ends)


def moved(sock):
    until(lambda: on_rings(sock), "the connection is on rings")


def asleep(thread):
    """The thread sleeps in the kernel: it is inside its call."""
    def sleeps():
        with open(f"/proc/self/task/{thread.native_id}/stat",
                  encoding="ascii") as handle:
            return handle.read().rsplit(")", 1)[1].split()[0] == "S"
    until(sleeps, "the thread sleeps")


# ---- two ends --------------------------------------------------------------

def inside(side, function):
    """What the function returns when it is called in a namespace."""
    result = []

    def run():
        with open(f"/run/netns/{side}", "rb") as handle:
            os.setns(handle.fileno(), os.CLONE_NEWNET)
        result.append(function())
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return result[0]


def connect(size=0):
    """A connection from a to b; @size of the buffers of TCP."""
    def listen():
        listener = socket.socket()
        if size:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        listener.bind((ADDRESS, 0))
        listener.listen()
        return listener

    def dial():
        sock = socket.socket()
        if size:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
        sock.connect(listener.getsockname())
        return sock
    listener = inside("b", listen)
    client = inside("a", dial)
    server = listener.accept()[0]
    listener.close()
    return client, server


def early():
    """A connection that was there before the peer."""
    peer(False)
    return connect()


class Task(threading.Thread):
    """Runs the function; the result, or the error, is for who joins."""

    def __init__(self, function):
        super().__init__(daemon=True)
        self.function, self.result, self.error = function, None, None
        self.start()

    def run(self):
        try:
            self.result = self.function()
        except BaseException as err:    # told to the caller
            self.error = err

    def get(self):
        self.join(DEADLINE / 2)
        check(not self.is_alive(), "a call hangs")
        if self.error:
            raise self.error
        return self.result


class Way:
    """One direction: its bytes are known by their place."""

    def __init__(self, source, target, seed):
        self.source, self.target, self.seed = source, target, seed
        self.sent = 0
        self.got = Checker(seed)

    def send(self, size):
        self.source.sendall(pattern(self.seed, self.sent, size))
        self.sent += size

    def recv(self, most=70000):
        data = self.target.recv(most)
        check(data, f"end of stream after {self.got.offset} bytes")
        self.got.feed(data)

    def catch_up(self):
        while self.got.offset < self.sent:
            self.recv(self.sent - self.got.offset)


def ways(client, server):
    return Way(client, server, 1), Way(server, client, 2)


def by_ring(*both):
    """Bytes of each direction, and they go by ring."""
    for way in both:
        before = stat("tx_bytes")
        way.send(3000)
        way.catch_up()
        check(stat("tx_bytes") >= before + 3000, "bytes went by TCP")


def works_by_ring(client, server, both=None):
    both = both or ways(client, server)
    moved(client)
    by_ring(*both)
    for sock in (client, server):
        sock.close()


# ---- cases -----------------------------------------------------------------

def idle_connection_moves():
    client, server = early()
    both = ways(client, server)
    for way in both:
        way.send(5000)
        way.catch_up()
    peer(True)
    works_by_ring(client, server, both)


def connection_moves_when_the_hook_is_on():
    peer(True)
    hook("off")
    client, server = connect()
    hook("on", "loopback")
    works_by_ring(client, server)


def bytes_on_their_way_come_first():
    client, server = early()
    both = ways(client, server)
    for way in both:
        way.send(30000)
    peer(True)
    moved(client)
    for way in both:
        way.send(30000)
        way.catch_up()
    works_by_ring(client, server, both)


def tcp_info(sock):
    """(Attempts in vain, seconds that it waits for the next one)."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return info[4], struct.unpack_from("I", info, 8)[0] / 1e6


def tcp_state(sock):
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def what_was_sent_in_vain_comes_at_once():
    """TCP would wait for its timer, about as long as nothing arrived."""
    client, server = early()
    both = ways(client, server)
    with nothing_arrives():
        both[0].send(3000)
        until(lambda: tcp_info(client)[0] >= 6, "TCP has tried six times")
    waits = tcp_info(client)[1]
    begin = time.monotonic()
    peer(True)
    both[0].catch_up()
    took = time.monotonic() - begin
    check(took < waits / 2, f"took {took:.1f} s, TCP's timer is {waits:.1f} s")
    works_by_ring(client, server, both)


def blocked_reader_goes_on():
    client, server = early()
    there, back = ways(client, server)
    reader = Task(there.recv)
    asleep(reader)
    candidates = stat("hook_candidates")
    peer(True)
    until(lambda: stat("hook_candidates") > candidates, "it is taken over")
    check(not on_rings(client), "it moved under a task inside TCP")
    check(reader.is_alive(), "the reader was disturbed")
    there.send(1)
    reader.get()
    # The next call sees that nobody is inside any more
    for way in (back, there):
        way.send(1)
        way.catch_up()
    works_by_ring(client, server, (there, back))


def blocked_reader_keeps_its_timeout():
    client, server = early()
    there, back = ways(client, server)
    seconds = max(1, int(2 * pair.FACTOR))
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO,
                      struct.pack("ll", seconds, 0))
    reader = Task(lambda: there.target.recv(100))
    asleep(reader)
    peer(True)
    try:
        reader.get()
        raise Failure("the reader read something")
    except BlockingIOError:
        pass
    there.send(1)
    there.catch_up()
    works_by_ring(client, server, (there, back))


def blocked_splice_goes_on():
    client, server = early()
    there, back = ways(client, server)
    out, into = os.pipe()
    reader = Task(lambda: os.splice(server.fileno(), into, 5000))
    asleep(reader)
    peer(True)
    there.send(1000)
    n = reader.get()
    there.got.feed(os.read(out, n))
    # Nobody is inside any more when these are there
    for way in (there, back):
        way.send(1)
        way.catch_up()
    os.close(out)
    os.close(into)
    works_by_ring(client, server, (there, back))


def blocked_writer_goes_on():
    peer(False)
    # A smaller one is not for rings
    client, server = connect(65536)
    there, back = ways(client, server)
    writer = Task(lambda: there.send(2 * pair.MIB))
    asleep(writer)
    peer(True)
    total = 2 * pair.MIB
    while there.got.offset < total:
        there.recv()
    writer.get()
    # The next call sees that nobody is inside any more
    for way in (there, back):
        way.send(1)
        way.catch_up()
    works_by_ring(client, server, (there, back))


def send_on(way, over, flags):
    while not over.is_set():
        data = pattern(way.seed, way.sent, 20000)
        way.source.sendall(data, flags)
        way.sent += len(data)
    way.source.shutdown(socket.SHUT_WR)


def recv_on(way, most):
    data = way.target.recv(most)
    while data:
        way.got.feed(data)
        data = way.target.recv(most)


def writer_that_has_always_more_moves():
    """As sendfile() of much does, to a slower reader: TCP has some of it
    unsent at each call."""
    for flags, cork in ((socket.MSG_MORE, 0), (0, 1)):
        client, server = early()
        there, back = ways(client, server)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, cork)
        over = threading.Event()
        tasks = [Task(lambda f=flags, e=over: send_on(there, e, f)),
                 Task(lambda: recv_on(there, 2000))]
        until(lambda: there.got.offset > HALF, "bytes go by TCP")
        before = stat("tx_bytes")
        peer(True)
        until(lambda n=before: stat("tx_bytes") > n + HALF, "bytes go by ring")
        over.set()
        for task in tasks:
            task.get()
        check(there.got.offset == there.sent, "bytes are missing at the end")
        until(lambda port=server.getsockname()[1]:
              any(conn["tx_ring"] for conn in inside("b", views.conns)
                  if conn["sport"] == port), "the other way has a ring")
        by_ring(back)
        client.close()
        server.close()


def poller_wakes_for_the_ring():
    client, server = early()
    both = ways(client, server)
    poll = select.poll()
    poll.register(server, select.POLLIN)
    epoll = select.epoll()
    epoll.register(server, select.EPOLLIN | select.EPOLLET)
    tasks = [Task(lambda: select.select([server], [], [])),
             Task(poll.poll), Task(epoll.poll)]
    for task in tasks:
        asleep(task)
    peer(True)
    moved(client)
    check(all(task.is_alive() for task in tasks), "poll woke up for nothing")
    both[0].send(3000)
    # Who looks when all is read sleeps on, and rightly
    for task in tasks:
        check(task.get(), "poll was woken and saw nothing")
    epoll.close()
    works_by_ring(client, server, both)


def smaller_buffer_before_the_first_byte():
    """The ring that was lent is given back unused, and a smaller one comes."""
    peer(True)
    client, server = connect()
    both = ways(client, server)
    moved(client)
    stops = stat("ring_stops")
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 100000)
    server.send(b"")    # a call, which is what tells on Linux 6.1
    until(lambda: stat("ring_stops") > stops, "the writer has given it back")
    for way in both:
        way.send(1)
        way.catch_up()
    works_by_ring(client, server, both)


def half_closed_connection_moves():
    for closer in (0, 1):
        client, server = early()
        both = ways(client, server)
        both[closer].source.shutdown(socket.SHUT_WR)
        peer(True)
        moved_way = both[1 - closer]
        until(lambda port=client.getsockname()[1]:
              any(conn["tx_ring"] for side in ("a", "b")
                  for conn in inside(side, views.conns)
                  if port in (conn["sport"], conn["dport"])),
              "the open direction has a ring")
        by_ring(moved_way)
        check(both[closer].target.recv(1) == b"", "no end of stream")
        moved_way.source.close()
        check(moved_way.target.recv(1) == b"", "no end of stream")
        moved_way.target.close()


def unread_bytes_stay_when_the_peer_goes():
    peer(True)
    client, server = connect()
    both = ways(client, server)
    moved(client)
    before = stat("rx_bytes_to_tcp")
    for way in both:
        way.send(9000)
    peer(False)
    until(lambda: stat("rx_bytes_to_tcp") >= before + 18000,
          "unread bytes are TCP's")
    for way in both:
        way.send(4000)
        way.catch_up()
    peer(True)
    works_by_ring(client, server, both)


def end_of_the_stream_is_behind_the_ring():
    """TCP has it in one packet with bytes in front of the ring's, all unread."""
    client, server = early()
    there = ways(client, server)[0]
    there.send(5000)
    peer(True)
    moved(client)
    there.send(3000)
    before = stat("rx_bytes_to_tcp")
    client.shutdown(socket.SHUT_WR)
    until(lambda: tcp_state(server) == CLOSE_WAIT, "the end has come")
    peer(False)
    until(lambda: stat("rx_bytes_to_tcp") >= before + 3000,
          "the ring's bytes are TCP's")
    there.catch_up()
    check(server.recv(1) == b"", "no end of the stream")


def one_packet_has_the_bytes_around_a_ring():
    """TCP's bytes in front of the ring's and those behind them come when the
    channel has gone, and the first are read before the ring's become TCP's."""
    for _ in range(3):
        client, server = early()
        there = ways(client, server)[0]
        before = stat("rx_bytes_to_tcp")
        with nothing_arrives():
            there.send(1000)
            peer(True)
            moved(client)
            there.send(3000)
            peer(False)
            there.send(1000)
            # By then the socket looks once a second whether it can go back
            until(lambda end=client: tcp_info(end)[0] >= 4, "TCP has tried")
        there.recv(1000)
        until(lambda was=before: stat("rx_bytes_to_tcp") >= was + 3000,
              "the ring's bytes are TCP's")
        there.catch_up()
        for sock in (client, server):
            sock.close()


def sleepers_go_on_when_the_peer_goes():
    peer(True)
    client, server = connect()
    there, back = ways(client, server)
    moved(client)
    reader = Task(there.recv)
    asleep(reader)
    peer(False)
    check(reader.is_alive(), "the reader was disturbed")
    asleep(reader)
    peer(True)
    there.send(1)
    reader.get()
    there.send(1)
    there.catch_up()
    works_by_ring(client, server, (there, back))


def is_reset(task):
    """Whatever the call did, it has ended with an error by now."""
    try:
        task.get()
    except (ConnectionResetError, BrokenPipeError):
        return
    raise Failure("the call did not hear of missing bytes")


def who_waits_hears_of_missing_bytes():
    lost = False
    while not lost:
        peer(True)
        client, server = connect()
        moved(client)
        poll = select.poll()
        poll.register(server, 0)
        server.sendall(b"unread")
        sleepers = [Task(lambda end=client: end.sendall(bytes(64 * pair.MIB))),
                    Task(lambda end=server: end.sendall(bytes(64 * pair.MIB)))]
        watcher = Task(poll.poll)
        for task in (*sleepers, watcher):
            asleep(task)
        lost = lose_a_ring()
        if not lost:
            client.shutdown(socket.SHUT_RDWR)
            server.shutdown(socket.SHUT_RDWR)
    for task in sleepers:
        is_reset(task)
    check(watcher.get()[0][1] & select.POLLHUP, "poll does not see it")


def reader_at_the_other_end_hears_of_missing_bytes():
    lost = False
    while not lost:
        peer(True)
        client, server = connect()
        moved(client)
        server.sendall(b"unread")
        reader = Task(lambda end=server: end.recv(1))
        asleep(reader)
        lost = lose_a_ring()
        if not lost:
            client.sendall(b"1")
            reader.get()
    is_reset(reader)
    check(client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) ==
          errno.ECONNRESET, "the end that misses them has no error pending")


def bytes_in_front_of_missing_ones_are_read():
    lost = False
    while not lost:
        client, server = early()
        there = ways(client, server)[0]
        there.send(5000)
        peer(True)
        moved(client)
        before = stat("tx_bytes")
        client.sendall(bytes(3000))
        check(stat("tx_bytes") >= before + 3000, "bytes went by TCP")
        lost = lose_a_ring()
    there.catch_up()
    for _ in range(2):
        missing(server)
    with unloaded():
        missing(server)


def missing(end):
    """Instead of bytes or of the end of the stream there is an error."""
    try:
        data = end.recv(1)
    except ConnectionResetError:
        return
    raise Failure(f"read {data} behind missing bytes")


@contextlib.contextmanager
def unloaded():
    """The hook is not there."""
    subprocess.run(["rmmod", "xenvmc_inet"], check=True)
    try:
        yield
    finally:
        folder = os.environ["XENVMC_MODULES"]
        subprocess.run(["insmod", f"{folder}/xenvmc_inet.ko"], check=True)
        hook("on", "loopback")


def unloading_without_memory_lets_nobody_read_past_a_gap():
    """The ring's bytes cannot become TCP's, which has some on either side. What
    comes after the end of the stream is no better."""
    peer(False)
    torn = stat("hook_torn")
    pairs = [connect(), connect()]
    ahead = [ways(*ends)[0] for ends in pairs]
    for way in ahead:
        way.send(5000)
    peer(True)
    turn("fault_site", "back_skb")
    turn("fault_nth", "-1")
    for (client, server), end in zip(pairs, (b"behind", b"")):
        moved(client)
        before = stat("tx_bytes")
        client.sendall(bytes(3000))
        check(stat("tx_bytes") >= before + 3000, "bytes went by TCP")
        before = stat("fallback_sockopt")
        client.setsockopt(socket.IPPROTO_TCP, TCP_INQ, 1)
        check(stat("fallback_sockopt") > before, "it was not on rings")
        client.sendall(end)
        client.shutdown(socket.SHUT_WR)
        until(lambda sock=server: tcp_state(sock) == CLOSE_WAIT,
              "the end of the stream is there")
    with unloaded():
        for way, (_, server) in zip(ahead, pairs):
            way.catch_up()
            missing(server)
    check(stat("hook_torn") == torn + 2, "they are not counted")


def options_keep_it_on_tcp():
    client, server = early()
    both = ways(client, server)
    client.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMP, 1)
    before = stat("fallback_sockopt")
    peer(True)
    until(lambda: stat("fallback_sockopt") > before, "the reason is counted")
    check(not on_rings(client), "it moved all the same")
    for way in both:
        way.send(4000)
        way.catch_up()
    client.close()
    server.close()


def peer_comes_and_goes_under_load():
    client, server = connect()
    both = ways(client, server)
    stop = threading.Event()

    def send(way):
        while not stop.is_set():
            way.send(5000)
        way.source.shutdown(socket.SHUT_WR)

    def recv(way):
        while True:
            data = way.target.recv(70000)
            if not data:
                return
            way.got.feed(data)
    tasks = [Task(lambda f=f, w=w: f(w)) for w in both for f in (send, recv)]
    moves = stat("hook_moved")
    for _ in range(ROUNDS):
        peer(False)
        before = [way.got.offset for way in both]
        until(lambda old=before: all(way.got.offset > n + HALF for way, n in
                                     zip(both, old)), "bytes go by TCP")
        peer(True)
        moved(client)
        before = [way.got.offset for way in both]
        until(lambda old=before: all(way.got.offset > n + HALF for way, n in
                                     zip(both, old)), "bytes go by ring")
    stop.set()
    for task in tasks:
        task.get()
    check([w.sent for w in both] == [w.got.offset for w in both],
          "bytes are missing at the end")
    check(stat("hook_moved") >= moves + 2 * ROUNDS, "it did not always move")
    client.close()
    server.close()


def rings_that_could_not_be_mapped_come_later():
    """The peer is short of memory for more tries than there may be rings."""
    peer(False)
    turn("fault_site", "tx_ring")
    turn("fault_nth", "-1")
    peer(True)
    pairs = [connect() for _ in range(12)]
    before = stat("ctl_rx")
    until(lambda: stat("ctl_rx") > before + 2500, "they are tried again")
    check(not any(on_rings(client) for client, _ in pairs), "one has a ring")
    turn("fault_nth", "0")
    for client, server in pairs:
        works_by_ring(client, server)


def connections_end_at_that_moment():
    for i in range(10):
        peer(i % 2 == 1)
        pairs = [connect() for _ in range(8)]
        pokes = [ways(*ends) for ends in pairs]
        for there, back in pokes:
            there.send(500)
            back.send(300)
        flip = Task(lambda up=i % 2 == 0: peer(up))
        for n, (client, server) in enumerate(pairs):
            if n % 2:
                pokes[n][0].catch_up()
            for sock in (client, server)[::1 - 2 * (n % 2)]:
                sock.close()
        flip.get()


CASES = (idle_connection_moves, connection_moves_when_the_hook_is_on,
         bytes_on_their_way_come_first,
         what_was_sent_in_vain_comes_at_once, blocked_reader_goes_on,
         blocked_reader_keeps_its_timeout, blocked_splice_goes_on,
         blocked_writer_goes_on, writer_that_has_always_more_moves,
         poller_wakes_for_the_ring, smaller_buffer_before_the_first_byte,
         half_closed_connection_moves, unread_bytes_stay_when_the_peer_goes,
         end_of_the_stream_is_behind_the_ring,
         one_packet_has_the_bytes_around_a_ring,
         sleepers_go_on_when_the_peer_goes, who_waits_hears_of_missing_bytes,
         reader_at_the_other_end_hears_of_missing_bytes,
         bytes_in_front_of_missing_ones_are_read,
         unloading_without_memory_lets_nobody_read_past_a_gap,
         options_keep_it_on_tcp, rings_that_could_not_be_mapped_come_later,
         peer_comes_and_goes_under_load, connections_end_at_that_moment)


def one(case):
    """A case in a process of its own. True if it passed."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            signal.alarm(4 * DEADLINE)
            case()
            status = 0
        except BaseException:   # whatever it was is printed
            print("# " + traceback.format_exc().replace("\n", "\n# "),
                  flush=True)
        finally:
            os._exit(status)
    status = os.waitpid(pid, 0)[1]
    for knob, value in USUAL.items():
        turn(knob, value)
    peer(True)
    if os.WIFSIGNALED(status):
        print(f"# ended by signal {os.WTERMSIG(status)} (14: deadline)")
    return not status


def main():
    cases = [case for case in CASES if not sys.argv[1:] or
             case.__name__ in sys.argv[1:]]
    print(f"TAP version 13\n1..{len(cases)}", flush=True)
    failed = 0
    for number, case in enumerate(cases, 1):
        start = time.monotonic()
        passed = one(case)
        failed += not passed
        print(f"{'ok' if passed else 'not ok'} {number} - {case.__name__} "
              f"# time={time.monotonic() - start:.1f}", flush=True)
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
