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
import mmap
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


# ---- calls that Python does not have ---------------------------------------

def libc(name, sock, *args):
    """Also one with an address of a family that Python does not know."""
    library = ctypes.CDLL(None, use_errno=True)
    result = getattr(library, name)(sock.fileno(), *args)
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result


def message(data):
    """One of recvmmsg() and sendmmsg(), and what it consists of."""
    iov = struct.pack("@PN", ctypes.addressof(data), len(data))
    return struct.pack("@PIPNPNiI", 0, 0, ctypes.cast(iov, ctypes.c_void_p)
                       .value, 1, 0, 0, 0, 0), iov


@call
def recvmmsg(sock):
    data = ctypes.create_string_buffer(100)
    header, _iov = message(data)
    libc("recvmmsg", sock, header, 1, 0, None)


@call
def sendmmsg(sock):
    data = ctypes.create_string_buffer(MUCH, len(MUCH))
    header, _iov = message(data)
    while True:
        libc("sendmmsg", sock, header, 1, socket.MSG_NOSIGNAL)


class Ring:
    """io_uring for one request at a time."""
    SETUP, ENTER = 425, 426     # system calls
    SEND, RECV = 26, 27
    GETEVENTS = 1

    def __init__(self):
        params = ctypes.create_string_buffer(120)
        self.number = self.call(self.SETUP, 1, params)
        self.sq = struct.unpack_from("=7I", params, 40)
        self.cq = struct.unpack_from("=7I", params, 80)
        self.queues = mmap.mmap(self.number, mmap.PAGESIZE)
        self.requests = mmap.mmap(self.number, mmap.PAGESIZE,
                                  offset=0x10000000)
        self.done = 0

    @staticmethod
    def call(number, *args):
        library = ctypes.CDLL(None, use_errno=True)
        result = library.syscall(number, *args)
        if result < 0:
            raise OSError(ctypes.get_errno(), "io_uring")
        return result

    def request(self, opcode, sock, data):
        """Waits for its result."""
        struct.pack_into("=BBHiQQII32x", self.requests, 0, opcode, 0, 0,
                         sock.fileno(), 0, ctypes.addressof(data), len(data),
                         socket.MSG_NOSIGNAL)
        # The array has its only entry at 0; the tail, and then the answers
        struct.pack_into("=I", self.queues, self.sq[6], 0)
        struct.pack_into("=I", self.queues, self.sq[1], self.done + 1)
        self.call(self.ENTER, self.number, 1, 1, self.GETEVENTS, None, 0)
        mask, = struct.unpack_from("=I", self.queues, self.cq[2])
        result, = struct.unpack_from("=i", self.queues, self.cq[5] +
                                     16 * (self.done & mask) + 8)
        self.done += 1
        struct.pack_into("=I", self.queues, self.cq[0], self.done)
        if result < 0:
            raise OSError(-result, "io_uring")
        return result


@call
def uring_recv(sock):
    data = ctypes.create_string_buffer(100)
    Ring().request(Ring.RECV, sock, data)


@call
def uring_send(sock):
    data = ctypes.create_string_buffer(MUCH, len(MUCH))
    ring = Ring()
    while True:
        ring.request(Ring.SEND, sock, data)


# ---- two families ----------------------------------------------------------


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
