#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""waits.py: programs that wait for another guest, which goes away meanwhile.

  waits.py serve FAMILY PORT		accepts, and does nothing else
  waits.py run FAMILY HOST PORT		a connection for each call that can wait

FAMILY is inet or xenvmc, where HOST is a domain id. "run" says "all wait" when
each call sleeps in the kernel, then how each one ended; it succeeds if all have
heard that the connection is lost.
"""
import ctypes
import errno
import os
import select
import socket
import struct
import sys
import threading
import time

AF_XENVMC = 19      # in uapi/linux/xenvmc.h
ANY = 0xffff
FACTOR = float(os.environ.get("XENVMC_DEADLINE_FACTOR", "1"))
LOST = (errno.ECONNRESET, errno.EPIPE)
MUCH = bytes(1 << 20)
CALLS = {}


def call(function):
    """A call that waits, of a socket; it returns once something has come of it,
    or raises an OSError."""
    CALLS[function.__name__] = function
    return function


@call
def recv(sock):
    sock.recv(1)


@call
def recv_all(sock):
    sock.recv(100, socket.MSG_WAITALL)


@call
def peek(sock):
    sock.recv(1, socket.MSG_PEEK)


@call
def readv(sock):
    os.readv(sock.fileno(), [bytearray(10), bytearray(10)])


@call
def half_closed(sock):
    sock.shutdown(socket.SHUT_WR)
    sock.recv(1)


@call
def send(sock):
    while True:
        sock.send(MUCH)


@call
def writev(sock):
    while True:
        os.writev(sock.fileno(), [MUCH, MUCH])


@call
def sendfile(sock):
    file = os.memfd_create("much")
    os.write(file, MUCH)
    while True:
        os.sendfile(sock.fileno(), file, 0, len(MUCH))


@call
def splice_in(sock):
    os.splice(sock.fileno(), os.pipe()[1], 100)


@call
def splice_out(sock):
    out, into = os.pipe()
    while True:
        os.write(into, MUCH[:4096])
        os.splice(out, sock.fileno(), 4096)


@call
def poll(sock):
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    poller.poll()
    sock.recv(1)


@call
def poll_out(sock):
    poller = select.poll()
    poller.register(sock, select.POLLOUT)
    sock.setblocking(False)
    while True:
        try:
            while True:
                sock.send(MUCH)
        except BlockingIOError:
            poller.poll()


@call
def epoll_edge(sock):
    poller = select.epoll()
    poller.register(sock, select.EPOLLIN | select.EPOLLET)
    poller.poll()
    sock.recv(1)


@call
def select_in(sock):
    select.select([sock], [], [])
    sock.recv(1)


# ---- two families ----------------------------------------------------------

def libc(name, sock, *args):
    """A call with an address, which Python cannot do for a family that it does
    not know."""
    library = ctypes.CDLL(None, use_errno=True)
    result = getattr(library, name)(sock.fileno(), *args)
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result


def xenvmc(name, sock, domid, port):
    """bind() or connect()."""
    address = struct.pack("=HHI8x", AF_XENVMC, domid, port)
    libc(name, sock, address, len(address))


def serve(family, port):
    if family == "inet":
        listener = socket.create_server(("", port), backlog=64)
    else:
        listener = socket.socket(AF_XENVMC, socket.SOCK_STREAM)
        xenvmc("bind", listener, ANY, port)
        listener.listen(64)
    print("listens", flush=True)
    while True:
        libc("accept", listener, None, None)    # and never closed


def connect(family, host, port):
    if family == "inet":
        return socket.create_connection((host, port))
    sock = socket.socket(AF_XENVMC, socket.SOCK_STREAM)
    xenvmc("connect", sock, int(host), port)
    return sock


class Waiter(threading.Thread):
    """Is in the call until its connection is lost; @end says how it ended."""

    def __init__(self, name, sock):
        super().__init__(name=name, daemon=True)
        self.sock, self.end = sock, None
        self.start()

    def run(self):
        try:
            CALLS[self.name](self.sock)
            self.end = "no error"
        except OSError as err:
            self.end = errno.errorcode.get(err.errno, str(err))

    def switches(self):
        """How often it has slept so far, or None if it does not sleep now."""
        with open(f"/proc/self/task/{self.native_id}/status",
                  encoding="ascii") as handle:
            words = dict(line.split(":", 1) for line in handle)
        if words["State"].split()[0] != "S":
            return None
        return words["voluntary_ctxt_switches"]


def sleep_all(waiters):
    """Wait until a second has passed in which each slept one sleep."""
    before = []
    while True:
        now = [waiter.switches() for waiter in waiters]
        if now == before and None not in now:
            return
        before = now
        time.sleep(1)


def run(family, host, port):
    socks = [connect(family, host, port) for _ in CALLS]
    waiters = [Waiter(*pair) for pair in zip(CALLS, socks)]
    sleep_all(waiters)
    print("all wait", flush=True)
    end = time.monotonic() + 120 * FACTOR
    for waiter in waiters:
        waiter.join(max(0, end - time.monotonic()))
        print(f"{waiter.name}: {waiter.end or 'hangs'}", flush=True)
    lost = [errno.errorcode[number] for number in LOST]
    return 0 if all(waiter.end in lost for waiter in waiters) else 1


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        sys.exit(run(sys.argv[2], sys.argv[3], int(sys.argv[4])))
