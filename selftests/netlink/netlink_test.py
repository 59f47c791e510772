#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""netlink_test.py: the kernel's side of the generic netlink family. TAP.

Runs as root where xenvmc is loaded; needs neither Xen nor the tool. Every case
has a network namespace of its own.
"""
import collections
import ctypes
import errno
import os
import socket
import struct
import sys
import traceback

NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 1, 4, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
NETLINK_EXT_ACK, NETLINK_CAP_ACK, SOL_NETLINK = 11, 10, 270
NLM_F_ACK_TLVS = 0x200
NETLINK_GENERIC, GENL_ID_CTRL, CTRL_CMD_GETFAMILY = 16, 16, 3
CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME, CTRL_ATTR_VERSION = 1, 2, 3
CTRL_ATTR_MCAST_GROUPS, NETLINK_ADD_MEMBERSHIP, SO_RCVBUFFORCE = 7, 1, 33
PEER_GET, CONN_GET, STAT_GET, HOOK_GET, HOOK_SET = 1, 2, 3, 4, 5
PEER_EVENT, CONN_EVENT, HOOK_EVENT = 6, 7, 8
ENABLED, LOOPBACK, LOADED, FAMILY, HOOK_SEQ = 1, 2, 3, 4, 7
AF_XENVMC, SELF = 19, 0x7ff0
CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000
LIBC = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """The kernel's error: its number and its words."""

    def __init__(self, number, words):
        super().__init__(f"{errno.errorcode.get(number, number)}: {words}")
        self.number, self.words = number, words


def attr(kind, data):
    """One attribute, padded."""
    return struct.pack("HH", 4 + len(data), kind) + data \
        + bytes(-len(data) % 4)


def attrs(data):
    """[(kind, value)] of a sequence of attributes."""
    found = []
    while len(data) >= 4:
        size, kind = struct.unpack_from("HH", data)
        found.append((kind & 0x3fff, data[4:size]))
        data = data[(size + 3) & ~3:]
    return found


class Netlink:
    """A generic netlink socket in the present network namespace."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW,
                                  NETLINK_GENERIC)
        self.sock.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        self.sock.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        self.sock.bind((0, 0))
        self.sock.settimeout(30)
        answer = dict(self.ask(GENL_ID_CTRL, CTRL_CMD_GETFAMILY,
                               attr(CTRL_ATTR_FAMILY_NAME, b"xenvmc\0"))[0])
        self.family, = struct.unpack("H", answer[CTRL_ATTR_FAMILY_ID])
        self.version, = struct.unpack("I", answer[CTRL_ATTR_VERSION])

    def send(self, family, cmd, body, flags):
        """Sends one request."""
        data = struct.pack("BBH", cmd, 1, 0) + body
        self.sock.send(struct.pack("IHHII", 16 + len(data), family,
                                   NLM_F_REQUEST | flags, 1, 0) + data)

    def messages(self, on_part=None):
        """Attribute lists of an answer, until its acknowledgement."""
        found, parts = [], 0
        while True:
            data = self.sock.recv(8192)
            parts += 1
            while data:
                size, kind, flags = struct.unpack_from("IHH", data)
                if kind in (NLMSG_ERROR, NLMSG_DONE):
                    self.finish(data[:size], kind, flags)
                    return found, parts
                found.append(attrs(data[20:size]))
                data = data[(size + 3) & ~3:]
            if on_part:
                on_part()

    @staticmethod
    def finish(message, kind, flags):
        """Raises Refused for an acknowledgement that is an error."""
        status, = struct.unpack_from("i", message, 16)
        tlvs = message[36:] if kind == NLMSG_ERROR else message[20:]
        words = dict(attrs(tlvs)).get(1, b"") if flags & NLM_F_ACK_TLVS \
            else b""
        if status:
            raise Refused(-status, words.rstrip(b"\0").decode())

    def ask(self, family, cmd, body=b""):
        """A request that is answered, or acknowledged only."""
        self.send(family, cmd, body, NLM_F_ACK)
        return self.messages()[0]

    def do(self, cmd, body=b""):
        """The same, of our family."""
        return self.ask(self.family, cmd, body)

    def dump(self, cmd, body=b"", on_part=None):
        """A dump of our family: its messages and the number of parts."""
        self.send(self.family, cmd, body, NLM_F_DUMP)
        return self.messages(on_part)

    def stat(self, name):
        """A counter."""
        entries, = self.do(STAT_GET)
        for entry in (dict(attrs(value)) for _, value in entries):
            if entry[2] == name.encode() + b"\0":
                return struct.unpack("Q", entry[3])[0]
        raise AssertionError(f"no counter {name}")

    def hook(self):
        """The hook's attributes."""
        return dict(self.do(HOOK_GET)[0])

    def conns(self, on_part=None):
        """The connections of this namespace and the number of parts."""
        found, parts = self.dump(CONN_GET, on_part=on_part)
        return [dict(conn) for conn in found], parts


def refused(number, words, call, *args):
    """@call must fail with this error and these words in its message."""
    try:
        call(*args)
    except Refused as error:
        assert error.number == number and words in error.words, str(error)
        return
    raise AssertionError("not refused")


def libc(name, *args):
    """A call of libc; OSError if it fails."""
    result = getattr(LIBC, name)(*args)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def address(port):
    """struct sockaddr_xenvmc of the loopback."""
    return struct.pack("HHI8x", AF_XENVMC, SELF, port)


class Streams:
    """Connections of AF_XENVMC through the loopback; fewer than its rings."""

    def __init__(self, port):
        self.port = port
        self.fds = []
        self.listener = libc("socket", AF_XENVMC, socket.SOCK_STREAM, 0)
        libc("bind", self.listener, address(port), 16)
        libc("listen", self.listener, 64)

    def open(self, count):
        """Opens that many: two ends each."""
        for _ in range(count):
            client = libc("socket", AF_XENVMC, socket.SOCK_STREAM, 0)
            libc("connect", client, address(self.port), 16)
            self.fds += [client, libc("accept", self.listener, None, None)]

    def close(self, count):
        """Closes the oldest so many."""
        for fd in self.fds[:2 * count]:
            os.close(fd)
        del self.fds[:2 * count]


# Of enum xenvmc_attr_conn
ID, DOMID, KIND, STATE, SPORT, DPORT, INO = 1, 2, 3, 4, 7, 8, 13
CONN_SEQ, EVENT = 23, 24
# That has the number of an event, by command; 12 is of enum xenvmc_attr_peer
SEQ = {PEER_EVENT: 12, CONN_EVENT: CONN_SEQ, HOOK_EVENT: HOOK_SEQ}


class Listener:
    """A member of our multicast group. @room: bytes that may wait for it."""

    def __init__(self, room=1 << 22):
        link = Netlink()
        answer = dict(link.ask(GENL_ID_CTRL, CTRL_CMD_GETFAMILY,
                               attr(CTRL_ATTR_FAMILY_NAME, b"xenvmc\0"))[0])
        groups = [dict(attrs(group)) for _, group in
                  attrs(answer[CTRL_ATTR_MCAST_GROUPS])]
        group, = [struct.unpack("I", group[2])[0] for group in groups
                  if group[1] == b"events\0"]
        self.sock = link.sock
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, room)
        self.sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
        self.overrun = 0

    def events(self, seconds=0.0):
        """(number, command, attributes) of what has come."""
        found = []
        while True:
            self.sock.settimeout(seconds or 1e-6)
            try:
                data = self.sock.recv(8192)
            except (TimeoutError, BlockingIOError):
                return found
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.overrun += 1
                continue
            body = dict(attrs(data[20:]))
            seq = body[SEQ[data[16]]]
            found.append((struct.unpack("I", seq)[0], data[16], body))


def gaps(events):
    """How many are missing between those that came."""
    numbers = [number for number, _, _ in events]
    assert numbers == sorted(set(numbers)), "out of order, or twice"
    return numbers[-1] - numbers[0] + 1 - len(numbers)


def inodes(conns):
    """How often each socket is shown."""
    return collections.Counter(struct.unpack("Q", conn[INO])[0]
                               for conn in conns)


def family_has_its_version():
    assert Netlink().version == 1


def peers_have_the_loopback():
    peers = [dict(peer) for peer in Netlink().dump(PEER_GET)[0]]
    domids = [struct.unpack("H", peer[1])[0] for peer in peers]
    assert domids.count(SELF) == 1 and len(set(domids)) == len(domids)
    loop = peers[domids.index(SELF)]
    assert loop[2] == b"connected\0" and loop[3] == b"loop\0", loop


def counters_have_names():
    entries, = Netlink().do(STAT_GET)
    names = [dict(attrs(value))[2] for _, value in entries]
    assert len(set(names)) == len(names)
    assert {b"kicks\0", b"fallback_none\0",
            b"fallback_reclaim\0"} <= set(names)


def hook_defaults():
    hook = Netlink().hook()
    assert hook[ENABLED] == b"\1" and hook[LOOPBACK] == b"\0"
    assert struct.unpack("I", hook[FAMILY])[0] == AF_XENVMC


def hook_set_and_read_back():
    link = Netlink()
    link.do(HOOK_SET, attr(ENABLED, b"\0"))
    link.do(HOOK_SET, attr(LOOPBACK, b"\1"))
    hook = link.hook()
    assert hook[ENABLED] == b"\0" and hook[LOOPBACK] == b"\1"
    link.do(HOOK_SET, attr(ENABLED, b"\1") + attr(LOOPBACK, b"\0"))
    hook = link.hook()
    assert hook[ENABLED] == b"\1" and hook[LOOPBACK] == b"\0"


def hook_set_is_per_namespace():
    outer = Netlink()
    libc("unshare", CLONE_NEWNET)
    Netlink().do(HOOK_SET, attr(ENABLED, b"\0"))
    assert outer.hook()[ENABLED] == b"\1"


def hook_set_nothing_fails():
    refused(errno.EINVAL, "nothing to set", Netlink().do, HOOK_SET)


def hook_set_2_fails():
    link = Netlink()
    refused(errno.ERANGE, "out of range", link.do, HOOK_SET,
            attr(ENABLED, b"\2"))
    assert link.hook()[ENABLED] == b"\1"


def hook_set_long_value_fails():
    refused(errno.EINVAL, "length", Netlink().do, HOOK_SET,
            attr(ENABLED, b"\0\0\0\0"))


def hook_set_unknown_attribute_fails():
    refused(errno.EINVAL, "nknown attribute", Netlink().do, HOOK_SET,
            attr(ENABLED, b"\0") + attr(99, b"\0"))


def hook_set_read_only_attribute_fails():
    for kind in (LOADED, FAMILY, HOOK_SEQ):
        refused(errno.EINVAL, "only be read", Netlink().do, HOOK_SET,
                attr(kind, b"\0\0\0\0"))


def get_with_an_attribute_fails():
    link = Netlink()
    for call, cmd in ((link.do, STAT_GET), (link.do, HOOK_GET),
                      (link.dump, PEER_GET), (link.dump, CONN_GET)):
        refused(errno.EINVAL, "ttribute", call, cmd, attr(1, b"\0\0\0\0"))


def unknown_command_fails():
    refused(errno.EOPNOTSUPP, "", Netlink().do, 99)


def hook_set_without_capability_fails():
    link = Netlink()
    pid = os.fork()
    if not pid:
        try:
            os.setresuid(65534, 65534, 65534)
            other = Netlink()
            other.hook()
            refused(errno.EPERM, "", other.do, HOOK_SET, attr(ENABLED, b"\0"))
            os._exit(0)
        except BaseException:  # pylint: disable=broad-except
            traceback.print_exc(file=sys.stdout)
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0
    assert link.hook()[ENABLED] == b"\1"


def conn_shows_both_ends():
    streams = Streams(5001)
    streams.open(1)
    conns, _ = Netlink().conns()
    assert len(conns) == 2, conns
    ports = []
    for conn in conns:
        assert conn[KIND] == b"stream\0" and conn[STATE] == b"up\0", conn
        assert struct.unpack("H", conn[DOMID])[0] == SELF
        ports.append(struct.unpack("II", conn[SPORT] + conn[DPORT]))
    assert ports[0] == ports[1][::-1] and 5001 in ports[0], ports
    assert set(inodes(conns)) == {os.fstat(fd).st_ino for fd in streams.fds}


def conn_of_another_namespace_is_not_shown():
    outer = Netlink()
    streams = Streams(5002)
    streams.open(3)
    libc("unshare", CLONE_NEWNET)
    assert len(outer.conns()[0]) == 6
    assert not Netlink().conns()[0]


def conn_in_many_parts():
    streams = Streams(5003)
    streams.open(200)
    conns, parts = Netlink().conns()
    assert parts > 3, parts
    assert len(conns) == 400 and max(inodes(conns).values()) == 1


def conn_that_stays_is_shown_whatever_changes():
    streams = Streams(5004)
    streams.open(200)
    inner = {os.fstat(fd).st_ino for fd in streams.fds[200:]}

    def change():
        streams.close(10)
        streams.open(10)
    conns, parts = Netlink().conns(change)
    stay = {os.fstat(fd).st_ino for fd in streams.fds} & inner
    assert parts > 3 and len(stay) >= 100, (parts, len(stay))
    shown = inodes(conns)
    assert stay <= set(shown)
    assert max(shown[ino] for ino in shown if ino) == 1


def events_of_a_connection():
    listener = Listener()
    streams = Streams(5005)
    streams.open(1)
    ids = {struct.unpack("I", conn[ID])[0] for conn in Netlink().conns()[0]}
    streams.close(1)
    found = []
    while len(found) < 4:
        more = listener.events(5)
        assert more, found
        found += more
    assert gaps(found) == 0 and len(found) == 4
    told = [(body[EVENT], struct.unpack("I", body[ID])[0])
            for _, command, body in found if command == CONN_EVENT]
    for event in (b"opened\0", b"closed\0"):
        assert {number for what, number in told if what == event} == ids, told
    assert all(body[KIND] == b"stream\0" for _, _, body in found)


def events_of_the_hook():
    link, listener = Netlink(), Listener()
    for value in (b"\0", b"\0", b"\1"):
        link.do(HOOK_SET, attr(ENABLED, value))
    found = listener.events()
    assert [body[ENABLED] for _, _, body in found] == [b"\0", b"\1"], found
    assert gaps(found) == 0


def events_of_another_namespace_are_not_told():
    link, listener = Netlink(), Listener()
    libc("unshare", CLONE_NEWNET)
    Netlink().do(HOOK_SET, attr(ENABLED, b"\0"))
    assert not listener.events()
    link.do(HOOK_SET, attr(ENABLED, b"\0"))
    assert len(listener.events()) == 1


def events_are_built_for_listeners_only():
    link = Netlink()
    before = link.stat("monitor_told")
    link.do(HOOK_SET, attr(ENABLED, b"\0"))
    assert link.stat("monitor_told") == before
    listener = Listener()
    link.do(HOOK_SET, attr(ENABLED, b"\1"))
    assert link.stat("monitor_told") == before + 1
    listener.sock.close()
    link.do(HOOK_SET, attr(ENABLED, b"\0"))
    assert link.stat("monitor_told") == before + 1


def toggle(link, count):
    """So many events."""
    for number in range(count):
        link.do(HOOK_SET, attr(LOOPBACK, bytes([1 - number % 2])))


def events_that_are_not_read_are_counted():
    link, listener = Netlink(), Listener(room=8192)
    toggle(link, 200)
    found = listener.events()
    assert listener.overrun and len(found) < 200
    toggle(link, 2)
    found += listener.events()
    assert len(found) + gaps(found) == 202, (len(found), gaps(found))


def events_have_a_rate():
    rate = "/proc/sys/net/xenvmc/monitor_rate"
    with open(rate, encoding="ascii") as handle:
        assert handle.read() == "1000\n"
    with open(rate, "w", encoding="ascii") as handle:
        handle.write("3")
    link, listener = Netlink(), Listener()
    before = link.stat("monitor_lost")
    for _ in range(100):
        toggle(link, 10)
        if link.stat("monitor_lost") > before:
            break
    found = listener.events()
    # Told again within the next second
    end = len(found)
    while len(found) == end:
        toggle(link, 2)
        found += listener.events(0.05)
    assert not listener.overrun
    lost = link.stat("monitor_lost") - before
    assert lost > 0 and gaps(found) == lost, (gaps(found), lost)


CASES = [family_has_its_version, peers_have_the_loopback, counters_have_names,
         hook_defaults, hook_set_and_read_back, hook_set_is_per_namespace,
         hook_set_nothing_fails, hook_set_2_fails, hook_set_long_value_fails,
         hook_set_unknown_attribute_fails, hook_set_read_only_attribute_fails,
         get_with_an_attribute_fails, unknown_command_fails,
         hook_set_without_capability_fails, conn_shows_both_ends,
         conn_of_another_namespace_is_not_shown, conn_in_many_parts,
         conn_that_stays_is_shown_whatever_changes,
         events_of_a_connection, events_of_the_hook,
         events_of_another_namespace_are_not_told,
         events_are_built_for_listeners_only,
         events_that_are_not_read_are_counted, events_have_a_rate]


def run(case):
    """Runs a case in a process and a network namespace of its own."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1] == 0
    status = 1
    try:
        libc("unshare", CLONE_NEWNET)
        case()
        status = 0
    except BaseException:  # pylint: disable=broad-except
        for line in traceback.format_exc().splitlines():
            print(f"# {line}")
    sys.stdout.flush()
    os._exit(status)


def main():
    """All cases; the number of those that failed."""
    print(f"TAP version 13\n1..{len(CASES)}", flush=True)
    failed = 0
    for number, case in enumerate(CASES, 1):
        good = run(case)
        failed += not good
        name = case.__name__.replace("_", " ")
        print(f"{'ok' if good else 'not ok'} {number} {name}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(bool(main()))
