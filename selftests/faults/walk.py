# SPDX-License-Identifier: GPL-2.0
"""What walks with failures share on the sanitizer kernel:
loading modules, arming a site, counters, bytes that cannot be confused."""
import errno
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path += [HERE, os.path.join(HERE, "../netlink")]

# pylint: disable=wrong-import-position
from netlink_test import (ENABLED, HOOK_GET, HOOK_SET,  # noqa: E402
                          LOOPBACK, PEER_GET, STAT_GET, Listener, Netlink,
                          Refused, attr, attrs, gaps)
from views import stats  # noqa: E402

KMEMLEAK = "/sys/kernel/debug/kmemleak"
PARAMETERS = "/sys/module/xenvmc/parameters"
PEER_CONNS = 6
# Of the counters that are no reason to be on TCP, those that tell of trouble
TROUBLE = ("violations", "ctl_dropped", "channels_down", "monitor_lost")
AF_XENVMC, ANY = 19, 0xffff


class Wrong(Exception):
    """What no failure excuses."""


def check(cond, text):
    """Raise Wrong if not @cond."""
    if not cond:
        raise Wrong(text)


# ---- modules ---------------------------------------------------------------

def loaded(name="xenvmc"):
    """Whether the module is there."""
    return os.path.isdir(f"/sys/module/{name}")


def insmod(folder, name, *words):
    """True if the module was loaded."""
    return not subprocess.run(["insmod", f"{folder}/{name}.ko", *words],
                              stderr=subprocess.DEVNULL,
                              check=False).returncode


def rmmod(name):
    """A closed connection holds its module until the peer has answered. The
    deadline is that of the caller."""
    while subprocess.run(["rmmod", name], stderr=subprocess.DEVNULL,
                         check=False).returncode:
        time.sleep(0.05)


# ---- sites -----------------------------------------------------------------

def turn(name, value):
    """Set a parameter of the test build."""
    with open(f"{PARAMETERS}/{name}", "w", encoding="ascii") as file:
        # Without a byte there would be no write
        file.write(f"{value}\n")


def parameter(name):
    """The number that stands there."""
    with open(f"{PARAMETERS}/{name}", encoding="ascii") as file:
        return int(file.read())


def arm(nth, site=""):
    """The @nth call of @site fails, or of any. 0: none; calls are counted anew
    in any case."""
    for name, value in (("nth", 0), ("site", site), ("nth", nth)):
        turn(f"fault_{name}", value)


def calls():
    """How often each site was asked since arm()."""
    with open(f"{PARAMETERS}/fault_calls", encoding="ascii") as file:
        return {line.split()[0]: int(line.split()[1]) for line in file}


class Log:
    """The kernel's messages from now on: they tell which sites failed."""

    def __init__(self):
        self.file = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.file, 0, os.SEEK_END)

    def sites(self):
        """Those that failed since the last call."""
        found = []
        while True:
            try:
                line = os.read(self.file, 8192).decode(errors="replace")
            except BlockingIOError:
                return found
            found += re.findall(r"fails on purpose: (\w+)", line)


# ---- counters --------------------------------------------------------------

def effect(before, now):
    """What users are told of a walk: reasons to be on TCP, and trouble, with
    their number if there are several."""
    told = []
    for name, value in sorted(now.items()):
        more = value - before.get(name, 0)
        reason = name.removeprefix("fallback_")
        if more and (reason != name or name in TROUBLE):
            told.append(reason if more == 1 else f"{reason}*{more}")
    return " ".join(told)


def connections():
    """How many connections there are, closed ones that linger included."""
    peers, _ = Netlink().dump(PEER_GET)
    return sum(struct.unpack("I", dict(peer).get(PEER_CONNS, bytes(4)))[0]
               for peer in peers)


def until(condition, what, seconds):
    """Wait until it is true."""
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, f"not within {seconds:.0f} s: {what}")
        time.sleep(0.02)


# ---- bytes -----------------------------------------------------------------

def block(seed, size):
    """Any two differ, and no part repeats."""
    words = (size + 3) // 4
    return struct.pack(f"<{words}I", *range(seed << 20,
                                            (seed << 20) + words))[:size]


def take(sock, data):
    """@data has to come."""
    got = b""
    while len(got) < len(data):
        more = sock.recv(len(data) - len(got))
        if not more:
            raise ConnectionResetError(errno.ECONNRESET, "early end")
        got += more
        check(data.startswith(got), "a byte is wrong")


def carry(source, sink, data):
    """One direction; what goes wrong at the writing end is told here."""
    failed = []

    def write():
        try:
            source.sendall(data)
        except OSError as err:
            failed.append(err)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        take(sink, data)
    finally:
        writer.join()
    if failed:
        raise failed[0]


def exchange(one, other, size):
    """Both directions, then the end of the stream."""
    carry(one, other, block(1, size))
    carry(other, one, block(2, size))
    one.shutdown(socket.SHUT_WR)
    check(other.recv(1) == b"", "bytes behind the stream")
    other.shutdown(socket.SHUT_WR)
    check(one.recv(1) == b"", "bytes behind the stream")


class Beside:
    """A connection whose bytes go back and forth while something else fails."""

    def __init__(self, one, other, seconds):
        self.ends, self.seconds = (one, other), seconds
        self.rounds, self.failed = 0, None
        self.over = threading.Event()
        for sock in self.ends:
            sock.settimeout(seconds)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        """Until stop()."""
        one, other = self.ends
        try:
            while not self.over.is_set():
                data = block(self.rounds % 1000, 1000)
                one.sendall(data)
                take(other, data)
                other.sendall(data)
                take(one, data)
                self.rounds += 1
                # The processor is for what fails
                self.over.wait(0.02)
        except (OSError, Wrong) as err:
            self.failed = err

    def moves(self):
        """Bytes have gone both ways since now."""
        first = self.rounds
        # The next round has begun before, perhaps
        until(lambda: self.failed or self.rounds > first + 1,
              "the bytes of another connection move", self.seconds)
        check(not self.failed, f"another connection: {self.failed!r}")

    def stop(self):
        """It has to end as it should."""
        self.over.set()
        self.thread.join()
        check(not self.failed, f"another connection: {self.failed!r}")
        exchange(*self.ends, 100)
        for sock in self.ends:
            sock.close()


def check_memory():
    """Nothing is lost. Nothing counts that is younger than five seconds, or that
    changed between two scans."""
    time.sleep(5)
    for _ in range(2):
        with open(KMEMLEAK, "w", encoding="ascii") as file:
            file.write("scan")
    with open(KMEMLEAK, encoding="ascii") as file:
        lost = file.read(4000)
    print("# " + lost.replace("\n", "\n# ") if lost else "", end="")
    check(not lost, "memory is lost")


def named(domid, port):
    """struct sockaddr_xenvmc."""
    return struct.pack("=HHI8x", AF_XENVMC, domid, port)
