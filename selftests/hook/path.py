#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""path.py: what happens to the TCP connection under a moved one, and what that
does to it. TAP.

Both ends are sockets of this process, in the network namespaces "a" and "b" that
are joined by the devices va and vb (selftests/debug/inside makes them). What ends a
connection is tried on one that stays on TCP as well: each end must hear the same.
"""
import contextlib
import errno
import functools
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import waits

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path += [os.path.join(HERE, "../netlink")]

# pylint: disable=wrong-import-position
from views import stat  # noqa: E402

FACTOR = float(os.environ.get("XENVMC_DEADLINE_FACTOR", "1"))
DEADLINE = int(60 * FACTOR)
ADDRESS = {"a": "10.9.0.1", "b": "10.9.0.2"}
DATA_SEGS_OUT = 156                     # in struct tcp_info
INTERVAL = 1                            # net.xenvmc.keepalive_s, at work
SO_TIMESTAMP = 29                       # Python has no name for it
ETH_P_ALL = 3                           # also those that leave
ETH_P_IP = 0x0800
WAITS_PORT = "7711"
CASES = []


class Failure(Exception):
    """What the case asserts is not so."""


def check(cond, text):
    """The case fails if not."""
    if not cond:
        raise Failure(text)


def case(function):
    """A case: a function of no arguments."""
    CASES.append(function)
    return function


@contextlib.contextmanager
def inside(name):
    """What is opened within belongs to the namespace."""
    with open("/proc/self/ns/net", "rb") as back, \
            open(f"/run/netns/{name}", "rb") as there:
        os.setns(there.fileno(), os.CLONE_NEWNET)
        try:
            yield
        finally:
            os.setns(back.fileno(), os.CLONE_NEWNET)


def run_in(name, *argv):
    """Output of a command in the namespace."""
    return subprocess.run(["ip", "netns", "exec", name, *argv], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def fallbacks(reason):
    """How often a connection stayed on TCP, or went back, for this reason."""
    return stat(f"fallback_{reason}")


def keepalive(seconds, names=("a", "b")):
    """Of both namespaces, or one, for connections that exist as well."""
    for name in names:
        run_in(name, "sysctl", "-q", f"net.xenvmc.keepalive_s={seconds}")


def to_tcp(sock):
    """Sets what no ring can do."""
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMP, 1)


def segments(sock):
    """How many segments with bytes TCP has sent."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return struct.unpack_from("I", info, DATA_SEGS_OUT)[0]


class Pair:
    """A connection: @a has connected, by @dial, and @b was accepted, inside
    @accepting."""

    def __init__(self, moved, dial=socket.create_connection,
                 accepting=contextlib.nullcontext()):
        for name in ADDRESS:
            run_in(name, "xenvmc", "hook", *(["on", "loopback"] if moved
                                             else ["off"]))
        with inside("b"):
            listener = socket.create_server((ADDRESS["b"], 0))
        with inside("a"):
            self.a = dial(listener.getsockname())
        with accepting:
            self.b = listener.accept()[0]
        listener.close()
        self.ends = {"a": self.a, "b": self.b}
        self.ports = {name: sock.getsockname()[1]
                      for name, sock in self.ends.items()}
        while moved and not self.on_rings():
            pass

    def on_rings(self):
        """Do bytes leave TCP alone?"""
        before = segments(self.a) + segments(self.b)
        self.ping()
        return segments(self.a) + segments(self.b) == before

    def ping(self):
        """A byte there and back."""
        self.a.sendall(b"?")
        check(self.b.recv(1) == b"?", "another byte than was sent")
        self.b.sendall(b"!")
        check(self.a.recv(1) == b"!", "another byte than was sent")

    def filter(self):
        """For ss: the end that has connected, seen from its namespace."""
        return ["dport", "=", f":{self.ports['b']}", "and", "sport", "=",
                f":{self.ports['a']}"]


class Thread(threading.Thread):
    """Of which a failure is told."""

    def __init__(self, function, *args):
        super().__init__(daemon=True)
        self.work = functools.partial(function, *args)
        self.failure = None
        self.start()

    def run(self):
        try:
            self.work()
        except Exception as err:        # told to who joins
            self.failure = err

    def finish(self):
        self.join(DEADLINE / 2)
        check(not self.is_alive(), f"no end of {self.work.func}")
        check(not self.failure, f"{self.work.func}: {self.failure}")


class Packet:
    """A packet of TCP over IPv4, with its link header."""

    def __init__(self, frame):
        ip = frame[14:]
        at = (ip[0] & 15) * 4
        self.protocol = ip[9]
        self.saddr, self.daddr = ip[12:16], ip[16:20]
        self.sport, self.dport, self.seq, self.ack, offset, self.flags = \
            struct.unpack_from("!HHIIBB", ip, at)
        total = struct.unpack_from("!H", ip, 2)[0]
        self.size = total - at - (offset >> 4) * 4


class Tap:
    """Packets on the device of a namespace."""

    def __init__(self, name):
        with inside(name):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                      socket.htons(ETH_P_ALL))
            self.sock.bind((f"v{name}", ETH_P_ALL))
        self.sock.setblocking(False)

    def packets(self, ports):
        """Those of a connection that came since, by the end they are of."""
        while True:
            try:
                frame, address = self.sock.recvfrom(2000)
            except BlockingIOError:
                return
            if address[1] != ETH_P_IP or frame[23] != socket.IPPROTO_TCP:
                continue
            packet = Packet(frame)
            for name in ports:
                if {packet.sport, packet.dport} == set(ports.values()) and \
                        packet.sport == ports[name]:
                    yield name, packet


def heard(sock):
    """What a program gets that reads to the end, and writes then."""
    found = []
    sock.settimeout(DEADLINE)
    try:
        data = sock.recv(100)
        while data:
            found.append(data)
            data = sock.recv(100)
        found.append("end")
    except OSError as err:
        found.append(errno.errorcode[err.errno])
    try:
        sock.send(b"x")
        found.append("sent")
    except OSError as err:
        found.append(errno.errorcode[err.errno])
    return found


def ended_alike(end, wanted):
    """@end(pair) ends a connection, on TCP and moved: the ends hear the same,
    which is @wanted; with and without bytes that are not read."""
    for text in (b"", b"unread"):
        for moved in (False, True):
            pair = Pair(moved)
            for sock in pair.ends.values():
                sock.sendall(text)
            end(pair)
            for name, sock in pair.ends.items():
                found = heard(sock)
                check(b"".join(x for x in found if isinstance(x, bytes)) in
                      (text, b""), f"{name}: read {found}")
                check([x for x in found if isinstance(x, str)] ==
                      [wanted[name], "EPIPE"],
                      f"{name}, {'moved' if moved else 'on TCP'}: {found}")


# ---- who ends a connection from outside ------------------------------------

@case
def killed_here_ends_both():
    """ss -K at the end that has connected."""
    ended_alike(lambda pair: run_in("a", "ss", "-K", "-t", *pair.filter()),
                {"a": "ECONNABORTED", "b": "ECONNRESET"})


def dial_at_once(address):
    """connect() does not wait, and nobody calls it again to ask."""
    sock = socket.socket()
    sock.setblocking(False)
    check(sock.connect_ex(address) == errno.EINPROGRESS, "it has waited")
    select.select([], [sock], [])
    sock.setblocking(True)
    return sock


@case
def killed_it_connects_anew():
    """The next connect() tells of the end, the one after that is a new one."""
    for moved in (False, True):
        pair = Pair(moved, dial_at_once)
        run_in("a", "ss", "-K", "-t", *pair.filter())
        with inside("b"):
            listener = socket.create_server((ADDRESS["b"], 0))
        found = [pair.a.connect_ex(listener.getsockname()) for _ in range(2)]
        check(found == [errno.ECONNABORTED, 0], f"moved {moved}: {found}")
        pair.b.close()
        pair.b = listener.accept()[0]
        listener.close()
        pair.ping()


@case
def killed_there_ends_both():
    """ss -K at the other end."""
    ended_alike(lambda pair: run_in("b", "ss", "-K", "-t", "dport", "=",
                                    f":{pair.ports['a']}"),
                {"a": "ECONNRESET", "b": "ECONNABORTED"})


def checksum(data):
    """As IP and TCP have it."""
    data += b"\0" * (len(data) % 2)
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xffff) + (value >> 16)
    return ~value & 0xffff


def reject(packet, raw):
    """As a packet filter does that rejects with a reset of TCP: the answer has
    the number that the packet acknowledges."""
    header = struct.pack("!HHIIBBHHH", packet.dport, packet.sport, packet.ack,
                         0, 5 << 4, 4, 0, 0, 0)
    pseudo = packet.daddr + packet.saddr + struct.pack("!BBH", 0, 6, 20)
    value = struct.pack("!H", checksum(pseudo + header))
    raw.sendto(header[:16] + value + header[18:],
               (socket.inet_ntoa(packet.saddr), 0))


def is_over(sock):
    """Without taking the error."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    return info[0] == 7                 # TCP_CLOSE


@case
def reset_on_the_path_ends_both():
    """Each packet of the connection is answered with a RST, from the moment at
    which a rule would begin to reject it."""
    keepalive(INTERVAL)
    for moved in (False, True):
        pair = Pair(moved)
        taps, raw = {}, {}
        for name, far in (("a", "b"), ("b", "a")):
            taps[name] = Tap(name)
            list(taps[name].packets(pair.ports))
            with inside(far):
                raw[name] = socket.socket(socket.AF_INET, socket.SOCK_RAW,
                                          socket.IPPROTO_TCP)
        while not (is_over(pair.a) and is_over(pair.b)):
            for name, sock in pair.ends.items():
                with contextlib.suppress(OSError):
                    sock.send(b"x", socket.MSG_DONTWAIT)
                    sock.recv(10, socket.MSG_DONTWAIT)
                for source, packet in taps[name].packets(pair.ports):
                    if source == name and not packet.flags & 4:
                        reject(packet, raw[name])
        for name, sock in pair.ends.items():
            check(heard(sock)[-1] == "EPIPE", f"{name} can still send")


# ---- the resting connection ------------------------------------------------

def ping_for(pair, seconds):
    """Bytes go back and forth."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pair.ping()


@case
def rest_is_kept_alive():
    """Packets of both ends while bytes go by ring, and no more than needed."""
    keepalive(INTERVAL)
    pair, tap, came = Pair(True), Tap("a"), {"a": [], "b": []}
    begin = time.monotonic()
    while min(map(len, came.values())) < 4:
        pair.ping()
        for name, packet in tap.packets(pair.ports):
            came[name].append(packet)
    spent = time.monotonic() - begin
    check(segments(pair.a) + segments(pair.b) >= 0, "no such socket")
    for name, packets in came.items():
        check(all(not packet.size and packet.flags == 16
                  for packet in packets), f"{name}: more than ACKs")
        # The last of those that came before the move, and one for an interval
        check(len(packets) <= spent / INTERVAL + 3,
              f"{name}: {len(packets)} packets in {spent:.1f} s")
        acks = {packet.ack for packet in packets[-2:]}
        check(len(acks) == 2, f"{name}: the same ACK again")
    check(pair.on_rings(), "not on rings any more")


@case
def rest_is_silent_when_off():
    """No packet at all."""
    keepalive(0)
    pair, tap = Pair(True), Tap("a")
    # What TCP has not acknowledged yet
    ping_for(pair, 1)
    list(tap.packets(pair.ports))
    ping_for(pair, 3 * INTERVAL)
    check(not list(tap.packets(pair.ports)), "packets")


def stops_the_bytes(cut, mend):
    """After @cut no byte comes through until @mend."""
    keepalive(INTERVAL)
    pair, tap, came = Pair(True), Tap("a"), {"a": 0, "b": 0}
    before = fallbacks("path_cut")
    # Each end knows how often the other sends
    while min(came.values()) < 6:
        pair.ping()
        for name, _ in tap.packets(pair.ports):
            came[name] += 1
    check(pair.on_rings(), "not on rings any more")
    cut()
    while fallbacks("path_cut") == before:
        for sock, byte in ((pair.a, b"?"), (pair.b, b"!")):
            sock.send(byte, socket.MSG_DONTWAIT)
        time.sleep(0.01)                # a few a second are enough
        for sock in pair.ends.values():
            with contextlib.suppress(BlockingIOError):
                sock.recv(1000, socket.MSG_DONTWAIT)
    # What is on the way now: all of it arrives, and nothing twice
    for sock in pair.ends.values():
        sock.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            while sock.recv(1000):
                pass
        sock.settimeout(None)
    pair.a.sendall(b"held up")
    pair.a.settimeout(1)
    pair.b.settimeout(1)
    try:
        got = pair.b.recv(100)
        raise Failure(f"{got} came through a cut path")
    except TimeoutError:
        pass
    pair.b.settimeout(DEADLINE)
    mend()
    got = b""
    while not got.endswith(b"held up"):
        got += pair.b.recv(100)
    check(not got.removesuffix(b"held up").strip(b"?"), f"{got} came")


@case
def cut_path_stops_the_bytes():
    """No packet comes through any more: nor does a byte, until they do."""
    stops_the_bytes(lambda: run_in("a", "ip", "link", "set", "va", "down"),
                    lambda: run_in("a", "ip", "link", "set", "va", "up"))


@case
def intervals_may_differ():
    """An end that seldom sends packets is not taken for one whose path is cut."""
    keepalive(INTERVAL)
    keepalive(5 * INTERVAL, ["b"])
    pair, tap, came, before = Pair(True), Tap("a"), 0, fallbacks("path_cut")
    list(tap.packets(pair.ports))
    # Those of the move, and two at rest
    while came < 3:
        pair.ping()
        came += sum(name == "b" for name, _ in tap.packets(pair.ports))
    check(fallbacks("path_cut") == before and pair.on_rings(), "taken for cut")


@case
def a_pause_is_no_cut():
    """Ends whose programs were silent for long have nothing to be heard of."""
    keepalive(INTERVAL)
    pair, tap = Pair(True), Tap("a")
    came, before = {"a": 0, "b": 0}, fallbacks("path_cut")
    # Each end knows how often the other sends
    while min(came.values()) < 6:
        pair.ping()
        for name, _ in tap.packets(pair.ports):
            came[name] += 1
    # The silence is what is tested, not waited with
    time.sleep(6 * INTERVAL)
    ping_for(pair, 3 * INTERVAL)
    check(fallbacks("path_cut") == before and pair.on_rings(), "taken for cut")


# ---- a program that waits -------------------------------------------------

def waits_in(name, *words):
    """waits.py in the namespace."""
    script = os.path.join(os.path.dirname(os.path.realpath(__file__)),
                          "waits.py")
    argv = ["ip", "netns", "exec", name, "python3", script, *words]
    # pylint: disable=consider-using-with
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def rings_in(name):
    """How many connections have one to read from."""
    conns = json.loads(run_in(name, "xenvmc", "-j", "conn", "show"))
    return sum(conn["rx_ring"] > 0 for conn in conns)


@case
def each_call_that_waits_is_ended():
    """Those of waits.py, each with a connection that is killed at its far end."""
    for moved in (False, True):
        for name in ADDRESS:
            run_in(name, "xenvmc", "hook", *(["on", "loopback"] if moved
                                             else ["off"]))
        server = waits_in("b", "serve", "inet", WAITS_PORT)
        check(server.stdout.readline() == "listens\n", "nobody listens")
        waiting = waits_in("a", "run", "inet", ADDRESS["b"], WAITS_PORT)
        check(waiting.stdout.readline() == "all wait\n", "not all wait")
        # Under the deadline of the case: a ring may be on its way
        while rings_in("a") != (len(waits.CALLS) if moved else 0):
            pass
        run_in("b", "ss", "-K", "-t", "sport", "=", f":{WAITS_PORT}")
        ends = waiting.communicate()[0]
        check(waiting.returncode == 0, f"moved: {moved}, {ends.split()}")
        server.kill()
        server.communicate()


# ---- what ss shows ---------------------------------------------------------

def ss_bytes(name, port, what):
    """A number of bytes that ss -ti has of the connection to @port."""
    out = run_in(name, "ss", "-tinO", "dport", "=", f":{port}")
    found = re.search(rf"\b{what}:(\d+)", out)
    return int(found.group(1)) if found else 0


@case
def ss_shows_the_bytes():
    """Also those that went by ring, a moment later."""
    for moved in (False, True):
        pair = Pair(moved)
        size = 100000
        for _ in range(10):
            pair.a.sendall(bytes(size // 10))
            rest = size // 10
            while rest:
                rest -= len(pair.b.recv(rest))
        while ss_bytes("a", pair.ports["b"], "bytes_acked") < size or \
                ss_bytes("b", pair.ports["a"], "bytes_received") < size:
            pair.ping()
        check(ss_bytes("b", pair.ports["a"], "bytes_received") < 2 * size,
              "bytes are counted twice")


def run(function):
    """In a process of its own. Returns its status."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    status = 1
    try:
        signal.alarm(DEADLINE)
        function()
        status = 0
    except Exception as err:            # whatever it is, the case has failed
        print(f"# {type(err).__name__}: {err}", flush=True)
    finally:
        sys.stdout.flush()
        os._exit(status)
    return status


def main():
    """The cases that are named, or all. The number of those that failed."""
    cases = [c for c in CASES if not sys.argv[1:] or
             c.__name__ in sys.argv[1:]]
    print(f"TAP version 13\n1..{len(cases)}", flush=True)
    failed = 0
    for number, function in enumerate(cases, 1):
        start = time.monotonic()
        status = run(function)
        if os.WIFSIGNALED(status):
            print(f"# ended by signal {os.WTERMSIG(status)} (14: deadline)")
        failed += status != 0
        print(f"{'not ' if status else ''}ok {number} - {function.__name__} "
              f"# time={time.monotonic() - start:.1f}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(bool(main()))
