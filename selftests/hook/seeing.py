#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""seeing.py [NAME...]: what can be seen of a moved connection. TAP.

Runs as root where xenvmc and xenvmc_inet are loaded, with two network
namespaces "a" and "b" that a veth joins (10.9.0.1 and .2, fd09::1 and ::2) and
whose hooks move connections over the loopback: selftests/debug/inside makes
them. Both ends of a connection are sockets of this program.
"""
import contextlib
import ctypes
import json
import os
import random
import re
import resource
import select
import socket
import struct
import subprocess
import sys
import time
import traceback

FACTOR = float(os.environ.get("XENVMC_DEADLINE_FACTOR", "1"))
DEADLINE = 60 * FACTOR
ADDRESS = {socket.AF_INET: ("10.9.0.1", "10.9.0.2"),
           socket.AF_INET6: ("fd09::1", "fd09::2")}
LIBC = ctypes.CDLL(None, use_errno=True)
TRACING = "/sys/kernel/tracing"
ETH_P_ALL = 3
AF_XENVMC = 19      # in uapi/linux/xenvmc.h
DOMID_SELF = 0x7ff0
RINGS = 256         # of a channel, each way
SO_RCVBUFFORCE = 33
SO_TIMESTAMP = 29


def inside(name):
    """This program is in the network namespace @name from now on."""
    with open(f"/run/netns/{name}", "rb") as handle:
        if LIBC.setns(handle.fileno(), 0):
            raise OSError(ctypes.get_errno(), "setns")


def run(*argv):
    """Standard output of a command that must succeed."""
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE,
                          text=True).stdout


def tool(where, *words):
    """What xenvmc says in a namespace."""
    return json.loads(run("ip", "netns", "exec", where, "xenvmc", "-j", *words))


def stat(name):
    """A counter."""
    return tool("a", "stat", "show", "zero")[name]


def until(what, true):
    """Waits for a condition; its value."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        value = true()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"still not: {what}")


class Pair:
    """A TCP connection from namespace a to b, and what went over it."""

    def __init__(self, family=socket.AF_INET, before=None):
        inside("b")
        listener = socket.create_server(("", 0), family=family)
        inside("a")
        self.a = socket.socket(family, socket.SOCK_STREAM)
        if before:
            before(self.a)
        self.a.connect((ADDRESS[family][1], listener.getsockname()[1]))
        self.b = listener.accept()[0]
        listener.close()
        for sock in (self.a, self.b):
            sock.settimeout(DEADLINE)
        self.sent = {self.a: bytearray(), self.b: bytearray()}
        self.read = {self.a: 0, self.b: 0}

    def peer(self, sock):
        """The other end."""
        return self.b if sock is self.a else self.a

    def send(self, sock, data):
        """Sends so that the other end reads it at once."""
        self.sent[sock] += data
        peer = self.peer(sock)
        while self.read[peer] < len(self.sent[sock]):
            if data:
                data = data[sock.send(data[:50000]):]
            self.read[peer] += len(peer.recv(1 << 20))

    def urgent(self):
        """Sends an urgent byte from a, which takes its direction to TCP."""
        self.a.send(b"U", socket.MSG_OOB)
        until("POLLPRI", lambda: select.select([], [], [self.b], 1)[2])
        # With a timeout Python would wait for what is not urgent
        self.b.settimeout(None)
        assert self.b.recv(1, socket.MSG_OOB) == b"U"
        self.b.settimeout(DEADLINE)
        self.sent[self.a] += b"U"
        self.read[self.b] += 1

    def move(self):
        """Sends a byte each way until both go by ring."""
        def moved():
            self.send(self.a, b"m")
            self.send(self.b, b"M")
            return all(end["tx"] == end["rx"] == "ring"
                       for end in (self.show(self.a), self.show(self.b)))
        until("both directions on rings", moved)
        return self

    def show(self, sock):
        """The one line of conn show that is about this end."""
        where = "a" if sock is self.a else "b"
        ino = os.fstat(sock.fileno()).st_ino
        found = [c for c in tool(where, "conn", "show") if c["ino"] == ino]
        assert len(found) == 1, found
        return found[0]

    def close(self):
        """Both ends."""
        self.a.close()
        self.b.close()


def add_up(pair):
    """Each byte is counted once, by the way it took, at either end."""
    for sock in (pair.a, pair.b):
        mine, other = pair.show(sock), pair.show(pair.peer(sock))
        total = len(pair.sent[sock])
        assert mine["tx_bytes"] + mine["tx_tcp_bytes"] == total, (total, mine)
        assert other["rx_bytes"] + other["rx_tcp_bytes"] == total, \
            (total, other)
        assert mine["tx_bytes"] == other["rx_bytes"], (mine, other)


# ---- cases -----------------------------------------------------------------

def ss_shows_a_moved_connection():
    pair = Pair().move()
    for where, sock in (("a", pair.a), ("b", pair.b)):
        ends = " ".join(f"{host}:{port}" for host, port in
                        (sock.getsockname(), sock.getpeername()))
        text = run("ip", "netns", "exec", where, "ss", "-tineH")
        lines = re.sub(r" +", " ", text.replace("\n\t", " ")).splitlines()
        line, = [line for line in lines if ends in line]
        assert line.startswith("ESTAB "), line
        assert f"ino:{os.fstat(sock.fileno()).st_ino} " in line, line
        # -i: what TCP carried, which is little
        assert "cubic" in line or "reno" in line or "rto:" in line, line
        assert pair.show(sock)["tx"] == "ring"
    pair.close()


def bytes_are_counted_by_their_way():
    pair = Pair().move()
    pair.send(pair.a, bytes(300000))
    pair.send(pair.b, bytes(70001))
    add_up(pair)
    before = pair.show(pair.a)
    assert before["tx_switches"] == before["rx_switches"] == 1, before
    assert "reason" not in before, before
    pair.urgent()
    pair.send(pair.a, bytes(1000))
    add_up(pair)
    after = pair.show(pair.a)
    assert after["tx"] == "tcp" and after["reason"] == "urgent", after
    assert after["tx_bytes"] == before["tx_bytes"], (before, after)
    assert after["tx_tcp_bytes"] == before["tx_tcp_bytes"] + 1001
    assert after["tx_switches"] == 2 and after["tx_ring"] == 0, after
    assert after["rx_switches"] == 1 and after["rx"] == "ring", after
    other = pair.show(pair.b)
    assert other["rx"] == "tcp" and other["rx_switches"] == 2, other
    # The end of the stream is no byte
    pair.a.shutdown(socket.SHUT_WR)
    assert pair.b.recv(1) == b""
    add_up(pair)
    pair.close()


@contextlib.contextmanager
def hooks_off():
    """For connections that begin without a question."""
    for where in "ab":
        run("ip", "netns", "exec", where, "xenvmc", "hook", "off")
    try:
        yield
    finally:
        for where in "ab":
            run("ip", "netns", "exec", where, "xenvmc", "hook", "on",
                "loopback")


def bytes_before_a_late_move_are_counted():
    with hooks_off():
        pair = Pair()
        pair.send(pair.a, b"before")

    def ups():
        return sum(end["state"] == "up" for where in "ab"
                   for end in tool(where, "conn", "show"))
    until("both ends have moved", lambda: ups() == 2)
    # It was accepted, and has said nothing
    assert pair.show(pair.b)["tx_tcp_bytes"] == 0, pair.show(pair.b)
    add_up(pair)
    pair.move()
    pair.send(pair.b, bytes(1000))
    add_up(pair)
    pair.close()


@contextlib.contextmanager
def writers_wait():
    """At a full ring, and do not go on by TCP."""
    run("ip", "netns", "exec", "a", "sysctl", "-q", "net.xenvmc.full_ms=0")
    try:
        yield
    finally:
        run("ip", "netns", "exec", "a", "sysctl", "-q",
            "net.xenvmc.full_ms=200")


@writers_wait()
def a_full_ring_is_a_stall():
    pair = Pair().move()
    before = pair.show(pair.a)
    assert before["tx_stalls"] == 0 and before["tx_ring"] > 0, before
    pair.a.setblocking(False)
    fill = 0
    try:
        while True:
            fill += pair.a.send(bytes(30000))
    except BlockingIOError:
        pass
    after = pair.show(pair.a)
    assert fill == after["tx_ring"] == pair.show(pair.b)["rx_ring"], fill
    # The write that was cut short, and the one that was refused
    assert after["tx_stalls"] == 2, after
    pair.close()


class Monitor:
    """xenvmc monitor in a namespace."""

    def __init__(self, where):
        self.where = where
        self.child = subprocess.Popen(
            ["ip", "netns", "exec", where, "xenvmc", "-j", "monitor"],
            stdout=subprocess.PIPE)
        self.text = b""
        try:
            # It says nothing of itself: it listens if it hears
            until("the monitor hears",
                  lambda: self.toggle() or self.event(0.2))
        except BaseException:
            self.child.kill()
            raise
        while self.event(1):
            pass

    def toggle(self):
        """Switches what no connection of ours depends on."""
        run("ip", "netns", "exec", self.where, "xenvmc", "hook", "on")
        run("ip", "netns", "exec", self.where, "xenvmc", "hook", "on",
            "loopback")

    def event(self, seconds):
        """The next event, or None."""
        while b"\n" not in self.text:
            if not select.select([self.child.stdout], [], [], seconds)[0]:
                return None
            more = os.read(self.child.stdout.fileno(), 65536)
            assert more, "the monitor has ended"
            self.text += more
        line, self.text = self.text.split(b"\n", 1)
        return json.loads(line)

    def expect(self, **want):
        """The next event must have these words."""
        event = self.event(DEADLINE)
        assert event, f"no event {want}"
        for key, value in want.items():
            assert event.get(key) == value, (want, event)
        return event

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.terminate()
        self.child.wait()


def monitor_tells_of_a_connection():
    with Monitor("a") as monitor:
        pair = Pair().move()
        shown = pair.show(pair.a)
        keys = ("id", "local", "sport", "remote", "dport", "peer", "ino")
        same = {key: shown[key] for key in keys}
        monitor.expect(object="conn", event="moved", state="up", kind="tcp",
                       **same)
        pair.urgent()
        monitor.expect(object="conn", event="fallback", reason="urgent",
                       **same)
        pair.close()
        del same["ino"]
        monitor.expect(object="conn", event="closed", reason="closed", **same)
        # One that cannot move from the start has no id
        pair = Pair(before=lambda sock: sock.setsockopt(
            socket.SOL_SOCKET, SO_TIMESTAMP, 1))
        event = monitor.expect(object="conn", event="fallback",
                               reason="sockopt",
                               dport=pair.a.getpeername()[1])
        assert "id" not in event, event
        pair.close()
        assert not monitor.event(0.5)


def monitor_knows_the_ports_of_one_that_was_killed():
    with Monitor("a") as monitor:
        pair = Pair().move()
        monitor.expect(event="moved")
        same = {key: pair.show(pair.a)[key]
                for key in ("id", "local", "sport", "remote", "dport")}
        run("ip", "netns", "exec", "a", "ss", "-K", "-t", "dport", "=",
            str(same["dport"]))
        monitor.expect(object="conn", event="closed", reason="tcp_ended",
                       **same)
        pair.close()


def monitor_tells_of_the_hook():
    with Monitor("a") as monitor:
        run("ip", "netns", "exec", "a", "xenvmc", "hook", "off")
        monitor.expect(object="hook", hook=False, loopback=True,
                       xenvmc_inet=True)
        # What changes nothing is nothing to tell, and b is another namespace
        run("ip", "netns", "exec", "a", "xenvmc", "hook", "off")
        run("ip", "netns", "exec", "b", "xenvmc", "hook", "off")
        run("ip", "netns", "exec", "a", "xenvmc", "hook", "on", "loopback")
        monitor.expect(object="hook", hook=True, loopback=True)
        run("ip", "netns", "exec", "b", "xenvmc", "hook", "on", "loopback")


def only_root_may_listen():
    done = subprocess.run(
        ["ip", "netns", "exec", "a", "unshare", "--user", "xenvmc", "monitor"],
        check=False, stderr=subprocess.PIPE, timeout=DEADLINE, text=True)
    assert done.returncode == 2, done
    assert "Operation not permitted" in done.stderr, done


def a_container_is_not_told_what_others_do():
    pair = Pair().move()
    everything, = tool("a", "peer", "show")
    assert everything["addr"] == [] and everything["tx_bytes"], everything
    told, = json.loads(run("unshare", "--user", "--map-root-user", "--net",
                           "xenvmc", "-j", "peer", "show"))
    assert told["domid"] == everything["domid"], told
    assert not {"addr", "conns", "tx_bytes"} & set(told), told
    pair.close()


def nothing_is_built_for_nobody():
    before = stat("monitor_told") + stat("monitor_lost")
    pair = Pair().move()
    pair.close()
    run("ip", "netns", "exec", "a", "xenvmc", "hook", "off")
    run("ip", "netns", "exec", "a", "xenvmc", "hook", "on", "loopback")
    assert stat("monitor_told") + stat("monitor_lost") == before


def trace(name, value):
    """Writes to a file of tracefs."""
    with open(f"{TRACING}/{name}", "w", encoding="ascii") as handle:
        handle.write(value)


def what_is_traced():
    with open(f"{TRACING}/trace", encoding="ascii") as handle:
        return handle.read()


def traced(what):
    """(event, words) of each line that a function leaves in the trace."""
    trace("trace", "")
    trace("events/xenvmc/enable", "1")
    try:
        what()
        text = what_is_traced()
    finally:
        trace("events/xenvmc/enable", "0")
    return [match.groups() for match in
            re.finditer(r": xenvmc_(\w+): (.*)", text)]


def tracepoints_tell_each_decision():
    sums = {}

    def work():
        pair = Pair().move()
        pair.send(pair.a, bytes(100000))
        for name in "ab":
            sums[name] = pair.show(getattr(pair, name))
        pair.close()
        until("both are over", lambda: not tool("a", "conn", "show") and
              not tool("b", "conn", "show"))
        # Whose rings may be on their way back
        until("both rings are back",
              lambda: what_is_traced().count(" back ring=") == 2)
    lines = traced(work)
    text = [f"{event} {words}" for event, words in lines]

    def fields(event, pattern):
        found = [re.search(pattern, words) for name, words in lines
                 if name == event]
        return sorted(match.groups() for match in found if match)
    for want in ("old=new state=asked", "old=asked state=up",
                 "old=new state=await", "old=await state=up",
                 "old=left state=dead"):
        assert any(want in line for line in text), (want, text)
    assert fields("upgrade", r"reason=(\w+)") == [("none",)], text
    # What one end says the other finds: the marks, and each byte
    for word in ("start", "stop"):
        pattern = rf"{{}} {word} (epoch=\d+ seq=\d+ bytes=\d+)"
        tx = fields("switch", pattern.format("tx"))
        assert len(tx) == 2 and tx == fields("switch", pattern.format("rx")), \
            text
    assert f"bytes={sums['a']['tx_bytes']}" in " ".join(
        words[0] for words in fields("switch", r"tx stop (.*)")), text
    ring = r"{} (ring=\d+ epoch=\d+)"
    lent = fields("lend", ring.format("lent"))
    assert len(lent) == 2, text
    assert lent == fields("lend", ring.format("lend")), text
    assert lent == fields("lend", ring.format("back")), text


def end_of(sock):
    """As tracepoints have it."""
    src, dst = (f"[::ffff:{host}]:{port}" for host, port in
                (sock.getsockname(), sock.getpeername()))
    return f"src={src} dst={dst} domid={DOMID_SELF}"


def tracepoints_tell_who_moves_and_why_not():
    """Each end of a connection that moves, and for what it goes back, or one never
    moves."""
    ends = []

    def stamped(sock):
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMP, 1)

    def work():
        before = stat("fallback_sockopt")
        goes = Pair().move()
        stamped(goes.b)
        goes.send(goes.a, b"back")
        stays = Pair(before=stamped)
        # Who reads and writes does not wait for what the peers say
        until("all ends know", lambda: stat("fallback_sockopt") == before + 4)
        stays.send(stays.a, b"there")
        stays.send(stays.b, b"back")
        for pair in (goes, stays):
            ends.extend(end_of(sock) for sock in (pair.a, pair.b))
            pair.close()
    lines = traced(work)
    moved = [words for event, words in lines if event == "moved"]
    assert sorted(moved) == sorted(ends[:2]), (ends, lines)
    # The peer is told why
    back = [words for event, words in lines if event == "fallback"]
    assert sorted(back) == sorted(f"{end} reason=sockopt" for end in ends), \
        (ends, lines)


# ---- the tap ---------------------------------------------------------------

def checksum(data):
    """The Internet checksum of what has its own in it: 0."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def dissect(packet):
    """(source, port, destination, port, seq, payload) of a right packet."""
    if packet[0] >> 4 == 4:
        length, = struct.unpack_from("!H", packet, 2)
        assert packet[0] == 0x45 and packet[9] == socket.IPPROTO_TCP
        assert checksum(packet[:20]) == 0 and length == len(packet)
        family, src, dst, tcp = socket.AF_INET, packet[12:16], \
            packet[16:20], packet[20:]
    else:
        length, = struct.unpack_from("!H", packet, 4)
        assert packet[0] == 0x60 and packet[6] == socket.IPPROTO_TCP
        assert length + 40 == len(packet)
        family, src, dst, tcp = socket.AF_INET6, packet[8:24], \
            packet[24:40], packet[40:]
    pseudo = src + dst + struct.pack("!II", len(tcp), socket.IPPROTO_TCP)
    assert checksum(pseudo + tcp) == 0, "checksum"
    sport, dport, seq = struct.unpack_from("!HHI", tcp)
    assert tcp[12] == 0x50 and tcp[13] == 0x18, "ACK and PSH, no options"
    return ((socket.inet_ntop(family, src), sport),
            (socket.inet_ntop(family, dst), dport), seq, tcp[20:])


class Tap:
    """A capture on a device xenvmcmon in namespace a."""

    def __init__(self, mtu=16384):
        run("ip", "-n", "a", "link", "add", "mon", "mtu", str(mtu), "type",
            "xenvmcmon")
        # Linux 6.1 gives every device an address, and says so on it
        run("ip", "-n", "a", "link", "set", "mon", "addrgenmode", "none")
        self.mtu = mtu
        self.sock = None

    def up(self):
        """From now on."""
        run("ip", "-n", "a", "link", "set", "mon", "up")
        inside("a")
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                  socket.htons(ETH_P_ALL))
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 25)
        self.sock.bind(("mon", ETH_P_ALL))

    def packets(self):
        """What came so far."""
        self.sock.setblocking(False)
        try:
            while True:
                packet = self.sock.recv(65536)
                assert len(packet) <= self.mtu, len(packet)
                yield packet
        except BlockingIOError:
            pass

    @staticmethod
    def count():
        """Packets that the device has shown."""
        link, = json.loads(run("ip", "-n", "a", "-j", "-s", "link", "show",
                               "mon"))
        stats = link["stats64"]["tx"]
        assert stats["dropped"] == 0, stats
        return stats["packets"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.sock:
            self.sock.close()
        run("ip", "-n", "a", "link", "del", "mon")


def exchange(pair, seed):
    """Bytes both ways, in odd sizes."""
    rnd = random.Random(seed)
    for size in (1, 7, 1448, 20000, 65536, 150000, 3):
        pair.send(pair.a, rnd.randbytes(size))
        pair.send(pair.b, rnd.randbytes(size // 2 + 1))


def reassembled(packets, pair, sock):
    """Bytes of the direction that begins at @sock, and the number they begin
    with: each once, none missing."""
    ends = sock.getsockname()[:2], pair.peer(sock).getsockname()[:2]
    found = b""
    begin = None
    for src, dst, seq, data in packets:
        if (src, dst) != ends:
            continue
        if begin is None:
            begin = seq
        assert seq == (begin + len(found)) % (1 << 32), "a gap, or twice"
        found += data
    return found


def tap_of(family, mtu):
    """The stream, as the tap shows it, is the stream."""
    with Tap(mtu) as tap:
        tap.up()
        pair = Pair(family).move()
        exchange(pair, 5)
        packets = [dissect(packet) for packet in tap.packets()]
        assert tap.count() == len(packets) > 20
        ours = {pair.a.getsockname()[1], pair.b.getsockname()[1]}
        assert all({src[1], dst[1]} == ours for src, dst, _, _ in packets)
        for sock in (pair.a, pair.b):
            first = pair.show(sock)["tx_tcp_bytes"]
            want = bytes(pair.sent[sock][first:])
            assert reassembled(packets, pair, sock) == want, "other bytes"
        pair.close()


def tap_shows_the_stream():
    tap_of(socket.AF_INET, 16384)


def tap_shows_the_stream_in_small_packets_of_ipv6():
    tap_of(socket.AF_INET6, 1500)


def tap_that_is_down_sees_nothing():
    with Tap() as tap:
        pair = Pair().move()
        exchange(pair, 6)
        assert tap.count() == 0
        tap.up()
        pair.send(pair.a, b"seen")
        assert [dissect(packet)[3] for packet in tap.packets()] == [b"seen"]
        run("ip", "-n", "a", "link", "set", "mon", "down")
        exchange(pair, 7)
        assert tap.count() == 1
        pair.close()


def tap_numbers_are_those_of_tcp():
    """A tap that comes late shows numbers that continue those of the trace."""
    with Tap() as tap:
        pair = Pair()
        lines = traced(pair.move)
        own = pair.show(pair.a)["id"]
        # Both ends may have the same id, each on a channel of its own
        starts = [int(re.search(r"seq=(\d+)", words).group(1))
                  for event, words in lines if event == "switch" and
                  f"conn={own} tx start" in words]
        before = pair.show(pair.a)["tx_bytes"]
        tap.up()
        pair.send(pair.a, b"later")
        (_, _, seq, data), = [dissect(packet) for packet in tap.packets()]
        assert data == b"later"
        assert (seq - before) % (1 << 32) in starts, (seq, before, starts)
        pair.close()


def a_stranger_costs_one_lookup():
    """An address of no peer is looked up once at each end, and that is all."""
    for where in "ab":
        run("ip", "netns", "exec", where, "xenvmc", "hook", "on")
    try:
        before = {name: stat(name) for name in ("hook_lookups", "tx_bytes",
                                                "hook_candidates")}
        for _ in range(10):
            pair = Pair()
            for _ in range(20):
                pair.send(pair.a, b"to")
                pair.send(pair.b, b"fro")
            pair.close()
        assert stat("hook_lookups") == before["hook_lookups"] + 20
        assert stat("hook_candidates") == before["hook_candidates"]
        assert stat("tx_bytes") == before["tx_bytes"]
    finally:
        for where in "ab":
            run("ip", "netns", "exec", where, "xenvmc", "hook", "on",
                "loopback")


def stream_pair():
    """Both ends of a stream of AF_XENVMC within this machine."""
    def call(name, sock, *args):
        result = getattr(LIBC, name)(sock.fileno(), *args)
        if result < 0:
            raise OSError(ctypes.get_errno(), name)
        return result

    address = struct.pack("=HHI8x", AF_XENVMC, DOMID_SELF, 4711)
    listener, client = (socket.socket(AF_XENVMC, socket.SOCK_STREAM)
                        for _ in range(2))
    call("bind", listener, address, len(address))
    listener.listen()
    call("connect", client, address, len(address))
    server = socket.socket(fileno=call("accept", listener, None, None))
    listener.close()
    for sock in (client, server):
        sock.settimeout(DEADLINE)
    return client, server


def idle_connections_yield_their_rings():
    """TCP has all rings of both directions; a stream gets two of them."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    pairs = [Pair() for _ in range(RINGS + 5)]

    def all_lent():
        for pair in pairs:
            pair.send(pair.a, b"to")
            pair.send(pair.b, b"fro")
        ends = [end for where in "ab" for end in tool(where, "conn", "show")]
        return all(sum(end["rx_ring"] > 0 and end["sport"] in ports
                       for end in ends) == RINGS for ports in
                   ({pair.a.getsockname()[1] for pair in pairs},
                    {pair.b.getsockname()[1] for pair in pairs}))
    until("all rings are lent", all_lent)
    before = stat("fallback_no_ring")
    ends = stream_pair()
    for one, other in (ends, ends[::-1]):
        one.sendall(b"there")
        assert other.recv(100) == b"there"
    assert stat("fallback_no_ring") > before
    for pair in pairs:
        pair.send(pair.a, b"to")
        pair.send(pair.b, b"fro")


CASES = [idle_connections_yield_their_rings,
         ss_shows_a_moved_connection, bytes_are_counted_by_their_way,
         bytes_before_a_late_move_are_counted,
         a_full_ring_is_a_stall, monitor_tells_of_a_connection,
         monitor_knows_the_ports_of_one_that_was_killed,
         monitor_tells_of_the_hook, only_root_may_listen,
         a_container_is_not_told_what_others_do,
         nothing_is_built_for_nobody,
         tracepoints_tell_each_decision,
         tracepoints_tell_who_moves_and_why_not, tap_shows_the_stream,
         tap_shows_the_stream_in_small_packets_of_ipv6,
         tap_that_is_down_sees_nothing, tap_numbers_are_those_of_tcp,
         a_stranger_costs_one_lookup]


def attempt(case):
    """Runs a case in a process of its own."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1] == 0
    status = 1
    try:
        case()
        status = 0
    except BaseException:  # pylint: disable=broad-except
        for line in traceback.format_exc().splitlines():
            print(f"# {line}")
    sys.stdout.flush()
    os._exit(status)


def main():
    """The cases named, or all; the number of those that failed."""
    cases = [case for case in CASES
             if case.__name__ in (sys.argv[1:] or [case.__name__])]
    print(f"TAP version 13\n1..{len(cases)}", flush=True)
    failed = 0
    for number, case in enumerate(cases, 1):
        good = attempt(case)
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} "
              f"{case.__name__.replace('_', ' ')}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(bool(main()))
