#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""holder.py hold DOMID | map DOMID GREF: holds things in a guest until its input
ends, so that the lab can show that it sees who holds what.

hold: a page that is granted to the domain DOMID, whose grant reference is
printed; a port for it; a node of XenStore that looks like one of ours and a
watch; a socket of AF_XENVMC and one of TCP. map: the page GREF of DOMID.
"""
import fcntl
import mmap
import os
import socket
import struct
import subprocess
import sys

AF_XENVMC = 19          # include/uapi/linux/xenvmc.h
NODE = "data/xenvmc/held"


def ioctl(name, letter, number, data):
    """(descriptor, answer) of an ioctl of a device of Xen's."""
    fd = os.open(f"/dev/xen/{name}", os.O_RDWR)
    answer = bytearray(data)
    code = fcntl.ioctl(fd, len(data) << 16 | ord(letter) << 8 | number, answer)
    return fd, bytes(answer), code


def hold(domid):
    """All that one guest can hold of another, but for a mapping."""
    # struct ioctl_gntalloc_alloc_gref: one page, to be written to
    kept = [ioctl("gntalloc", "G", 5, struct.pack("HHIQQ", domid, 1, 1, 0, 0)),
            # struct ioctl_evtchn_bind_unbound_port
            ioctl("evtchn", "E", 2, struct.pack("I", domid)),
            socket.socket(AF_XENVMC, socket.SOCK_STREAM),
            socket.socket(socket.AF_INET, socket.SOCK_STREAM)]
    subprocess.run(["xenstore-write", NODE, ""], check=True)
    with subprocess.Popen(["xenstore-watch", NODE],
                          stdout=subprocess.PIPE) as watch:
        # It fires once at the beginning
        watch.stdout.readline()
        print(struct.unpack_from("I", kept[0][1], 16)[0], flush=True)
        sys.stdin.read()
        watch.kill()
    subprocess.run(["xenstore-rm", NODE], check=True)


def map_page(domid, gref):
    """A page of another's."""
    # struct ioctl_gntdev_map_grant_ref
    fd, answer, _ = ioctl("gntdev", "G", 0,
                          struct.pack("IIQII", 1, 0, 0, domid, gref))
    offset = struct.unpack_from("Q", answer, 8)[0]
    with mmap.mmap(fd, mmap.PAGESIZE, offset=offset) as page:
        print(len(page), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    {"hold": hold, "map": map_page}[sys.argv[1]](*map(int, sys.argv[2:]))
