#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""kernel.py PROGRAMS MODE RESULTS [CASE...]: the kernel's own tests of TCP. TAP.

MODE is plain, over TCP with no module loaded; moved, with the hook on; or
switching, with readers that take their ring back all the time. PROGRAMS is the
folder of the programs, which run unchanged between two network namespaces, or
in one of them if they are their own peer. What they do in mode plain is written
to the file RESULTS and has to be the same in the others.
"""
import dataclasses
import json
import os
import random
import re
import subprocess
import sys
import time

FACTOR = float(os.environ.get("XENVMC_DEADLINE_FACTOR", "1"))
ADDRESS = {"a": "10.9.1.1", "b": "10.9.1.2"}
FOLDER = "/tmp/kernel-tests"
# Runs in one of which a case meets the hook: it may be over before
TRIES = 4
# Bytes that each end of a transfer sends, by name
SIZES = {"a": 250001, "b": 150003}


@dataclasses.dataclass
class Case:
    """What runs, what it has to do over plain TCP, and how it is seen to have
    met the hook.

    @server runs in b until it ends, or until it has said @says, @client in a.
    "{b}" is b's address, "{port}" a port of its own, "{a.in}" the file that a
    sends. With @files each writes what it got, @repeat times the other's file.
    @counter grows where the hook is on: "" if the case has no peer to move to.
    With @kills the server is ended when the client has: by itself it would
    close at some time, whether or not the client has come to an end by then.
    Without @switches its connections are TCP's before their first byte, and
    there is nothing to switch.
    """
    name: str
    client: str
    server: str = ""
    files: bool = False
    size: int = 0
    repeat: int = 1
    says: str = ""
    kills: bool = False
    status: tuple = (0, 0)
    counter: str = "ring_starts"
    switches: bool = True
    sysctl: str = ""
    seconds: int = 30


def transfer(name, both="", server="", client="", **more):
    """A case of mptcp_connect, which talks TCP here."""
    words = f"mptcp_connect -s TCP -t 30 -p {{port}} {both}"
    return Case(f"mptcp_connect {name}", f"{words} {client} {{b}}",
                f"{words} -l {server} {more.pop('bind', '{b}')}", files=True,
                **more)


def repeated(name, words):
    """The client connects three times with one socket."""
    words = f"-I 3 {words}"
    return transfer(name, words, "-i {b.in}", "-i {a.in}", repeat=3)


def zerocopy(words, counter, program="msg_zerocopy -S {a}"):
    """One end sends for a second, the other reads until it is ended."""
    rx = "msg_zerocopy -4 -p {port} -t 100 -S {a} -D {b} -r tcp"
    return Case(f"{program.split()[0]} {words}",
                f"{program} -4 -p {{port}} -t 1 -D {{b}} {words} tcp", rx,
                kills=True, counter=counter)


def mapped(name, words, counter):
    """The server hashes what it gets, by mapping it or not, and never ends."""
    words = f"tcp_mmap -4 -p {{port}} -i {words}"
    return Case(f"tcp_mmap {name}", f"{words} -H {{b}}", f"{words} -s -H {{b}}",
                says="SHA256 is", status=(0, None), counter=counter)


# kTLS of 6.12 does not know new keys; many processes at once take longer than the
# program allows on a kernel with sanitizers; and two ciphers will do
TLS = "tls " + " ".join([f"-T {name}" for name in (
    "rekey", "rekey_rx", "rekey_tx", "rekey_fail", "rekey_peek",
    "splice_rekey", "rekey_peek_splice", "rekey_getsockopt",
    "rekey_poll_pending", "rekey_poll_delay", "mutliproc_even",
    "mutliproc_readers", "mutliproc_writers", "mutliproc_sendpage_even",
    "mutliproc_sendpage_readers", "mutliproc_sendpage_writers")] +
    [f"-V {name}" for name in (
        "12_chacha", "13_aes_gcm", "13_sm4_gcm", "13_sm4_ccm", "12_aes_ccm",
        "13_aes_ccm", "12_aes_gcm_256", "13_aes_gcm_256", "13_nopad",
        "12_aria_gcm", "12_aria_gcm_256")])
# Programs that are their own peer, on one host
ALONE = (
    # Two sockets that come to the same port: nothing is sent
    Case("bind_timewait", "bind_timewait", counter=""),
    Case("reuseport_addr_any", "reuseport_addr_any", counter=""),
    Case("reuseport_dualstack", "reuseport_dualstack", counter=""),
    Case("rxtimestamp", "rxtimestamp --tcp --ipv4",
         counter="fallback_sockopt"),
    Case("sk_so_peek_off", "sk_so_peek_off", counter="hook_candidates"),
    Case("tcp_inq", "tcp_inq -4 -p {port}", counter="fallback_sockopt"),
    Case("tls", TLS, counter="fallback_ulp", switches=False, seconds=120),
    Case("txtimestamp", "txtimestamp -4 -F -L 127.0.0.1 -l 50 -c 4 -t 5000000",
         counter="fallback_sockopt"),
)
CASES = (
    transfer("by poll"),
    transfer("by mmap", "-m mmap"),
    transfer("by sendfile", "-m sendfile"),
    transfer("between IPv6 and IPv4", "", "-6", bind="::"),
    # So little under way is for TCP
    transfer("with small buffers", "-R 8192 -S 8192",
             counter="fallback_sockopt"),
    transfer("by mmap, a small buffer", "-m mmap -S 8192"),
    transfer("saving what was peeked at", "-P saveWithPeek"),
    transfer("saving after a peek", "-P saveAfterPeek"),
    transfer("waiting before close", "-w 1"),
    transfer("beginning slowly", "-j"),
    transfer("writing slowly", "-r 15000", size=50000),
    transfer("with a mark", "-M 7"),
    # It takes more than a kilobyte unread for an error
    transfer("with TCP_INQ", "-c TCPINQ", size=1000,
             counter="fallback_sockopt"),
    transfer("with time stamps", "-c TIMESTAMPNS",
             counter="fallback_sockopt"),
    transfer("with IP_TRANSPARENT", "-o TRANSPARENT"),
    transfer("with Fast Open", client="-i {a.in} -o MPTFO",
             counter="fallback_fastopen",
             sysctl="net.ipv4.tcp_fastopen=3"),
    repeated("three times by poll", ""),
    repeated("three times by mmap", "-m mmap"),
    repeated("three times by sendfile", "-m sendfile"),
    zerocopy("", "ring_starts"),
    zerocopy("-z", "fallback_zerocopy"),
    zerocopy("-z -s 100", "fallback_zerocopy"),
    zerocopy("-m 0 -n 1", "ring_starts", "io_uring_zerocopy_tx"),
    zerocopy("-m 1 -n 1", "fallback_zerocopy", "io_uring_zerocopy_tx"),
    zerocopy("-m 3 -n 1", "fallback_zerocopy", "io_uring_zerocopy_tx"),
    mapped("reading", "", "ring_starts"),
    mapped("mapping", "-z", "fallback_zerocopy"),
    mapped("mapping whole pages", "-z -M 4108", "fallback_zerocopy"),
) + ALONE


def run(*words):
    """A command that must succeed; its output."""
    return subprocess.run(words, check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def counters():
    """All counters of the module; none without one."""
    if not os.path.isdir("/sys/module/xenvmc"):
        return {}
    lines = (line.split() for line in
             run("xenvmc", "stat", "show", "zero").splitlines())
    return {line[0]: int(line[1]) for line in lines if len(line) == 2}


def make_hosts(hook):
    """Two hosts and a cable."""
    for side in ADDRESS:
        run("ip", "netns", "add", side)
    run("ip", "link", "add", "va", "netns", "a", "type", "veth", "peer",
        "name", "vb", "netns", "b")
    for side, address in ADDRESS.items():
        run("ip", "-n", side, "addr", "add", f"{address}/24", "dev", f"v{side}")
        for name in ("lo", f"v{side}"):
            run("ip", "-n", side, "link", "set", name, "up")
        if hook:
            run(*there(side), "xenvmc", "hook", "on", "loopback")


class Process:
    """A program in a namespace, with its output in a file."""

    def __init__(self, case, side, words, programs):
        self.out = f"{FOLDER}/{side}.out"
        self.err = f"{FOLDER}/{side}.err"
        argv = words.split()
        argv[0] = os.path.join(programs, argv[0])
        # Who does not end by itself must not keep its words
        argv = [*there(side), *["stdbuf", "-oL"] * bool(case.says), *argv]
        with open(self.out, "wb") as out, open(self.err, "wb") as err, \
                open(f"{FOLDER}/{side}.in", "rb") as source:
            self.popen = subprocess.Popen(argv, stdin=source, stdout=out,
                                          stderr=err, cwd=FOLDER)

    def text(self):
        """What it has said so far."""
        parts = []
        for name in (self.out, self.err):
            with open(name, encoding="utf-8", errors="replace") as handle:
                parts.append(handle.read())
        return "".join(parts)

    def listens(self, port):
        """Does it, or has it ended?"""
        if self.popen.poll() is not None:
            return True
        for name in ("tcp", "tcp6"):
            with open(f"/proc/{self.popen.pid}/net/{name}",
                      encoding="ascii") as table:
                if re.search(f":{port:04X} [0-9A-F]+:0000 0A ", table.read()):
                    return True
        return False

    def wait(self, deadline):
        """Its status; "hangs" if it did not end."""
        try:
            status = self.popen.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.kill()
            return "hangs"
        return status

    def kill(self):
        """End it, whatever it does."""
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()


def there(side):
    """Words before a command that runs on a host."""
    return ["nsenter", f"--net=/run/netns/{side}"]


def until(condition, deadline):
    """Waits for it; whether it came."""
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def make_files(case):
    """What each end sends."""
    for side, size in SIZES.items():
        with open(f"{FOLDER}/{side}.in", "wb") as handle:
            handle.write(random.Random(side).randbytes(case.size or size))


def received(case, side):
    """Did this end get what the other has sent?"""
    other = "b" if side == "a" else "a"
    with open(f"{FOLDER}/{side}.out", "rb") as got, \
            open(f"{FOLDER}/{other}.in", "rb") as sent:
        return got.read() == sent.read() * case.repeat


def verdicts(text):
    """The lines of a program's TAP that judge: many say more than a status."""
    return [line for line in text.splitlines()
            if re.match(r"(not )?ok \d", line)]


def run_case(case, programs, port):
    """Runs it. Returns what must be the same in all modes, and what it said."""
    deadline = time.monotonic() + case.seconds * FACTOR
    named = {"port": port, "a.in": f"{FOLDER}/a.in", "b.in": f"{FOLDER}/b.in"}

    def words(text):
        for name, value in (named | ADDRESS).items():
            text = text.replace("{%s}" % name, str(value))
        return text

    make_files(case)
    for side in ADDRESS if case.sysctl else ():
        run(*there(side), "sysctl", "-q", case.sysctl)
    result = {}
    ends = []
    if case.server:
        ends.append(Process(case, "b", words(case.server), programs))
        if not until(lambda: ends[0].listens(port), deadline):
            result["listens"] = False
    ends.append(Process(case, "a", words(case.client), programs))
    result["client"] = ends[-1].wait(deadline)
    if case.says:
        until(lambda: case.says in ends[0].text() or
              ends[0].popen.poll() is not None, deadline)
        result["says"] = re.findall(f".*{case.says}.*", ends[0].text())
        ends[0].kill()
    elif case.kills:
        # An error would end it
        result["reads"] = not until(lambda: ends[0].popen.poll() is not None,
                                    time.monotonic() + 0.5)
        ends[0].kill()
    elif case.server:
        result["server"] = ends[0].wait(deadline)
    if case.files:
        result["files"] = [received(case, "a"), received(case, "b")]
    else:
        result["verdicts"] = verdicts(ends[-1].text())
    said = [] if case.files else [end.text() for end in ends]
    if case.files:
        for end in ends:
            with open(end.err, encoding="utf-8", errors="replace") as handle:
                said.append(handle.read())
    return result, "\n".join(said)


def complaints(case, result, plain):
    """What is wrong with a result, in words."""
    wanted = {"client": case.status[0]}
    if case.files:
        wanted["files"] = [True, True]
    if case.kills:
        wanted["reads"] = True
    elif case.server and not case.says:
        wanted["server"] = case.status[1]
    for name, want in wanted.items():
        if result[name] != want:
            yield f"{name}: {result[name]} instead of {want}"
    if case.says and not any("correct" in line for line in result["says"]):
        yield f"it said {result['says']}"
    for line in result.get("verdicts", []):
        if line.startswith("not ok"):
            yield line
    if plain is not None and result != plain:
        yield f"otherwise over TCP: {plain}, now {result}"


def judge(case, mode, programs, port, plain):
    """One case in one mode. Returns its result and what is wrong."""
    for turn in range(TRIES):
        before = counters()
        result, said = run_case(case, programs, port + 1000 * turn)
        wrong = list(complaints(case, result, plain))
        after = counters()
        grown = {name: after[name] - before.get(name, 0) for name in after
                 if after[name] != before.get(name, 0)}
        if wrong or mode == "plain" or not case.counter or \
                case.counter in grown:
            break
    else:
        wrong.append(f"{case.counter} did not grow: {grown}")
    if wrong:
        wrong += said.splitlines()[-40:]
    return result, wrong


def main(programs, mode, path, names):
    """Runs the cases in one mode. The number that failed."""
    plain = {}
    if mode != "plain":
        with open(path, encoding="utf-8") as handle:
            plain = json.load(handle)
    os.makedirs(FOLDER, exist_ok=True)
    cases = [case for case in CASES
             if (case.switches or mode != "switching") and
             (not names or any(name in case.name for name in names))]
    print(f"TAP version 13\n1..{len(cases)}", flush=True)
    make_hosts(mode != "plain")
    failed = 0
    results = {}
    for number, case in enumerate(cases, 1):
        begin = time.monotonic()
        result, wrong = judge(case, mode, programs, 20000 + number,
                              plain.get(case.name))
        # As JSON has it
        results[case.name] = json.loads(json.dumps(result))
        for line in wrong:
            print(f"# {line}")
        failed += bool(wrong)
        print(f"# {time.monotonic() - begin:.1f} s")
        print(f"{'not ok' if wrong else 'ok'} {number} {mode}: {case.name}",
              flush=True)
    # Two ends of each connection stop when it ends
    if mode == "switching" and not names and \
            counters()["ring_stops"] < counters()["hook_moved"] + 20:
        print("# connections have not gone back and forth")
        failed += 1
    for side in ADDRESS:
        run("ip", "netns", "del", side)
    if mode == "plain":
        with open(path, "w", encoding="utf-8") as handle:
            json.dump(results, handle)
    return failed


if __name__ == "__main__":
    if len(sys.argv) < 4 or sys.argv[2] not in ("plain", "moved", "switching"):
        sys.exit(__doc__.split(":", maxsplit=1)[0])
    sys.exit(bool(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])))
