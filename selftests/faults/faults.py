#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""faults.py MODULES [PATH...]: each call that can fail does so once. TAP.

Runs on the sanitizer kernel, as root, with the modules of a test build. On each
path the first call of a site fails, then the second, until the path is walked
without a failure. Each time: nothing hangs, no byte is wrong, the path can be
walked again, and the modules can be unloaded. The kernel's complaints and lost
memory are looked for by who runs this.
"""
import collections
import ctypes
import errno
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
import traceback

FACTOR = float(os.environ.get("XENVMC_DEADLINE_FACTOR", "1"))
DEADLINE = int(30 * FACTOR)     # of one walk
PARAMETERS = "/sys/module/xenvmc/parameters"
AF_XENVMC, SELF, ANY, PORT = 19, 0x7ff0, 0xffff, 7900
SERVER = "10.9.0.2"
SIZE = 40000
TCP_INQ = 36
LIBC = ctypes.CDLL(None, use_errno=True)
# What a call of AF_XENVMC may fail with while memory is short at either end
SHORT = (errno.ENOMEM, errno.ENOBUFS, errno.ECONNREFUSED, errno.ECONNRESET,
         errno.EPIPE, errno.ETIMEDOUT)


class Wrong(Exception):
    """What no failure excuses."""


class Hang(BaseException):
    """The deadline has passed."""


def hang(_signo, _frame):
    raise Hang(f"no end after {DEADLINE} s")


def check(cond, text):
    if not cond:
        raise Wrong(text)


# ---- the modules -----------------------------------------------------------

def insmod(name, *words):
    """True if the module was loaded."""
    return not subprocess.run(["insmod", f"{sys.argv[1]}/{name}.ko", *words],
                              stderr=subprocess.DEVNULL,
                              check=False).returncode


def rmmod(name):
    """A closed connection holds its module until the peer has answered."""
    while subprocess.run(["rmmod", name], stderr=subprocess.DEVNULL,
                         check=False).returncode:
        time.sleep(0.05)        # under the deadline of the walk


def stats():
    """All counters."""
    out = subprocess.run(["xenvmc", "-j", "stat", "show"], check=True,
                         capture_output=True, text=True).stdout
    told = json.loads(out)
    if isinstance(told, dict):
        return told
    if told and "name" in told[0]:
        return {s["name"]: s["value"] for s in told}
    return {name: value for s in told for name, value in s.items()}


def fallbacks(now):
    return sum(n for name, n in now.items() if name.startswith("fallback_"))


def loaded():
    return os.path.isdir("/sys/module/xenvmc")


def arm(nth):
    """0: no call fails."""
    if loaded():
        with open(f"{PARAMETERS}/fault_nth", "w", encoding="ascii") as file:
            file.write(str(nth))


class Log:
    """The kernel's messages from now on: they tell which sites failed."""

    def __init__(self):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)

    def sites(self):
        """Those that failed since the last call."""
        found = []
        while True:
            try:
                line = os.read(self.fd, 8192).decode(errors="replace")
            except BlockingIOError:
                return found
            found += re.findall(r"fails on purpose: (\w+)", line)


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


def exchange(one, other):
    """Both directions, then the end of the stream."""
    carry(one, other, block(1, SIZE))
    carry(other, one, block(2, SIZE))
    one.shutdown(socket.SHUT_WR)
    check(other.recv(1) == b"", "bytes behind the stream")


# ---- paths -----------------------------------------------------------------

def named(domid):
    """struct sockaddr_xenvmc."""
    return struct.pack("=HHI8x", AF_XENVMC, domid, PORT)


def call(function, sock, name):
    if function(sock.fileno(), name, len(name)):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def accept(listener):
    """Python's own knows not what an address of the family looks like."""
    if not select.select([listener], [], [], DEADLINE / 4)[0]:
        raise TimeoutError(errno.ETIMEDOUT, "nothing to accept")
    child = LIBC.accept(listener.fileno(), None, None)
    if child < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return socket.socket(AF_XENVMC, socket.SOCK_STREAM, 0, child)


def stream():
    """A connection of AF_XENVMC from socket() to close()."""
    opened = []

    def new():
        opened.append(socket.socket(AF_XENVMC, socket.SOCK_STREAM))
        opened[-1].settimeout(DEADLINE / 2)
        return opened[-1]
    try:
        listener = new()
        call(LIBC.bind, listener, named(ANY))
        listener.listen(8)
        client = new()
        client.setblocking(True)
        call(LIBC.connect, client, named(SELF))
        client.settimeout(DEADLINE / 2)
        child = accept(listener)
        opened.append(child)
        child.settimeout(DEADLINE / 2)
        exchange(client, child)
    finally:
        for sock in reversed(opened):
            sock.close()


def within(space, function):
    """Call it in another network namespace."""
    with open("/proc/thread-self/ns/net", "rb") as home:
        with open(f"/run/netns/{space}", "rb") as there:
            os.setns(there.fileno(), os.CLONE_NEWNET)
        try:
            return function()
        finally:
            os.setns(home.fileno(), os.CLONE_NEWNET)


def tcp():
    """The ends of a new TCP connection between the two namespaces."""
    listener = within("b", lambda: socket.create_server((SERVER, 0)))
    with listener:
        client = within("a", lambda: socket.create_connection(
            listener.getsockname(), DEADLINE / 2))
        child = listener.accept()[0]
    child.settimeout(DEADLINE / 2)
    return client, child


def settle(client, child):
    """Until the connection is moved, both ways, or stays on TCP with a reason.
    True: moved."""
    while True:
        for _ in range(10):
            carry(client, child, b"?")
            carry(child, client, b"!")
        now = stats()
        if now.get("ring_starts", 0) >= settle.starts + 2:
            return True
        if fallbacks(now) > settle.fallbacks:
            return False


def mark():
    now = stats()
    settle.starts, settle.fallbacks = now.get("ring_starts", 0), fallbacks(now)


def close(*socks):
    for sock in socks:
        sock.close()


def moved_and(then):
    """A TCP connection is moved; @then is what follows. It must not fail."""
    client, child = tcp()
    try:
        moved = settle(client, child)
        then(client, child)
    except OSError as err:
        raise Wrong(f"TCP failed: {err}") from err
    finally:
        close(client, child)
    if not moved:
        raise OSError(errno.ENOBUFS, "on TCP with a reason")


def hook():
    """A TCP connection, moved, from connect() to close()."""
    moved_and(exchange)


def back():
    """An option takes a connection with unread bytes back to TCP."""
    def take_back(client, child):
        client.sendall(block(3, SIZE))
        try:
            child.setsockopt(socket.IPPROTO_TCP, TCP_INQ, 1)
        except OSError as err:
            check(err.errno == errno.ENOMEM, f"setsockopt: {err}")
        take(child, block(3, SIZE))
        exchange(client, child)
    moved_and(take_back)


def unload():
    """The hook is unloaded under a connection with unread bytes."""
    def take_back(client, child):
        client.sendall(block(4, SIZE))
        rmmod("xenvmc_inet")
        take(child, block(4, SIZE))
        exchange(client, child)
    try:
        moved_and(take_back)
    finally:
        insmod("xenvmc_inet")


def netns():
    """A network namespace comes and goes."""
    if subprocess.run(["ip", "netns", "add", "c"], check=False,
                      stderr=subprocess.DEVNULL).returncode:
        subprocess.run(["ip", "netns", "del", "c"], check=False,
                       stderr=subprocess.DEVNULL)
        raise OSError(errno.ENOMEM, "no namespace")
    subprocess.run(["ip", "netns", "del", "c"], check=True)


def load(nth=0):
    """xenvmc.ko is loaded and unloaded."""
    if not insmod("xenvmc", f"fault_nth={nth}"):
        raise OSError(errno.ENOMEM, "not loaded")
    arm(0)
    rmmod("xenvmc")


# Path, the sites that it has to meet
PATHS = {
    load: {"stats", "workqueue", "sysctl", "peer", "chan", "ring", "ring_hdr",
           "ring_page", "grant", "map"},
    netns: {"sysctl"},
    stream: {"sock", "stream", "conn_id", "ctl_send", "rx_ring", "ring",
             "ring_hdr", "ring_page", "grant", "map", "tx_ring"},
    hook: {"hook_conn", "conn_id", "ctl_send", "rx_ring", "ring", "ring_hdr",
           "ring_page", "grant", "map", "tx_ring"},
    back: {"back_skb", "ctl_send"},
    unload: {"back_skb", "ctl_send"},
}


def prepare(path):
    if path is load:
        return
    check(insmod("xenvmc"), "xenvmc.ko is not loaded")
    if path in (hook, back, unload):
        check(insmod("xenvmc_inet"), "xenvmc_inet.ko is not loaded")
        for space in ("a", "b"):
            subprocess.run(["ip", "netns", "exec", space, "xenvmc", "hook",
                            "on", "loopback"], check=True)
        mark()


def leave(path):
    if path is load:
        return
    if path in (hook, back, unload):
        rmmod("xenvmc_inet")
    rmmod("xenvmc")


def walk(path, nth, log):
    """Walk with the @nth call failing, then without. The sites that failed."""
    signal.alarm(DEADLINE)
    prepare(path)
    log.sites()
    excuse = None
    try:
        if path is load:
            load(nth)
        else:
            arm(nth)
            path()
    except OSError as err:
        excuse = err
    arm(0)
    sites = log.sites()
    if excuse:
        check(sites, f"failed without a cause: {excuse}")
        check(excuse.errno in SHORT, f"unexpected: {excuse}")
    if sites:
        if path in (hook, back, unload):
            mark()
        try:
            path()
        except OSError as err:
            raise Wrong(f"the next try failed, too: {err}") from err
    leave(path)
    signal.alarm(0)
    return sites


def every(path, log):
    """All failures of a path, one after another. What was wrong, by site."""
    hits = collections.Counter()
    nth = 0
    while True:
        nth += 1
        try:
            sites = walk(path, nth, log)
        except (Wrong, Hang) as err:
            raise Wrong(f"call {nth} ({', '.join(log.sites()) or 'see the log'}"
                        f"): {err}") from err
        hits.update(sites)
        if not sites:
            break
    print("# " + ", ".join(f"{s} x{n}" for s, n in sorted(hits.items())))
    missed = PATHS[path] - set(hits)
    check(not missed, f"never failed: {', '.join(sorted(missed))}")
    return nth - 1


def main():
    signal.signal(signal.SIGALRM, hang)
    paths = [p for p in PATHS if not sys.argv[2:] or p.__name__ in sys.argv[2:]]
    print(f"TAP version 13\n1..{len(paths)}", flush=True)
    log = Log()
    for number, path in enumerate(paths, 1):
        start = time.monotonic()
        try:
            count = every(path, log)
        except Exception:  # pylint: disable=broad-except
            print("# " + "\n# ".join(traceback.format_exc().splitlines()))
            # What is loaded now is in no known state
            print(f"not ok {number} {path.__name__}", flush=True)
            return 1
        print(f"ok {number} {path.__name__}: {count} calls failed in turn "
              f"# time={time.monotonic() - start:.1f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
