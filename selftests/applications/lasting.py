# SPDX-License-Identifier: GPL-2.0
"""Programs that are busy for as long as their guests come and go.

Each is told when nothing more will happen, and then has to end by itself, with
results that are right. rsync knows no such word: it has a fixed amount to do,
at a rate that makes it last.
"""
import hashlib
import itertools
import json
import re

import copies
import stores
from pair import CLIENT, SERVER, same
from xenlab import deadline

# What a program takes at least that is held back all the time. No byte goes
# while one of the guests is away, so that this is for the time between
SECONDS = 120


class Lasting:
    """What there is to know of a program that runs. An object is for one run.

    @port: of its server
    @conns: how many connections it has, all the time
    @busy: how many of these move bytes all the time
    @ways: of a connection, those that do, as the client sees them: what has
           gone back to TCP is on a ring again when something is written
    """
    port, conns, busy = 0, 1, 1
    ways = ("tx", "rx")
    program = None      # of the client, once it has been started

    def mine(self, conns):
        """Those of a guest's connections that are its."""
        return [x for x in conns if self.port in (x["sport"], x["dport"])]

    def on_rings(self, conn):
        """Is it, as far as it moves bytes?"""
        ways = self.ways
        if conn["sport"] == self.port:
            ways = [{"tx": "rx", "rx": "tx"}[way] for way in ways]
        return conn["state"] == "up" and \
            all(conn[way] == "ring" for way in ways)

    def launch(self, pair, command):
        """Start the client; what it says is in the program's lines."""
        self.program = pair.lab.start(CLIENT, command)

    def prepare(self, pair):
        """Files and data."""

    def start(self, pair):
        """The server, and the client by launch()."""
        raise NotImplementedError

    def done(self, pair):
        """A number that grows while the two ends hear of each other."""
        raise NotImplementedError

    def hurry(self, pair):
        """What is left to do shall not take longer than it must."""

    def drop(self):
        """Nobody waits for it any more."""
        if self.program:
            self.program.drop()

    def judge(self, pair):
        """It has ended: an AssertionError unless its results are right."""
        raise NotImplementedError

    def spoil(self, pair):
        """Make one of the results wrong: judge() has to see it."""
        raise NotImplementedError

    def finish(self, pair):
        """Free what is large. The servers have ended."""


class Iperf(Lasting):
    """It sends what a script gives it, until the script's input ends; then it
    asks the server what that has counted."""
    port, conns, busy = 5201, 2, 1      # one is to talk by
    ways = ("tx",)
    BLOCK = 4096                # a pipe keeps it whole, as iperf3 needs it
    FEED = "import os, select, signal\n" \
           "signal.signal(signal.SIGPIPE, signal.SIG_DFL)\n" \
           "n = 0\n" \
           "while not select.select([0], [], [], 0.01)[0]:\n" \
           f"    n += os.write(1, bytes({BLOCK}))\n" \
           "os.write(2, b'fed %d\\n' % n)\n"
    # What the server may not have read when it hears of the end
    UNREAD = 1 << 18

    def prepare(self, pair):
        pair.write(CLIENT, "/root/feed.py", self.FEED)

    def start(self, pair):
        # It takes a sender that is silent for two minutes for dead
        pair.serve(SERVER, "iperf3 -s --rcv-timeout 3600000", self.port)
        self.launch(pair, f"python3 /root/feed.py | iperf3 -c {pair.host} "
                    f"-F /proc/self/fd/0 --length {self.BLOCK} --time 86400 "
                    "--json-stream --forceflush")

    def events(self, name):
        """What it has told by that name."""
        told = [json.loads(line) for line in self.program.lines
                if not line.startswith("fed")]
        return [one["data"] for one in told if one["event"] == name]

    def done(self, pair):
        # A second without a byte has an interval, too
        return sum(one["sum"]["bytes"] for one in self.events("interval"))

    def hurry(self, pair):
        self.program.end_input()

    def judge(self, pair):
        [fed] = [int(line.split()[1]) for line in self.program.lines
                 if line.startswith("fed")]
        end = self.events("end")[0]
        same(end["sum_sent"]["bytes"], fed, "iperf3: bytes sent")
        received = end["sum_received"]["bytes"]
        if not fed - self.UNREAD <= received <= fed:
            raise AssertionError(f"iperf3: {received} received of {fed}")

    def spoil(self, pair):
        told = json.loads(self.program.lines[-1])
        told["data"]["sum_received"]["bytes"] += 1
        self.program.lines[-1] = json.dumps(told)


class Redis(stores.Redis, Lasting):
    """A counter that redis-benchmark increments, beside data that is known.

    What else the server does meanwhile holds it back: it sleeps, for a client
    of its own guest, between any two turns of redis-benchmark's clients.
    """
    port, conns, busy = 6379, 8, 8
    NAP = 0.2
    brake = None
    KEY = "counter:__rand_int__"

    def start(self, pair):
        self.requests = round(self.conns * deadline.scaled(SECONDS) / self.NAP)
        pair.sh(SERVER, f"mkdir -p {self.FOLDER}")
        self.serve(pair, "no")
        pair.sh(CLIENT, f"redis-cli -h {pair.host} --pipe </root/redis.txt")
        self.digest_before = self.digest(pair)
        self.brake = pair.lab.start(
            SERVER, "echo $$; exec redis-cli -h 127.0.0.1 -r -1 "
            f"debug sleep {self.NAP} >/dev/null")
        self.brake.until(lambda: self.brake.lines, "its process id")
        self.launch(pair, f"redis-benchmark -h {pair.host} -c {self.conns} "
                    f"-n {self.requests} -t incr")

    def done(self, pair):
        return int(pair.sh(SERVER, f"redis-cli -h 127.0.0.1 get {self.KEY}")
                   or 0)

    def hurry(self, pair):
        pair.sh(SERVER, f"kill {self.brake.lines[0]}")
        self.brake.wait()

    def drop(self):
        super().drop()
        if self.brake:
            self.brake.drop()

    def judge(self, pair):
        found = self.cli(pair, f"getdel {self.KEY}").strip()
        same(found, str(self.requests), "the counter")
        same(self.digest(pair), self.digest_before, "the data")

    def spoil(self, pair):
        self.cli(pair, f"set {self.KEY} {self.requests}")
        self.cli(pair, "append string:0 x")

    def finish(self, pair):
        pair.sh(SERVER, f"rm -rf {self.FOLDER}")


class Postgres(stores.Postgres, Lasting):
    """pgbench: transactions of TPC-B, and three times as many that wait for as
    long as a table says."""
    port, conns, busy = 5432, 4, 4
    NAP = 0.4
    WAIT = "select pg_sleep(seconds) from brake"

    def start(self, pair):
        # Of a client all may be done sooner, for chance chooses among them
        self.each = round(2 * deadline.scaled(SECONDS) / self.NAP)
        self.serve(pair, "-c max_wal_size=64MB -c min_wal_size=32MB")
        self.ask(pair, f"create table brake as select {self.NAP} as seconds")
        pair.write(CLIENT, "/root/wait.sql", self.WAIT)
        self.launch(pair, f"{self.psql(pair, 'pgbench')} -n -b tpcb-like@1 "
                    f"-f /root/wait.sql@3 -c {self.conns} -t {self.each}")

    def ask(self, pair, query):
        """What the server answers in its own guest, by a UNIX socket."""
        return pair.sh(SERVER, f"{self.BIN}/psql -h {self.FOLDER} -U postgres "
                       f"-d postgres -X -A -t -q -c '{query}'").strip()

    def done(self, pair):
        return int(self.ask(pair, "select count(*) from pgbench_history"))

    def hurry(self, pair):
        self.ask(pair, "update brake set seconds = 0")

    def judge(self, pair):
        told = "\n".join(self.program.lines)
        total = self.conns * self.each
        same(re.findall(r"actually processed: (\S+)", told),
             [f"{total}/{total}"], "transactions")
        same(set(re.findall(r"failed transactions: (\d+)", told)), {"0"},
             "failed")
        made = re.findall(r"^ - (\d+) transactions", told, re.M)
        same(sum(map(int, made)), total, "transactions of both kinds")
        sums = self.ask(pair, self.SUMS).split("|")
        same(sums[:3], ["t", made[0], "100000"],
             "balances, history, accounts")

    def spoil(self, pair):
        self.ask(pair, "update pgbench_accounts set abalance = abalance + 1 "
                 "where aid = 1")


class Session(copies.Ssh, Lasting):
    """A shell command that counts until its standard input ends."""
    port = 2222
    ways = ("rx",)
    COUNT = "import select, sys\n" \
            "n = 0\n" \
            "while not select.select([sys.stdin], [], [], 0.02)[0]:\n" \
            "    print(n, flush=True)\n" \
            "    n += 1\n" \
            "print('end', n)\n"

    def prepare(self, pair):
        self.keys(pair)
        pair.write(SERVER, "/root/count.py", self.COUNT)

    def start(self, pair):
        pair.serve(SERVER, copies.SSHD, self.port)
        self.launch(pair, f"exec ssh -p {self.port} {copies.OPTIONS} "
                    f"-o LogLevel=ERROR root@{pair.host} "
                    "exec python3 /root/count.py")

    def done(self, pair):
        return len(self.program.lines)

    def hurry(self, pair):
        self.program.end_input()

    def judge(self, pair):
        number = len(self.program.lines) - 1
        wanted = [*map(str, range(number)), f"end {number}"]
        for told in itertools.zip_longest(self.program.lines, wanted):
            same(*told, "a line of the session")

    def spoil(self, pair):
        del self.program.lines[7]


class Rsync(Lasting):
    """One large file, from and to disks in memory that are compressed: each
    page says which one it is, again and again."""
    port = 8730
    ways = ("tx",)
    mib = 1024
    PAGE = 4096
    CONFIG = "[away]\npath = /mnt\nuid = root\ngid = root\n" \
             "use chroot = no\nread only = no\n"
    # What ext2 needs beside the file, and an unfinished copy does not
    ROOM_MIB = 64
    DISK = """modprobe zram && echo {}M >/sys/block/zram0/disksize &&
busybox mke2fs -b 4096 -m 0 /dev/zram0 >/dev/null &&
mount -t ext2 /dev/zram0 /mnt"""

    def __init__(self):
        self.pages = self.mib * (1 << 20) // self.PAGE

    @classmethod
    def page(cls, number):
        """The bytes of that page of the file."""
        return b"%015x\n" % number * (cls.PAGE // 16)

    def prepare(self, pair):
        for where in (CLIENT, SERVER):
            pair.sh(where, self.DISK.format(self.mib + self.ROOM_MIB))
        pair.lab.exec(CLIENT, [
            "python3", "-c", "with open('/mnt/file', 'wb') as file:\n"
            f"    for n in range({self.pages}):\n"
            f"        file.write(b'%015x\\n' % n * {self.PAGE // 16})"],
                      timeout=300, check=True)

    def start(self, pair):
        pair.write(SERVER, "/root/away.conf", self.CONFIG)
        pair.serve(SERVER, f"rsync --daemon --no-detach --port {self.port} "
                   "--config /root/away.conf", self.port)
        rate = self.mib * 1024 / deadline.scaled(SECONDS)
        self.launch(pair, f"rsync --bwlimit={max(1, rate):.0f} "
                    "--info=progress2 --no-human-readable --outbuf=N "
                    f"/mnt/file rsync://{pair.host}:{self.port}/away/")

    def done(self, pair):
        found = [re.match(r"\s*(\d+)\s+\d+%", line)
                 for line in self.program.lines]
        return max((int(one.group(1)) for one in found if one), default=0)

    def judge(self, pair):
        wanted = hashlib.sha256()
        for number in range(self.pages):
            wanted.update(self.page(number))
        same(pair.hash_of(SERVER, "/mnt/file"), wanted.hexdigest(),
             "checksum of the copy")

    def spoil(self, pair):
        pair.sh(SERVER, f"printf x | dd of=/mnt/file bs=1 conv=notrunc "
                f"seek={self.pages * self.PAGE // 2} 2>/dev/null")

    def finish(self, pair):
        for where in (CLIENT, SERVER):
            pair.sh(where, "! mountpoint -q /mnt || umount /mnt; rmmod zram")


# The one that has a fixed amount to do comes last
PROGRAMS = {"ssh": Session, "postgresql": Postgres, "redis": Redis,
            "iperf3": Iperf, "rsync": Rsync}
