# SPDX-License-Identifier: GPL-2.0
"""flip.py PORT HOST HOSTPORT AT: forwards TCP connections, changes one byte:
that of number AT of what HOST sends. For tests that must see it."""
import socket
import sys
import threading


def forward(source, target, at=-1):
    """All bytes, until the end of the stream."""
    offset = 0
    while True:
        data = bytearray(source.recv(65536))
        if not data:
            break
        if offset <= at < offset + len(data):
            data[at - offset] ^= 1
        offset += len(data)
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


def main(port, host, hostport, at):
    """The server."""
    listener = socket.create_server(("", int(port)))
    while True:
        client = listener.accept()[0]
        server = socket.create_connection((host, int(hostport)))
        for words in ((client, server), (server, client, int(at))):
            threading.Thread(target=forward, args=words, daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
