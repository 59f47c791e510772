#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Does stamp notice what it is there to notice? A relay between its two ends
damages the stream in each way that counts.

  test_stamp.py STAMP
"""
import os
import re
import socket
import subprocess
import sys
import threading
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../xen"))

from xenlab import tap  # noqa: E402

STAMP = ""
BYTES = 300000
AT = 123457     # where the damage is done, in the stream of the running end


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pump(source, target, damage):
    """Pass bytes on; the damage is done to a piece that begins at AT."""
    offset = 0
    while True:
        size = AT - offset if offset < AT else 65536
        data = source.recv(size)
        if not data:
            target.shutdown(socket.SHUT_WR)
            return
        target.sendall(damage(data) if damage and offset == AT else data)
        offset += len(data)


class Relay:
    """One connection through a damaging relay to the serving end."""

    def __init__(self, port, damage):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.work, args=(port, damage),
                                       daemon=True)
        self.thread.start()

    def work(self, port, damage):
        near = self.listener.accept()[0]
        far = socket.create_connection(("127.0.0.1", port))
        back = threading.Thread(target=self.quietly,
                                args=(far, near, None), daemon=True)
        back.start()
        self.quietly(near, far, damage)
        back.join()
        near.close()
        far.close()

    @staticmethod
    def quietly(source, target, damage):
        try:
            pump(source, target, damage)
        except OSError:
            # An end that has seen the damage hangs up
            for end in (source, target):
                end.close()


class StampTest(unittest.TestCase):
    def setUp(self):
        port = free_port()
        # pylint: disable=consider-using-with
        self.server = subprocess.Popen(
            [STAMP, "serve", "inet", str(port)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.server.stdin.close)
        self.addCleanup(self.server.stdout.close)
        self.addCleanup(self.server.wait)
        self.addCleanup(self.server.kill)
        self.port = port
        self.assertEqual(self.server.stdout.readline(), "listens\n")

    def through(self, damage):
        """(exit status, last line, the serving end's line)."""
        relay = Relay(self.port, damage)
        done = subprocess.run(
            [STAMP, "run", "inet", "127.0.0.1", str(relay.port), str(BYTES)],
            stdout=subprocess.PIPE, text=True, check=False, timeout=60)
        theirs = self.server.stdout.readline().strip()
        return done.returncode, done.stdout.splitlines()[-1], theirs

    def damaged(self, damage):
        _, _, theirs = self.through(damage)
        found = re.fullmatch(r"end=wrong sent=\d+ received=(\d+)", theirs)
        self.assertTrue(found, theirs)
        # The hello is not part of the count; neighbours may be equal
        self.assertIn(int(found.group(1)) - (AT - 16), range(9))

    def test_an_untouched_stream_is_exact(self):
        status, ours, theirs = self.through(None)
        self.assertEqual(status, 0)
        self.assertRegex(ours, rf"^end=exact sent={BYTES} received=\d+$")
        self.assertRegex(theirs, rf"^end=exact sent=\d+ received={BYTES}$")

    def test_each_of_many_has_its_line(self):
        done = subprocess.run(
            [STAMP, "run", "inet", "127.0.0.1", str(self.port), str(BYTES),
             "0", "3"], stdout=subprocess.PIPE, text=True, check=False,
            timeout=60)
        self.assertEqual(done.returncode, 0)
        ends = [line for line in done.stdout.splitlines() if "end=" in line]
        ends += [self.server.stdout.readline() for _ in range(3)]
        self.assertEqual([line.split()[0] for line in ends], ["end=exact"] * 6)

    def test_input_that_ends_is_a_request_to_end(self):
        argv = [STAMP, "run", "inet", "127.0.0.1", str(self.port)]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, text=True,
                              stdout=subprocess.PIPE) as child:
            self.assertRegex(child.stdout.readline(), "^at sent=")
            child.stdin.close()
            ours = child.stdout.read().splitlines()[-1]
        self.assertEqual(child.returncode, 0)
        found = re.fullmatch(r"end=exact sent=(\d+) received=(\d+)", ours)
        self.assertTrue(found, ours)
        self.assertEqual(self.server.stdout.readline().strip(), "end=exact "
                         f"sent={found.group(2)} received={found.group(1)}")
        self.server.stdin.close()
        self.assertEqual(self.server.wait(30), 0)

    def test_a_flipped_bit_is_found(self):
        self.damaged(lambda data: bytes([data[0] ^ 1]) + data[1:])

    def test_a_lost_byte_is_found(self):
        self.damaged(lambda data: data[1:])

    def test_a_doubled_byte_is_found(self):
        self.damaged(lambda data: data[:1] + data)

    def test_a_stream_that_is_cut_is_not_exact(self):
        def cut(_):
            raise OSError
        status, ours, _ = self.through(cut)
        self.assertNotEqual(status, 0)
        self.assertRegex(ours, "^end=E(CONNRESET|PIPE) ")


if __name__ == "__main__":
    STAMP = sys.argv[1]
    sys.exit(tap.run([StampTest], sys.argv[2:]))
