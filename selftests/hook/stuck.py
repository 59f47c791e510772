#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""stuck.py: TCP connections whose writers wait for pages of their own.

  stuck.py serve PORT NUMBER		accepts so many, and does nothing else
  stuck.py run HOST PORT NUMBER		of each a thread sends a page that has to
					be brought by userfaultfd, and is not

Each says when it is so, and ends with its standard input. Needs waits.py beside
it, and root.
"""
import ctypes
import fcntl
import mmap
import os
import socket
import struct
import sys

import waits

PAGE = mmap.PAGESIZE
USERFAULTFD = 323       # the system call, on x86-64
UFFDIO_API, UFFDIO_REGISTER = 0xc018aa3f, 0xc020aa00
UFFD_API, REGISTER_MODE_MISSING = 0xaa, 1


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


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(*map(int, sys.argv[2:]))
    else:
        run(sys.argv[2], *map(int, sys.argv[3:]))
