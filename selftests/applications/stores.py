# SPDX-License-Identifier: GPL-2.0
"""Programs that keep data: redis, memcached, PostgreSQL."""
import csv
import hashlib
import random
import re

from pair import CLIENT, SERVER, Program, Run, same
from xenlab import deadline


class Redis(Program):
    """redis-benchmark, then a data set that is known, which the server has to
    know again after a restart from either of its files."""
    packages = ("redis-server", "redis-tools")
    what = "redis-benchmark SET, GET, LPUSH, LRANGE of 100, 8 clients, and " \
           "with a pipeline; 2,000 keys; data set after SAVE and restart, " \
           "and after one from the append-only file"
    FOLDER = "/var/tmp/redis"
    KEYS = 2000
    REQUESTS = 960
    # Counted by the server: LRANGE has LPUSHes of its own before it
    TESTS = ("set", "get", "lpush", "lrange_100")

    def prepare(self, pair):
        rnd = random.Random(1)
        pair.write(CLIENT, "/root/redis.txt", "".join(
            f"{self.command(rnd, key)}\r\n" for key in range(self.KEYS)))

    @staticmethod
    def command(rnd, key):
        """A command that changes the data set, of a kind that varies."""
        words = [rnd.randbytes(rnd.choice((3, 20, 600))).hex()
                 for _ in range(3)]
        return (f"SET string:{key} {words[0]}",
                f"RPUSH list:{key % 37} {' '.join(words)}",
                f"HSET hash:{key % 41} {words[0]} {words[1]}",
                f"ZADD zset:{key % 43} {key} {words[2]}")[key % 4]

    def serve(self, pair, appendonly):
        """The server, with what its files hold."""
        pair.serve(SERVER, f"redis-server --dir {self.FOLDER} --save '' "
                   f"--appendonly {appendonly} --protected-mode no "
                   "--enable-debug-command yes --appendfsync everysec", 6379)

    def cli(self, pair, words):
        """What redis-cli prints, on the client."""
        return pair.sh(CLIENT, f"redis-cli -e -h {pair.host} {words}")

    def digest(self, pair):
        """The server's checksum of its data set, and how many keys."""
        return (self.cli(pair, "debug digest").strip(),
                int(self.cli(pair, "dbsize")))

    def benchmark(self, pair, pipeline):
        """redis-benchmark; returns how many GETs in a second."""
        out = pair.sh(CLIENT, f"redis-benchmark -h {pair.host} -c 8 "
                      f"-n {self.REQUESTS} -P {pipeline} --csv "
                      f"-t {','.join(self.TESTS)}")
        rows = {row[0]: row[1] for row in csv.reader(out.splitlines())}
        return float(rows["GET"])

    def run(self, pair):
        pair.sh(SERVER, f"rm -rf {self.FOLDER} && mkdir -p {self.FOLDER}")
        self.serve(pair, "yes")
        figure = self.benchmark(pair, 1)
        self.benchmark(pair, 16)
        counts = re.findall(r"cmdstat_(set|get|lpush|lrange):calls=(\d+)",
                            self.cli(pair, "info commandstats"))
        self.cli(pair, "flushall")
        told = pair.sh(CLIENT, f"redis-cli -h {pair.host} --pipe "
                       "</root/redis.txt")
        same(re.findall(r"errors: \d+, replies: \d+", told),
             [f"errors: 0, replies: {self.KEYS}"], "redis-cli --pipe")
        digest = self.digest(pair)
        for appendonly in ("yes", "no"):
            self.cli(pair, "save")
            pair.stop()
            self.serve(pair, appendonly)
            same(self.digest(pair), digest, "data set after a restart, "
                 f"append-only file: {appendonly}")
        strings = pair.sh(
            CLIENT, f"seq 0 4 {self.KEYS - 1} | sed 's/^/get string:/' | "
            f"redis-cli -h {pair.host}")
        return Run(figure, {
            "calls": dict(counts), "digest": digest,
            "strings": hashlib.sha256(strings.encode()).hexdigest()})


class Memcached(Program):
    """The load generator, by both protocols, and files there and back."""
    packages = ("memcached", "libmemcached-tools")
    what = "memcslap set and get, by text and binary, 4 threads, 2,000 each; " \
           "hits counted; 12 files of up to 900 KB by memccp and memccat"
    FILES = "/root/memcached"
    THREADS, EACH = 4, 500
    COUNTS = ("cmd_set", "cmd_get", "get_hits", "get_misses")

    def prepare(self, pair):
        pair.sh(CLIENT, f"mkdir -p {self.FILES} && cd {self.FILES} && "
                "for i in $(seq 12); do head -c $((i * i * 6250)) "
                "/dev/urandom >file$i; done")

    def slap(self, pair, test, words=""):
        """Operations in a second."""
        total = self.THREADS * self.EACH
        told = pair.sh(CLIENT, f"memcslap --servers={pair.host} --test={test} "
                       f"--concurrency={self.THREADS} "
                       f"--execute-number={self.EACH} {words}")
        return total / float(re.search(
            rf"Time to {test}\s+{total} keys by .*:\s+([\d.]+) seconds",
            told).group(1))

    def run(self, pair):
        pair.serve(SERVER, "memcached -u root -m 64 -I 1m", 11211)
        servers = f"--servers={pair.host}"
        self.slap(pair, "set")
        figure = self.slap(pair, "get")
        for test in ("set", "get"):
            self.slap(pair, test, "--binary")
        each = f"cd {self.FILES} && for name in file*; do"
        back = pair.sh(
            CLIENT, f"cd {self.FILES} && memccp {servers} --set file* && "
            f"{each} memccat {servers} $name | head -c $(stat -c %s $name) | "
            "sha256sum; done")
        files = pair.sh(CLIENT, f"{each} sha256sum <$name; done")
        same(back, files, "files")
        counts = dict(re.findall(rf"({'|'.join(self.COUNTS)}):\s*(\d+)",
                                 pair.sh(CLIENT, f"memcstat {servers}")))
        same((counts["get_misses"], counts["get_hits"]),
             ("0", counts["cmd_get"]), "misses, hits")
        return Run(figure, {"counts": counts, "files": files})


class Postgres(Program):
    """pgbench with a seed, so that the balances are known to be the same."""
    packages = ("postgresql-17",)
    what = "pgbench -i (100,000 rows), then 4 clients, 40 transactions each, " \
           "simple and prepared; sums of balances against the history; dump"
    FOLDER = "/var/tmp/postgres"
    BIN = "/usr/lib/postgresql/17/bin"
    USER = "setpriv --reuid postgres --regid postgres --clear-groups"
    CLIENTS, EACH = 4, 40
    SUMS = """select
	(select sum(abalance) from pgbench_accounts) =
	(select sum(delta) from pgbench_history) and
	(select sum(bbalance) from pgbench_branches) =
	(select sum(delta) from pgbench_history) and
	(select sum(tbalance) from pgbench_tellers) =
	(select sum(delta) from pgbench_history),
	(select count(*) from pgbench_history),
	(select count(*) from pgbench_accounts),
	(select sum(abs(delta)) from pgbench_history)"""
    # Sorted: transactions end in any order
    BALANCES = "copy (select aid, abalance, filler from pgbench_accounts " \
               "order by aid) to stdout"

    def prepare(self, pair):
        pair.sh(SERVER, f"""install -d -o postgres {self.FOLDER} &&
cd {self.FOLDER} && {self.USER} {self.BIN}/initdb -A trust \\
	-D {self.FOLDER}/data --locale=C.UTF-8 --no-sync >/dev/null &&
echo 'host all all samenet trust' >>data/pg_hba.conf &&
cat >>data/postgresql.conf <<-END
	listen_addresses = '*'
	unix_socket_directories = '{self.FOLDER}'
	shared_buffers = 32MB
	fsync = off
	jit = off
	autovacuum = off
END""", timeout=600)

    def finish(self, pair):
        pair.sh(SERVER, f"rm -rf {self.FOLDER}")

    def psql(self, pair, words):
        """Shell words that ask the server on the client."""
        return f"PGOPTIONS=--client-min-messages=warning {self.BIN}/{words} " \
               f"-h {pair.host} -U postgres -d postgres"

    def bench(self, pair, mode):
        """Transactions in a second; all must have been made."""
        told = pair.sh(CLIENT, f"{self.psql(pair, 'pgbench')} -n "
                       f"-c {self.CLIENTS} -t {self.EACH} -M {mode} "
                       "--random-seed=7 2>&1")
        total = self.CLIENTS * self.EACH
        same(re.findall(r"actually processed: (\S+)", told),
             [f"{total}/{total}"], "transactions")
        same(re.findall(r"failed transactions: (\d+)", told), ["0"], "failed")
        return float(re.search(r"tps = ([\d.]+)", told).group(1))

    def serve(self, pair, words=""):
        """The server, with 100,000 rows. Returns shell words that ask it."""
        pair.serve(SERVER, f"{self.USER} {self.BIN}/postgres "
                   f"-D {self.FOLDER}/data {words}", 5432)
        ask = self.psql(pair, "psql") + " -X -A -t -q"
        limit = f"timeout {deadline.scaled(60):.0f}"
        pair.sh(CLIENT, f"{limit} sh -c \"until {ask} -c 'select 1' "
                ">/dev/null 2>&1; do sleep 0.2; done\"")
        pair.sh(CLIENT, self.psql(pair, "pgbench") + " -i -s 1 -q 2>&1")
        return ask

    def run(self, pair):
        ask = self.serve(pair)
        figure = self.bench(pair, "simple")
        self.bench(pair, "prepared")
        sums = pair.sh(CLIENT, f'{ask} -c "{self.SUMS}"').split("|")
        same(sums[:3], ["t", str(2 * self.CLIENTS * self.EACH), "100000"],
             "balances, history, accounts")
        return Run(figure, {"sums": sums, "balances": pair.sh(
            CLIENT, f'{ask} -c "{self.BALANCES}" | sha256sum')})


PROGRAMS = {"redis": Redis, "memcached": Memcached, "postgresql": Postgres}
