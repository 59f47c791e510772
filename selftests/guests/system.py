# SPDX-License-Identifier: GPL-2.0
"""What tests do to the guests of a lab, and the traffic between these.

The lab is .lab, of $XENVMC_LAB if nobody sets another; modules are loaded and
xenvmcd runs where the tests say so.
"""
import concurrent.futures
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../xen"))

from xenlab import deadline, domains  # noqa: E402
from xenlab.lab import Lab  # noqa: E402

OPT = "/opt/xenvmc"
TOOL = f"{OPT}/tools/xenvmc"
POLICY = "/etc/xenvmc/policy.conf"
PORT = {"inet": 7801, "xenvmc": 7802}

lab = Lab(quiet=True)


def run(where, command, timeout=60):
    """Standard output of a shell command that must succeed."""
    return lab.exec(where, command, timeout=timeout, check=True).stdout


def until(condition, what, seconds=60):
    """Wait until the function says yes; returns what it said."""
    said = []

    def ask():
        said[:] = [condition()]
        return said[0]
    deadline.wait_until(ask, seconds, what, 0.3)
    return said[0]


# ---- the system under test -------------------------------------------------

def start_daemon(dom0="dom0"):
    run(dom0, f"setsid {OPT}/tools/xenvmcd </dev/null >>/run/xenvmcd.log "
        "2>&1 & until [ -s /run/xenvmcd/lock ]; do sleep 0.1; done")


def stop_daemon(dom0="dom0"):
    run(dom0, "pid=$(pidof xenvmcd) || exit 0; kill $pid; "
        "while kill -0 $pid 2>/dev/null; do sleep 0.1; done; "
        ": >/run/xenvmcd/lock")


def policy(text):
    """Have xenvmcd read another policy."""
    run("dom0", f"mkdir -p /etc/xenvmc && echo '{text}' >{POLICY} && "
        "kill -HUP $(cat /run/xenvmcd/lock)")


def load(where):
    """A program takes half a second to start there: the fewer the better."""
    run(where, "for module in xenvmc xenvmc_inet; do "
        "[ -d /sys/module/$module ] || "
        f"insmod {OPT}/$module.ko || exit; done")


def unload(where):
    run(where, "rmmod xenvmc_inet && rmmod xenvmc")


def unload_all(where):
    """Also what a socket of AF_XENVMC holds back."""
    stop_serving(where, "xenvmc")
    run(where, "rmmod xenvmc_inet; until rmmod xenvmc; do sleep 0.1; done")


def each(work, *args):
    """work(arg) for all at the same time; returns what they returned."""
    with concurrent.futures.ThreadPoolExecutor(len(args)) as pool:
        return list(pool.map(work, args))


domids = {}     # of guests that no one has started anew


def domid(guest):
    if guest not in domids:
        domids[guest] = lab.domid(guest)
    return domids[guest]


uuids = {}      # of guests: one who comes back has the same


def uuid(guest):
    if guest not in uuids:
        node = f"/local/domain/{domid(guest)}/vm"
        uuids[guest] = run("dom0", f"xenstore-read {node}").split("/")[-1] \
            .strip()
    return uuids[guest]


def peer(where, other):
    """What @where knows of @other, a dictionary; None if nothing."""
    done = lab.exec(where, [TOOL, "-j", "peer", "show"])
    if done.returncode:
        return None
    number = domid(other)
    found = [x for x in json.loads(done.stdout) if x["domid"] == number]
    return found[0] if found else None


def state_of(where, other):
    """Of that peer, as @where knows it; None if it does not."""
    return (peer(where, other) or {}).get("state")


def until_connected(one, other):
    each(lambda ends: until_connected_one_way(*ends),
         (one, other), (other, one))


def until_connected_one_way(where, whom):
    """@where has a channel with @whom, whatever that one has."""
    until(lambda: (peer(where, whom) or {}).get("state") == "connected",
          f"{where} is connected with {whom}")


def until_forgotten(*ends):
    """For each (where, whom): @where knows nothing of @whom any more."""
    each(lambda x: until(lambda: not peer(*x), f"{x[1]} is not listed"), *ends)


def heal(one, other):
    """A broken pair gets another chance when dom0 lists it anew."""
    policy(f"deny {one} {other}")
    until_forgotten((one, other), (other, one))
    policy("default bridge")
    until_connected(one, other)


def stats(where):
    """All counters of a guest."""
    return json.loads(run(where, f"{TOOL} -j stat show zero"))


def on_rings(where, whom):
    """TCP connections to the server of @whom, if all have a ring each way."""
    conns = json.loads(run(where, f"{TOOL} -j conn show peer {domid(whom)} "
                           f"dport {PORT['inet']}") or "[]")
    return all(c["rx"] == c["tx"] == "ring" for c in conns) and len(conns)


def tcp_conns(where):
    """Its TCP connections that its module knows."""
    told = json.loads(run(where, f"{TOOL} -j conn show") or "[]")
    return [x for x in told if x["kind"] == "tcp"]


def ring_conns(where, whom):
    """How many of them, with @whom, are on rings both ways."""
    return sum(x["peer"] == domid(whom) and x["state"] == "up" and
               x["tx"] == x["rx"] == "ring" for x in tcp_conns(where))


RINGS = 200    # of 256 that a guest lends to a peer; streams have some


def many_on_rings(where, whom, count, late):
    """@count of them are moved, but for a few that had no answer in time: that
    was counted, @late times. And each that there is a ring for sends by it: the
    others go by TCP until one is free."""
    up = [x for x in tcp_conns(where)
          if x["peer"] == domid(whom) and x["state"] == "up"]
    by_ring = sum(x["tx"] == "ring" for x in up)
    return count - min(late, count // 20) <= len(up) <= count and \
        by_ring >= min(count, RINGS)


def stream_paths(where):
    """What brings the bytes of its streams that are up, each way of each."""
    told = json.loads(run(where, f"{TOOL} -j conn show") or "[]")
    return [x[way] for x in told for way in ("tx", "rx")
            if x["kind"] == "stream" and x["state"] == "up"]


def fallbacks(counters):
    """How often there was a reason to be on TCP."""
    return sum(value for name, value in counters.items()
               if name.startswith("fallback_"))


# ---- traffic ---------------------------------------------------------------

servers = {}    # (guest, family): the program


def serve(where, *families):
    """The ends that answer, of both families if none is named."""
    for family in families or PORT:
        server = lab.start(where, f"exec {OPT}/tools/stamp serve {family} "
                           f"{PORT[family]}")
        servers[where, family] = server
        server.until(lambda s=server: s.lines, "it listens")


def stop_serving(where, family):
    """It takes no more connections; those that it has go on."""
    servers.pop((where, family)).end_input()


class Flow:
    """A stamp connection between two guests, running, or several. What is asked
    of one is asked of the first. @name: what gives the server's name in
    AF_XENVMC."""

    def __init__(self, family, client, server, gap=0, conns=1, name=domid):
        self.client, self.server, self.family = client, server, family
        host = domains.address(server) if family == "inet" else name(server)
        self.program = lab.start(client, f"exec {OPT}/tools/stamp run "
                                 f"{family} {host} {PORT[family]} 0 {gap} "
                                 f"{conns}")
        # The serving end may be another program by then
        self.other = servers[server, family]

    def said(self, line=-1):
        """A line: {"end": ..., "sent": ..., "received": ...}, or {}."""
        text = "".join(self.program.lines[line:][:1])
        found = dict(re.findall(r"(\w+)=(\S+)", text))
        if text and "sent" not in found:
            raise AssertionError(f"stamp: {text}")
        return {key: int(value) if value.isdigit() else value
                for key, value in found.items()}

    def flows(self):
        """Wait until bytes have gone both ways since now."""
        # The line after the next one was written after now
        first = len(self.program.lines) + 1

        def moved():
            now = self.said()
            if "end" in now:
                raise AssertionError(f"{self.family}: ended: {now}")
            before = self.said(first)
            return before and all(now[key] > before[key]
                                  for key in ("sent", "received"))
        self.program.until(moved, f"bytes of {self.family} have gone to "
                           f"{self.server} and back")

    def ended(self):
        """Wait for the end; returns the last words of this side."""
        return self.program.until(
            lambda: self.said() if "end" in self.said() else None,
            f"the end of {self.family}")

    def ends(self, count):
        """Wait for the ends of all; returns the last words of each."""
        def found():
            return [line for line in self.program.lines if "end=" in line]
        self.program.until(lambda: len(found()) == count,
                           f"the ends of {count}", 300)
        return [dict(word.split("=") for word in line.split())
                for line in found()]

    def stop(self):
        """Ends it in good order."""
        self.program.end_input()
        return self.ended()

    def until_theirs(self, end):
        """Wait for the line of the serving side that belongs to ours."""
        mine = f"end={end['end']} sent={end['received']} " \
               f"received={end['sent']}"
        self.other.until(lambda: mine in self.other.lines,
                         f"{self.family}: the serving end agrees with {end}")
