#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""hostile.py [NAME...]: a far end that lies to the module, on one kernel. TAP.

Needs a module xenvmc with the far end in it, see selftests/hostile/README.rst;
runs as root on the sanitizer kernel. Without names all cases, then the random
mode. An honest connection over the loopback moves bytes all the while, and
each test wants that it did, and that the kernel has not complained.

Environment: XENVMC_SEED is the first seed, XENVMC_MESSAGES how many random
messages, XENVMC_SOAK for how many seconds they go on (0: until the end).
"""
import os
import re
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path += [os.path.join(HERE, "../netlink")]

# pylint: disable=wrong-import-position
from views import stat  # noqa: E402

ENTRY = "/sys/module/xenvmc/parameters/hostile"
LOOPBACK = "32752"      # XENVMC_DOMID_SELF
PORT = "7000"
PART = 10000            # messages with one seed
REPORT = "20"           # milliseconds between two words of the bystander
REPORTS = 250           # so many without a byte, and it stands
SILENCE = 60            # seconds without a word, and it is gone
BEAT = 0.02             # seconds between two turns of a thread that does nothing
STANDS = 100            # its turns in a case by which bytes must have moved
CLOSING = 8             # cases whose pairs may be closing yet
PATIENCE = 20           # seconds for what is counted to be as before
TRACE = "/sys/kernel/tracing"
WORDS = re.compile(r"BUG|WARNING|KASAN|UBSAN|ODEBUG|possible|suspicious|Oops|"
                   r"INFO: task|rcu:.*stall")


def command(text):
    """Have the module play; returns its words."""
    with open(ENTRY, "w", encoding="ascii") as entry:
        entry.write(text)
    with open(ENTRY, encoding="ascii") as entry:
        return entry.read().strip()


def case_names():
    """Of all cases; the module's words have a page at a time."""
    names = []
    while True:
        more = command(f"list {len(names)}").split()
        if not more:
            return names
        names += more


class Violations:
    """Those that are counted, and those that a tracepoint tells of, since the
    last look."""

    def __init__(self):
        with open(f"{TRACE}/events/xenvmc/xenvmc_violation/enable", "w",
                  encoding="ascii") as file:
            file.write("1")
        self.seen = self.counted()
        self.traced()

    @staticmethod
    def counted():
        return stat("violations")

    @staticmethod
    def traced():
        """What each of them was."""
        with open(f"{TRACE}/trace", encoding="ascii") as file:
            text = file.read()
        with open(f"{TRACE}/trace", "w", encoding="ascii"):
            pass        # it is empty now
        return re.findall(r": xenvmc_violation: domid=\d+ what=(\w.*)", text)

    def differ(self):
        """How the two differ, or None."""
        before, self.seen = self.seen, self.counted()
        count, what = self.seen - before, self.traced()
        if count == len(what) and count:
            return None
        return f"{count} violations, and traced: {what}"


class Bystander:
    """An honest connection, each byte of which is checked."""

    def __init__(self):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE,
                 "text": True, "bufsize": 1}
        self.server = subprocess.Popen(["stamp", "serve", "xenvmc", PORT],
                                       **pipes)
        self.server.stdout.readline()
        self.client = subprocess.Popen(["stamp", "run", "xenvmc", LOOPBACK,
                                        PORT, "0", "5", "1", REPORT],
                                       **pipes)
        self.news = threading.Condition()
        self.words = 0
        self.line = ""
        self.beats = 0
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()
        threading.Thread(target=self.beat, daemon=True).start()

    def beat(self):
        """Time in which others could run, too."""
        while True:
            time.sleep(BEAT)
            self.beats += 1

    def listen(self):
        """Its last line, of which there always is another one."""
        for line in self.client.stdout:
            with self.news:
                self.line = line
                self.words += 1
                self.news.notify()

    def place(self):
        """What it says next: [sent, received], or None if it does not."""
        with self.news:
            old = self.words
            self.news.wait_for(lambda: self.words > old, SILENCE)
            found = re.match(r"at sent=(\d+) received=(\d+)", self.line)
            fresh = self.words > old
        return [int(word) for word in found.groups()] if found and fresh \
            else None

    def moved(self):
        """Waits for bytes that were sent from now on; why not, or None."""
        first = self.place()
        for _ in range(REPORTS):
            told = self.place()
            if not first or not told:
                return f"the bystander: {self.line.strip() or 'is gone'}"
            if all(old < new for old, new in zip(first, told)):
                return None
        return f"the bystander's bytes stand: {first}"

    def seen(self):
        """What it said last, and when in beats."""
        with self.news:
            return self.line, self.beats

    def stood(self, before):
        """Whether it stood still all the while since seen() said @before, if
        that was long."""
        line, beats = self.seen()
        if beats - before[1] < STANDS or line != before[0]:
            return None
        return f"the bystander stood still for {beats - before[1]} beats"

    def stop(self):
        """Ends it; why it was not right, or None."""
        self.client.stdin.close()
        self.listener.join()
        self.client.wait()
        self.server.communicate()
        return None if self.line.startswith("end=exact") else self.line.strip()


class Leftovers:
    """What is there after a case and was not before all. Pairs of silent far
    ends close side by side, and are looked at some cases later."""

    def __init__(self):
        self.first = self.count()
        self.cases = 0

    @staticmethod
    def count():
        """[pairs that close yet, peers, connections, sockets]."""
        with open("/proc/net/protocols", encoding="ascii") as table:
            rows = [line.split() for line in table]
        sockets = [int(row[2]) for row in rows if row[0] == "XENVMC"]
        return [int(word) for word in command("left").split()[1::2]] + sockets

    def check(self, wait=False):
        """After a case: what is left over, or None. @wait: of all"""
        self.cases += 1
        if self.count()[0] and self.cases < CLOSING and not wait:
            return None
        said = command("reap")
        if said != "ok":
            return said
        end = time.monotonic() + PATIENCE
        while self.count() != self.first:
            if time.monotonic() > end:
                return f"of the last {self.cases} cases there are left over, " \
                    "peers, connections, sockets: " \
                    f"{self.count()[1:]}, not {self.first[1:]}"
            time.sleep(0.01)
        self.cases = 0
        return None


class Report:
    """TAP of tests; the kernel's log belongs to the test that wrote it."""

    def __init__(self, count):
        print(f"TAP version 13\n1..{count}" if count else "TAP version 13",
              flush=True)
        self.number = self.failed = 0
        self.log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        self.splat()
        self.begun = time.monotonic()

    def splat(self):
        """The first complaint of the kernel since the last call, or None."""
        first = None
        while True:
            try:
                line = os.read(self.log, 8192).decode("utf-8", "replace")
            except BlockingIOError:
                return first
            except BrokenPipeError:
                continue
            if WORDS.search(line) and not first:
                first = line.split(";", 1)[-1].split("\n")[0]

    def test(self, name, why):
        """One test; it failed if there is a reason."""
        why = why or self.splat()
        self.number += 1
        self.failed += bool(why)
        if why:
            print(f"# {why}")
        now = time.monotonic()
        print(f"{'not ok' if why else 'ok'} {self.number} {name} "
              f"# time={now - self.begun:.1f}", flush=True)
        self.begun = now


def random_part(seed, count):
    """(why it failed or None, remarks) of random messages."""
    said = command(f"random {seed} {count}").splitlines()
    first = said[0] if said else "nothing was said"
    # One part may be too short for all types
    good = first.split()[:1] in (["ok"], ["few"])
    return (None if good else first), said


def add_up(total, said):
    """Adds the counters of a part to @total."""
    for line in said[1:]:
        words = line.split()
        counts = [int(word) for word in words[2::2]]
        old = total.get(words[0], [0] * len(counts))
        total[words[0]] = [a + b for a, b in zip(old, counts)]


def lacking(total):
    """Types that never were accepted, or never refused."""
    return [name for name, (_, accepted, refused) in total.items()
            if name != "unknown" and not (accepted and refused)]


def show(total):
    """The counters as remarks."""
    for name, (said, accepted, refused) in total.items():
        print(f"# {name}: {said} said, {accepted} accepted, {refused} refused")


def randoms(report, bystander, left, seed, enough):
    """Parts with one seed after the other until @enough(messages)."""
    total = {}
    messages = 0
    while not enough(messages):
        why, said = random_part(seed, PART)
        add_up(total, said)
        messages += PART
        print(f"# {said[0]}" if said else "# no words")
        why = why or bystander.moved() or left.check(wait=True)
        report.test(f"random messages, XENVMC_SEED={seed}", why)
        if why:
            break
        seed += 1
    show(total)
    lack = lacking(total)
    report.test("every type was accepted, and refused",
                f"not so: {', '.join(lack)}" if lack or not total else None)


def main():
    names = case_names()
    soak = os.environ.get("XENVMC_SOAK")
    seed = int(os.environ.get("XENVMC_SEED") or time.time_ns() % 1000000)
    wanted = sys.argv[1:] or names
    messages = int(os.environ.get("XENVMC_MESSAGES") or 100000)
    parts = -(-messages // PART)
    everything = not sys.argv[1:]
    bystander = Bystander()
    bystander.place()
    left = Leftovers()
    if soak is not None:
        report = Report(0)
        end = time.monotonic() + int(soak) if int(soak) else float("inf")
        randoms(report, bystander, left, seed,
                lambda _: time.monotonic() > end)
        print(f"1..{report.number + 2}")
    else:
        report = Report(len(wanted) + (parts + 2 if everything else 0) + 3)
        violations = Violations()
        for name in wanted:
            before = bystander.seen()
            said = command(f"case {name}")
            why = None if said == "ok" else said
            report.test(name, why or bystander.stood(before) or
                        bystander.moved() or left.check())
        if everything:
            report.test("each violation is traced", violations.differ())
        lack = command("lacking")
        report.test("there is a case of every word that crosses",
                    None if lack == "ok" else lack)
        if everything:
            randoms(report, bystander, left, seed,
                    lambda n: n >= messages)
    report.test("every channel is closed, and nothing is left",
                left.check(wait=True))
    report.test("the bystander's bytes are exact", bystander.stop())
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
