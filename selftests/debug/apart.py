# SPDX-License-Identifier: GPL-2.0
"""What the tests share whose streams have ends that are apart: to part them and to
bring them together, what the tools show of that, a network that loses packets."""
import contextlib
import fcntl
import os
import struct
import subprocess
import sys
import termios

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path += [HERE]

# pylint: disable=wrong-import-position
from park import (SUSPENDED, THERE, Counters, Way, channel,  # noqa: E402
                  check, is_up, until, views, walk)

CARRY = "/proc/sys/net/xenvmc/carry"
TCP_PORT = 22614
RING = 512 << 10        # bytes of the ring of one of few streams


# ---- what the tools show ---------------------------------------------------

def policy(allowed):
    with open(CARRY, "w", encoding="ascii") as file:
        file.write(str(int(allowed)))


def paths():
    """Each direction of each end, as far as it is up."""
    return [conn[way] for conn in views.conns()
            for way in ("tx", "rx") if conn["state"] == "up"]


def tcp_connections():
    """Local ports of those between the two ends."""
    told = subprocess.run(["ss", "-Htn", "state", "established"], check=True,
                          capture_output=True, text=True).stdout
    return [line for line in told.splitlines() if f":{TCP_PORT} " in line]


def all_is_heard():
    """Of those that there are, whoever it was said to has it."""
    return all(line.split()[:2] == ["0", "0"] for line in tcp_connections())


def listens():
    told = subprocess.run(["ss", "-Htln"], check=True, capture_output=True,
                          text=True).stdout
    return f":{TCP_PORT} " in told


def apart(conns=1, ways=None):
    """The ends are on different hosts, and TCP carries so many streams."""
    told = Counters()
    channel(SUSPENDED)
    ways = 4 * conns if ways is None else ways
    until(lambda: told.more("conn_carried") >= 2 * conns and
          paths().count("tcp") == ways, f"TCP carries {conns} streams", paths)


def together(conns=1):
    channel(THERE)
    is_up(conns)
    check("tcp" not in paths(), f"{paths()}")


def unread(sock):
    return struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, bytes(4)))[0]


def unsent(sock):
    """Bytes in the ring, from which its carrier takes them to TCP."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0]


def fill(way):
    """TCP has much for a reader who does not read: his ring is full."""
    way.send(RING + 300000)
    until(lambda: not unsent(way.source) and unread(way.target) > RING - 10000,
          "the ring is full, and TCP has the rest")


@contextlib.contextmanager
def limits(**values):
    """These are reached sooner."""
    for name, value in values.items():
        walk.turn(f"limit_{name}", value)
    try:
        yield
    finally:
        for name in values:
            walk.turn(f"limit_{name}", 0)


@contextlib.contextmanager
def stalled(place, comers=1):
    """The next @comers to that place wait there until the end of this. Gives a
    function that says whether they have come."""
    walk.turn(f"stall_{place}", comers)
    try:
        yield lambda: walk.parameter(f"stall_{place}") == 0
    finally:
        walk.turn(f"stall_{place}", -1)


def both_ways(client, server, seed):
    return Way(client, server, seed), Way(server, client, seed + 1)


def close(*socks):
    for sock in socks:
        sock.close()


def ends_with(sock):
    check(sock.recv(1) == b"", "the end of the stream")


# ---- the network -----------------------------------------------------------

@contextlib.contextmanager
def lossy(percent):
    """The network between the two loses that many packets."""
    subprocess.run(["tc", "qdisc", "add", "dev", "lo", "root", "netem",
                    "loss", f"{percent}%"], check=True)
    try:
        yield
    finally:
        subprocess.run(["tc", "qdisc", "del", "dev", "lo", "root"],
                       check=True)


def timer():
    """(Attempts in vain, seconds until the next one) of the connection that
    has most of them."""
    told = subprocess.run(["ss", "-Htni", "state", "established"], check=True,
                          capture_output=True, text=True).stdout
    found = [(0, 0.0)]
    for line in told.splitlines():
        fields = dict(word.split(":", 1) for word in line.split()
                      if word.startswith(("rto:", "backoff:")))
        if "backoff" in fields:
            found.append((int(fields["backoff"]), float(fields["rto"]) / 1e3))
    return max(found)
