#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""stuck.py: TCP connections whose programs wait for pages of their own.

  stuck.py serve PORT NUMBER		accepts so many, and does nothing else
  stuck.py run HOST PORT NUMBER		of each a thread sends a page that has to
					be brought by userfaultfd, and is not
  stuck.py echo PORT			accepts whoever comes, and answers
  stuck.py ulp HOST PORT TOOL		asks for kTLS before the connection is
					there, with a page that comes when it
					is on rings; then without hook

Each says when it is so; but for the last, they end with their standard input. Needs
waits.py beside it, and root.
"""
import ctypes
import fcntl
import json
import mmap
import os
import socket
import struct
import subprocess
import sys
import threading

import waits

PAGE = mmap.PAGESIZE
USERFAULTFD = 323       # the system call, on x86-64
UFFDIO_API, UFFDIO_REGISTER = 0xc018aa3f, 0xc020aa00
UFFD_API, REGISTER_MODE_MISSING = 0xaa, 1
UFFDIO_COPY = 0xc028aa03
TCP_ULP = 31            # Python has no name for it


def pages_that_never_come(number):
    """Memory, and the descriptor that keeps it so."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(USERFAULTFD, os.O_CLOEXEC)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "userfaultfd")
    fcntl.ioctl(fd, UFFDIO_API, struct.pack("=QQQ", UFFD_API, 0, 0))
    memory = mmap.mmap(-1, number * PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    fcntl.ioctl(fd, UFFDIO_REGISTER,
                struct.pack("=QQQQ", start, number * PAGE,
                            REGISTER_MODE_MISSING, 0))
    return memory, fd


def serve(port, number):
    with socket.create_server(("", port), backlog=64) as listener:
        print("listens", flush=True)
        held = [listener.accept() for _ in range(number)]
        sys.stdin.read()
        del held


def run(host, port, number):
    memory, _ = pages_that_never_come(number)
    pages = iter(range(number))

    @waits.call
    def send_page(sock):
        page = next(pages) * PAGE
        sock.send(memoryview(memory)[page:page + PAGE])

    waiters = [waits.Waiter("send_page", waits.connect("inet", host, port))
               for _ in range(number)]
    waits.sleep_all(waiters)
    print("all wait", flush=True)
    sys.stdin.read()
    os._exit(0)     # the threads never end by themselves


def answer(sock):
    while data := sock.recv(4096):
        sock.sendall(data)
    sock.close()


def accept_all(listener):
    while True:
        threading.Thread(target=answer, args=(listener.accept()[0],),
                         daemon=True).start()


def echo(port):
    with socket.create_server(("", port)) as listener:
        threading.Thread(target=accept_all, args=(listener,),
                         daemon=True).start()
        print("listens", flush=True)
        sys.stdin.read()
        os._exit(0)


def exchange(sock, data=b"there and back"):
    sock.sendall(data)
    got = b""
    while len(got) < len(data):
        got += sock.recv(len(data))
    if got != data:
        sys.exit(f"{got} instead of {data}")


def is_on_rings(tool, sock):
    exchange(sock)
    told = json.loads(subprocess.run(
        [tool, "-j", "conn", "show", "sport", str(sock.getsockname()[1])],
        check=True, stdout=subprocess.PIPE).stdout or "[]")
    return any(conn["tx"] == conn["rx"] == "ring" for conn in told)


def ulp(host, port, tool):
    libc = ctypes.CDLL(None, use_errno=True)
    memory, fd = pages_that_never_come(1)
    place = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    name = ctypes.create_string_buffer(b"tls", PAGE)
    sock = socket.socket()

    @waits.call
    def ask(sock):
        if libc.setsockopt(sock.fileno(), socket.IPPROTO_TCP, TCP_ULP,
                           ctypes.c_void_p(place), 4):
            raise OSError(ctypes.get_errno(), "TCP_ULP")

    waiter = waits.Waiter("ask", sock)
    waits.sleep_all([waiter])
    sock.connect((host, port))
    while not is_on_rings(tool, sock):
        pass
    print("on rings", flush=True)
    fcntl.ioctl(fd, UFFDIO_COPY, struct.pack(
        "=QQQQq", place, ctypes.addressof(name), PAGE, 0, 0))
    waiter.join()
    if waiter.end != "no error":
        sys.exit(f"TCP_ULP: {waiter.end}")
    for _ in range(100):
        exchange(sock)
    print("with kTLS", flush=True)
    subprocess.run(["rmmod", "xenvmc_inet"], check=True)
    exchange(sock)
    other = socket.create_connection((host, port))
    other.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 1)
    sock.close()
    exchange(other)
    print("without the hook", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(*map(int, sys.argv[2:]))
    elif sys.argv[1] == "run":
        run(sys.argv[2], *map(int, sys.argv[3:]))
    elif sys.argv[1] == "echo":
        echo(int(sys.argv[2]))
    else:
        ulp(sys.argv[2], int(sys.argv[3]), sys.argv[4])
