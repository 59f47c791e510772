#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""output.py XENVMC RECORD: what the tool prints, without a kernel.

RECORD writes the answers that a kernel would give. Each case runs the tool on
one recording and compares status, standard output and messages. TAP.
"""
import json
import os
import subprocess
import sys
import tempfile

BIG = 0xFEDCBA9876543210
UUID = "4dd8b1d2-7f3a-4a0e-9d3a-6d6b0f0c5f01"
NO_MODULE = ("xenvmc: the kernel module xenvmc is not loaded "
             '(generic netlink family "xenvmc" not found)\n')
BAD = "Kernel answers: Bad message (errno 74)\n"


def malformed(attr):
    return f"xenvmc: attribute {attr} of the kernel's answer is malformed\n" + BAD


PEERS_TEXT = f"""\
32752: state connected transport loop
    conns 3 rx_rings 4 tx_rings 5 rx_bytes {BIG} tx_bytes 0
7: state connected transport xen uuid {UUID} addr 10.0.0.11 fd00::b
    conns 1 rx_rings 2 tx_rings 2 rx_bytes 4096 tx_bytes 8192
"""
PEERS = [
    {"domid": 32752, "state": "connected", "transport": "loop", "addr": [],
     "conns": 3, "rx_rings": 4, "tx_rings": 5, "rx_bytes": BIG, "tx_bytes": 0},
    {"domid": 7, "state": "connected", "transport": "xen", "uuid": UUID,
     "addr": ["10.0.0.11", "fd00::b"], "conns": 1, "rx_rings": 2,
     "tx_rings": 2, "rx_bytes": 4096, "tx_bytes": 8192},
]
CHANGED_TEXT = f"""\
1: state broken transport carrier pigeon
    conns 3 rx_rings 4 tx_rings 5 rx_bytes {BIG} tx_bytes 0
"""
# What follows the first line of a connection of either kind, but for tx_bytes
TCP_TEXT = f"""\
 tx_tcp_bytes 12 tx_switches 3 tx_ring 524288 tx_stalls 7
    rx tcp rx_bytes {BIG} rx_tcp_bytes {BIG} rx_switches 2 rx_ring 0
"""
TCP = {"reason": "urgent", "tx_tcp_bytes": 12, "rx_tcp_bytes": BIG, "rx": "tcp",
       "rx_ring": 0}
CONN = {"state": "up", "ino": 31337, "tx": "ring", "rx_bytes": BIG,
        "tx_switches": 3, "rx_switches": 2, "tx_ring": 524288, "tx_stalls": 7}
CONN_TEXT = [
    f"""\
1: kind tcp state up peer 7 local 10.0.0.10 sport 40000 remote 10.0.0.11 dport 5201 ino 31337 reason urgent
    tx ring tx_bytes 100001{TCP_TEXT}""", f"""\
2: kind stream state up peer 7 sport 1024 dport 2147483647 ino 31337
    tx ring tx_bytes 100002 tx_switches 3 tx_ring 524288 tx_stalls 7
    rx ring rx_bytes {BIG} rx_switches 2 rx_ring 16384
""", f"""\
3: kind tcp state up peer 8 local fd00::a sport 40000 remote fd00::c dport 80 ino 31337 reason urgent
    tx ring tx_bytes 100003{TCP_TEXT}"""]
CONNS = [
    {**CONN, **TCP, "id": 1, "kind": "tcp", "peer": 7, "local": "10.0.0.10",
     "sport": 40000, "remote": "10.0.0.11", "dport": 5201, "tx_bytes": 100001},
    {**CONN, "id": 2, "kind": "stream", "peer": 7, "sport": 1024,
     "dport": 2147483647, "tx_bytes": 100002, "rx": "ring", "rx_ring": 16384},
    {**CONN, **TCP, "id": 3, "kind": "tcp", "peer": 8, "local": "fd00::a",
     "sport": 40000, "remote": "fd00::c", "dport": 80, "tx_bytes": 100003},
]
STAT_TEXT = f"""\
hook_moved                      12
fallback_no_ring                {BIG}
"""
STAT_ZERO_TEXT = STAT_TEXT + "fallback_urgent                 0\n"
STAT = {"hook_moved": 12, "fallback_no_ring": BIG}
HOOK_XEN_TEXT = """\
hook on loopback off
xenvmc_inet loaded
family 19
domid 3
directory published
"""
HOOK_XEN = {"hook": True, "loopback": False, "xenvmc_inet": True, "family": 19,
            "domid": 3, "directory": True}
HOOK_BARE_TEXT = """\
hook off loopback off
xenvmc_inet not loaded: connections stay on TCP
family 19
domid none: not on Xen, loopback only
directory not published: no xenvmcd runs in dom0, or it does not serve this guest
"""
HOOK_BARE = {"hook": False, "loopback": False, "xenvmc_inet": False,
             "family": 19, "domid": None, "directory": False}

EVENTS_TEXT = [
    "object hook hook on loopback off xenvmc_inet loaded\n", """\
object peer domid 7 state connected transport xen
object peer domid 7 state closing transport xen reason chan_closed
""", f"""\
object conn event closed id 9 kind tcp peer 7 local 10.0.0.10 sport 5201 reason urgent \
tx_tcp_bytes 12 tx_switches 3 tx_ring 524288 tx_stalls 7 \
rx_tcp_bytes {BIG} rx_switches 2 rx_ring 0
""", "object lost count 3\n",
    "object hook hook off loopback off xenvmc_inet not loaded\n"]
# A document for each event, so that a reader need not wait for the last
EVENTS = [
    {"object": "hook", "hook": True, "loopback": False, "xenvmc_inet": True},
    {"object": "peer", "domid": 7, "state": "connected", "transport": "xen"},
    {"object": "peer", "domid": 7, "state": "closing", "transport": "xen",
     "reason": "chan_closed"},
    {"object": "conn", "event": "closed", "id": 9, "kind": "tcp", "peer": 7,
     "local": "10.0.0.10", "sport": 5201, "reason": "urgent",
     "tx_tcp_bytes": 12, "tx_switches": 3, "tx_ring": 524288, "tx_stalls": 7,
     "rx_tcp_bytes": BIG, "rx_switches": 2, "rx_ring": 0},
    {"object": "lost", "count": 3},
    {"object": "hook", "hook": False, "loopback": False, "xenvmc_inet": False},
]

# name, recording, command line, status, standard output (str: text, else: what
# the JSON means), standard error, recording of what has to be sent
CASES = [
    ("peer show", "peers", "peer show", 0, PEERS_TEXT, "", "request_peers"),
    ("peer alone shows", "peers", "peer", 0, PEERS_TEXT, "", None),
    ("prefixes", "peers", "p s", 0, PEERS_TEXT, "", None),
    ("peer json", "peers", "-j peer show", 0, PEERS, "", None),
    ("peer json, ip's spelling", "peers", "-json -pretty peer", 0, PEERS, "",
     None),
    ("peer json, GNU's spelling", "peers", "--json --pretty peer", 0, PEERS,
     "", None),
    ("pretty does nothing to text", "peers", "-p peer", 0, PEERS_TEXT, "",
     None),
    ("no peers", "peers_none", "peer show", 0, "", "", None),
    ("no peers, json", "peers_none", "-j peer show", 0, [], "", None),
    ("interrupted dump is repeated", "peers_changed_once", "peer show", 0,
     CHANGED_TEXT, "", None),
    ("endless change is an error", "peers_changing", "peer show", 2, "",
     "xenvmc: the list changed each time while it was read, try again\n", None),
    ("short address", "peers_bad_addr", "peer show", 2, "", malformed(1), None),
    ("long number", "peers_bad_u16", "-j peer show", 2, "", malformed(1), None),
    ("peer without a domid", "peers_anonymous", "peer show", 2, "", BAD, None),
    ("cut dump", "peers_cut", "-j peer show", 2, "", BAD, None),
    ("dump ends in an error", "dump_error", "-j peer show", 2, "",
     "Kernel answers: Cannot allocate memory (errno 12): "
     "dump ran out of memory\n", None),
    ("conn show", "conns", "conn show", 0, "".join(CONN_TEXT), "",
     "request_conns"),
    ("conn json", "conns", "-j conn show", 0, CONNS, "", None),
    ("conn of a peer", "conns", "conn show peer 7", 0, "".join(CONN_TEXT[:2]),
     "", None),
    ("conn of a source port", "conns", "c s s 40000", 0,
     CONN_TEXT[0] + CONN_TEXT[2], "", None),
    ("conn of all three", "conns", "-j conn show peer 8 sport 40000 dport 80",
     0, [CONNS[2]], "", None),
    ("conn of a port in hex", "conns", "conn show dport 0x50", 0, CONN_TEXT[2],
     "", None),
    ("conn of nobody", "conns", "-j conn show peer 1", 0, [], "", None),
    ("conn with a short address", "conns_bad_addr", "conn show", 2, "",
     malformed(5), None),
    ("stat show", "stats", "stat show", 0, STAT_TEXT, "", "request_stats"),
    ("stat show zero", "stats", "stat show zero", 0, STAT_ZERO_TEXT, "", None),
    ("stat json", "stats", "-j stat show", 0, STAT, "", None),
    ("stat json zero", "stats", "-jp stat show zero", 0,
     {**STAT, "fallback_urgent": 0}, "", None),
    ("counter without a name", "stats_bad", "stat", 2, "", BAD, None),
    ("hook show", "hook_xen", "hook show", 0, HOOK_XEN_TEXT, "", None),
    ("hook show json", "hook_xen", "-j hook show", 0, HOOK_XEN, "", None),
    ("hook show says what is missing", "hook_bare", "hook", 0, HOOK_BARE_TEXT,
     "", None),
    ("hook show json, nothing there", "hook_bare", "-j hook", 0, HOOK_BARE, "",
     None),
    ("unknown value is shown raw", "hook_raw", "h s", 0,
     HOOK_XEN_TEXT.replace("hook on loopback off", "hook 2 loopback on"), "",
     None),
    ("unknown value is shown raw, json", "hook_raw", "-j h s", 0,
     {**HOOK_XEN, "hook": 2, "loopback": True}, "", None),
    ("hook on", "ack", "hook on", 0, "", "", "request_on"),
    ("hook on loopback", "ack", "hook on loopback", 0, "", "",
     "request_on_loopback"),
    ("hook off", "ack", "hook off", 0, "", "", "request_off"),
    ("refusal with the kernel's words", "refused", "hook on", 2, "",
     "Kernel answers: Operation not permitted (errno 1): "
     "CAP_NET_ADMIN is needed\n", None),
    ("refusal that quotes the request", "refused_quoted", "hook on", 2, "",
     "Kernel answers: Operation not supported (errno 95): "
     "not in this namespace\n", None),
    ("refusal without words", "refused_plain", "hook off", 2, "",
     "Kernel answers: Invalid argument (errno 22)\n", None),
    ("no module: peer", "no_family", "peer show", 2, "", NO_MODULE, None),
    ("no module: stat", "no_family", "-j stat show", 2, "", NO_MODULE, None),
    ("no module: hook on", "no_family", "hook on", 2, "", NO_MODULE, None),
    ("monitor", "events", "monitor", 0, "".join(EVENTS_TEXT), "",
     "request_family"),
    ("monitor ends with the module", "events_gone", "monitor", 2,
     "".join(EVENTS_TEXT), "xenvmc: the kernel module is gone\n", None),
    ("monitor json", "events", "-j monitor", 0, tuple(EVENTS), "", None),
    ("monitor of one object", "events", "monitor peer", 0,
     EVENTS_TEXT[1] + EVENTS_TEXT[3], "", None),
    ("monitor of two objects", "events", "m c h", 0,
     EVENTS_TEXT[0] + "".join(EVENTS_TEXT[2:]), "", None),
    ("monitor help", None, "monitor help", 0,
     "Usage: xenvmc monitor [ peer ] [ conn ] [ hook ]\n", "", None),
    ("monitor of what is not", None, "monitor stat", 255, "",
     'Error: "stat" is unknown here. Try option "help"\n', None),
    ("what came before a cut event is shown", "events_cut", "monitor", 2,
     EVENTS_TEXT[0], "xenvmc: events: Bad message (errno 74)\n", None),
    ("event without a number", "events_unnumbered", "monitor", 2, "",
     "xenvmc: events: Bad message (errno 74)\n", None),
    ("event with a short number", "events_bad", "monitor", 2, "",
     malformed(12).replace("Kernel answers", "xenvmc: events"), None),
    ("module without events", "no_group", "monitor", 2, "",
     "xenvmc: the kernel module tells no events\n", None),
    ("no module: monitor", "no_family", "monitor", 2, "", NO_MODULE, None),
    ("unknown object", None, "pear show", 1, "",
     'Object "pear" is unknown, try "xenvmc help".\n', None),
    ("unknown command", None, "peer set", 255, "",
     'Command "set" is unknown, try "xenvmc peer help".\n', None),
    ("ambiguous command", None, "hook o", 255, "",
     'Command "o" is ambiguous: on off; try "xenvmc hook help".\n', None),
    ("unknown option", None, "-x peer", 255, "",
     'Option "-x" is unknown, try "xenvmc -help".\n', None),
    ("unknown keyword", None, "conn show saddr 1", 255, "",
     'Error: "saddr" is unknown here. Try option "help"\n', None),
    ("unknown word after show", None, "peer show 3", 255, "",
     'Error: "3" is unknown here. Try option "help"\n', None),
    ("keyword without value", None, "conn show peer", 255, "",
     'Command line is not complete. Try option "help"\n', None),
    ("keyword twice", None, "conn show peer 1 peer 2", 255, "",
     'Error: duplicate "peer": "2" is the second value.\n', None),
    ("number too large", None, "conn show peer 65536", 255, "",
     'Error: argument "65536" is wrong: '
     '"peer" must be a number from 0 to 65535\n', None),
    ("negative number", None, "conn show sport -1", 255, "",
     'Error: argument "-1" is wrong: '
     '"sport" must be a number from 0 to 2147483647\n', None),
    ("not a number", None, "conn show dport http", 255, "",
     'Error: argument "http" is wrong: '
     '"dport" must be a number from 0 to 2147483647\n', None),
    ("help of an object", None, "stat help", 0,
     "Usage: xenvmc stat [ show [ zero ] ]\n", "", None),
]


class Tap:
    def __init__(self, count):
        self.number = self.failed = 0
        print("TAP version 13", f"1..{count}", sep="\n")

    def result(self, name, problem, skip=None):
        self.number += 1
        self.failed += bool(problem)
        for line in (problem or "").splitlines():
            print(f"# {line}")
        tail = f" # SKIP {skip}" if skip else ""
        print(f"{'not ok' if problem else 'ok'} {self.number} {name}{tail}")


def same_json(text, want):
    """The tool's JSON must be valid for others too, on one line unless pretty.
    A tuple is a document in each line."""
    if isinstance(want, tuple):
        lines = text.splitlines()
        return len(lines) == len(want) and all(map(same_json, lines, want))
    tool = subprocess.run([sys.executable, "-m", "json.tool"], input=text,
                          capture_output=True, text=True, check=False)
    return tool.returncode == 0 and json.loads(tool.stdout) == want


def run(xenvmc, record, case, tmp):
    _, recording, line, status, out, err, sent = case
    env = dict(os.environ, LC_ALL="C")
    sent_path = os.path.join(tmp, "sent")
    if recording:
        path = os.path.join(tmp, "answers")
        with open(path, "wb") as answers:
            subprocess.run([record, recording], stdout=answers, check=True)
        env.update(XENVMC_NL_FILE=path, XENVMC_NL_SENT=sent_path)
    got = subprocess.run([xenvmc] + line.split(), env=env, text=True,
                         capture_output=True, check=False, timeout=20)
    problems = []
    if got.returncode != status:
        problems.append(f"status {got.returncode}, wanted {status}")
    good = got.stdout == out if isinstance(out, str) else \
        same_json(got.stdout, out)
    if not good:
        problems.append(f"output:\n{got.stdout}wanted:\n{out}")
    if got.stderr != err:
        problems.append(f"messages:\n{got.stderr}wanted:\n{err}")
    if sent:
        want = subprocess.run([record, sent], capture_output=True, check=True)
        with open(sent_path, "rb") as requests:
            if requests.read() != want.stdout:
                problems.append("request differs from " + sent)
    return "\n".join(problems)


def pretty(xenvmc, record, tmp):
    """-p is for people: more than one line, and the same document."""
    path = os.path.join(tmp, "answers")
    with open(path, "wb") as answers:
        subprocess.run([record, "peers"], stdout=answers, check=True)
    env = dict(os.environ, XENVMC_NL_FILE=path)
    lines = [subprocess.run([xenvmc, opt, "peer"], env=env, check=True,
                            stdout=subprocess.PIPE).stdout.count(b"\n")
             for opt in ("-j", "-jp")]
    return None if lines[0] == 1 and lines[1] > 10 else f"lines: {lines}"


def usage(xenvmc):
    """Asked for: standard output and 0; as an answer to nothing: an error."""
    asked = subprocess.run([xenvmc, "help"], capture_output=True, check=False)
    empty = subprocess.run([xenvmc], capture_output=True, check=False)
    good = (asked.returncode, empty.returncode) == (0, 255) and \
        asked.stdout and asked.stdout == empty.stderr and not empty.stdout
    return None if good else f"{asked}\n{empty}"


def full_disk(xenvmc):
    with open("/dev/full", "wb") as full:
        got = subprocess.run([xenvmc, "help"], stdout=full,
                             stderr=subprocess.PIPE, check=False)
    return None if got.returncode == 2 and b"No space" in got.stderr else \
        str(got)


def this_kernel(xenvmc):
    """A kernel without the module, if this is one."""
    if os.path.exists("/sys/module/xenvmc"):
        return None, "the module is loaded here"
    got = subprocess.run([xenvmc, "peer", "show"], capture_output=True,
                         text=True, check=False)
    good = (got.returncode, got.stdout, got.stderr) == (2, "", NO_MODULE)
    return None if good else str(got), None


def main():
    xenvmc, record = sys.argv[1:]
    tap = Tap(len(CASES) + 4)
    with tempfile.TemporaryDirectory() as tmp:
        for case in CASES:
            tap.result(case[0], run(xenvmc, record, case, tmp))
        tap.result("pretty json has lines", pretty(xenvmc, record, tmp))
    tap.result("usage", usage(xenvmc))
    tap.result("full disk is an error", full_disk(xenvmc))
    tap.result("kernel without the module", *this_kernel(xenvmc))
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
