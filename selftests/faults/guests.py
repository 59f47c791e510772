#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""guests.py [SITE...]: each call of the Xen transport that can fail does so. TAP.

Two guests load the modules of a test build, find each other, carry bytes over a
TCP connection and one of AF_XENVMC, and unload. In one of them a call fails: the
first of a site, then the second, until none fails any more; first in guest1,
which offers, then in guest2, which binds. Each time bytes are exact, nothing
hangs, the guests connect in the end, a TCP connection that does not move is
counted with a reason, the guests can do it all again with what they have loaded,
no interrupt holds the guest for long, and Xen, XenStore and all guests hold
afterwards what they held before. The other guest has a connection of AF_XENVMC
with a third one all the time, which must not notice; that one is no peer of the
guest where calls fail, so that each call is one of the pair.
"""
import json
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, "../xen"), os.path.join(HERE, "../guests")]

# pylint: disable=wrong-import-position
import system  # noqa: E402
from system import lab, run  # noqa: E402
from xenlab import (artifacts, deadline, domains, interrupts,  # noqa: E402
                    leaks, tap)
from xenlab.lab import REPO, build_folder  # noqa: E402
from xenlab.params import Params  # noqa: E402

GUESTS, THIRD = ("guest1", "guest2"), "guest3"
FAULTY = "/opt/xenvmc/faulty"
TOOLS = "/opt/xenvmc/tools"
PARAMETERS = "/sys/module/xenvmc/parameters"
PORT = {"inet": 7811, "xenvmc": 7812}
SIZE = 300000
# In which a failure has to be made good
SECONDS = 30
# That no interrupt takes: by a clock that runs while others do, too
HELD = 2
# Sites that are met, perhaps, only when the modules go
AT_THE_END = ("unmap",)
# What AF_XENVMC may say, with a call failing: no memory, nobody there
ERRNOS = ("No buffer space available", "Cannot allocate memory",
          "Connection refused", "Connection reset by peer",
          "Connection timed out", "No route to host", "Host is down",
          "Network is unreachable")

def other(guest):
    return GUESTS[1 - GUESTS.index(guest)]


def failures(guest):
    """How many calls have failed on purpose there, ever."""
    return int(run(guest, "dmesg | grep -c 'fails on purpose' || :"))


# ---- what is walked --------------------------------------------------------

def load(guest, words=""):
    """False if a failure kept the module out; then none was loaded."""
    return not lab.exec(
        guest, f"insmod {FAULTY}/xenvmc.ko {words} || exit 1; "
        f"insmod {FAULTY}/xenvmc_inet.ko || {{ rmmod xenvmc; exit 1; }}"
        ).returncode


def connected(guest, whom):
    done = lab.exec(guest, [f"{TOOLS}/xenvmc", "-j", "peer", "show"])
    return any(peer["domid"] == whom and peer["state"] == "connected"
               for peer in json.loads(done.stdout or "[]"))


def counters(guest):
    return json.loads(run(guest, f"{TOOLS}/xenvmc -j stat show zero"))


def talk(family, number):
    """A connection of guest1 to guest2. What it ended with, in words."""
    host = domains.address("guest2") if family == "inet" else number
    done = lab.exec("guest1", f"{TOOLS}/stamp run {family} {host} "
                    f"{PORT[family]} {SIZE} 2>&1", timeout=SECONDS)
    last = (done.stdout.splitlines() or [""])[-1]
    return "exact" if last.startswith("end=exact") else last


def serve(family):
    """The end in guest2, until serving_over()."""
    server = lab.start("guest2", f"exec {TOOLS}/stamp serve {family} "
                       f"{PORT[family]}")
    return server


def judge_xenvmc(said):
    """Wrong bytes are wrong; not to be served for lack of memory is not."""
    good = said == "exact" or any(said.endswith(x) for x in ERRNOS) or \
        said.startswith("end=ECONN")
    if not good:
        raise AssertionError(f"AF_XENVMC: {said}")


def reasons(before, after):
    """Why connections are on TCP, of those that came to it in between."""
    return [name.removeprefix("fallback_") for name, value in after.items()
            if name.startswith("fallback_") and value > before.get(name, 0)]


class Pair:
    """Both guests with the modules, from insmod to rmmod."""

    def __init__(self, numbers):
        self.numbers = numbers      # domain ids
        self.bystander = None       # of the other guest, with the third

    def load(self, guest, words):
        """Load them, in one with @words. False: they did not load there."""
        self.must(load(other(guest)), f"{other(guest)} loads")
        system.until_connected(other(guest), THIRD)
        self.bystander = system.Flow("xenvmc", other(guest), THIRD, gap=100)
        self.bystander.flows()
        loaded = load(guest, words)
        if not loaded:
            self.must(load(guest), f"{guest}: loads without a failure")
        return loaded

    @staticmethod
    def must(condition, text):
        if not condition:
            raise AssertionError(text)

    def connect(self):
        for guest in GUESTS:
            deadline.wait_until(
                lambda g=guest: connected(g, self.numbers[other(g)]), SECONDS,
                f"{guest} is connected with {other(guest)}", 0.3)

    def converse(self):
        """Both families. What there is to say of it."""
        told = []
        before = {guest: counters(guest) for guest in GUESTS}
        server = serve("xenvmc")
        deadline.wait_until(lambda: server.lines, SECONDS, "stamp serves")
        said = talk("inet", None)
        self.must(said == "exact", f"TCP: {said}")
        if server.lines[0].startswith("listens"):
            said = talk("xenvmc", self.numbers["guest2"])
            server.end_input()
        else:
            said = server.lines[0]
        server.wait()
        judge_xenvmc(said)
        if said != "exact":
            told.append(f"AF_XENVMC: {said}")
        after = {guest: counters(guest) for guest in GUESTS}
        why = [x for guest in GUESTS
               for x in reasons(before[guest], after[guest])]
        moved = all(after[x]["hook_moved"] > before[x]["hook_moved"]
                    for x in GUESTS)
        self.must(moved or why, "TCP was not moved, and no reason is counted")
        return told + why

    def unload(self, guest):
        """First there, and the other's connection goes on."""
        command = "rmmod xenvmc_inet && until rmmod xenvmc; do sleep 0.1; done"
        run(guest, command)
        self.bystander.flows()
        end = self.bystander.stop()
        self.must(end["end"] == "exact", f"of the bystander: {end}")
        self.bystander.until_theirs(end)
        run(other(guest), command)

    def walk(self, guest, site, nth):
        """All of it, with the @nth call of @site failing in @guest, 0: none.
        (what there is to say, sites that were met)."""
        before = failures(guest)
        told = [] if self.load(guest, f"fault_site={site} fault_nth={nth}") \
            else ["not loaded"]
        self.connect()
        told += self.converse()
        met = run(guest, f"cat {PARAMETERS}/fault_calls").split()[::2]
        if failures(guest) > before:
            self.bystander.flows()
            again = self.converse()
            self.must(not again, f"then, without a failure: {again}")
        self.unload(guest)
        failed = failures(guest) - before
        self.must(failed <= 1, f"{failed} calls have failed")
        return (", ".join(told) or "not seen") if failed else None, met


class Faults(unittest.TestCase):
    """A test for each site in each of the two guests."""

    @classmethod
    def setUpClass(cls):
        params = Params(guests=3)
        if not lab.running():
            lab.up(params)
        modules = artifacts.build_faulty(REPO, build_folder(), params, lab.say)
        for guest in GUESTS:
            lab.push([os.path.join(modules, f"{name}.ko")
                      for name in ("xenvmc", "xenvmc_inet")],
                     f"{guest}:{FAULTY}")
        system.stop_daemon()
        system.start_daemon()
        system.load(THIRD)
        system.serve(THIRD, "xenvmc")
        cls.pair = Pair({guest: lab.domid(guest) for guest in GUESTS})
        cls.server = serve("inet")
        deadline.wait_until(lambda: cls.server.lines, SECONDS, "stamp serves")
        # What the first walk leaves for later is no leak
        cls.met, cls.before = {}, {}
        for guest in GUESTS:
            system.policy(f"deny {guest} {THIRD}")
            cls.met[guest] = cls.pair.walk(guest, "", 0)[1]
            cls.before[guest] = leaks.count(lab)

    @classmethod
    def tearDownClass(cls):
        cls.server.end_input()
        cls.server.wait()
        lab.down()

    def each_call(self, guest, site):
        """Fail them in turn."""
        if site not in AT_THE_END:
            self.assertIn(site, self.met[guest], "the site was not met")
        system.policy(f"deny {guest} {THIRD}")
        interrupts.watch(lab, guest)
        interrupts.again(lab, guest)
        self.each_call_in_turn(guest, site)
        held, number = interrupts.again(lab, guest)
        print(f"# {number} interrupts, the longest {1000 * held:.0f} ms",
              flush=True)
        self.assertGreater(number, 0)
        self.assertLess(held, deadline.scaled(HELD))

    def each_call_in_turn(self, guest, site):
        """Until none fails any more."""
        nth = 0
        told = ""
        while told is not None:
            nth += 1
            begin = time.monotonic()
            try:
                told, _ = self.pair.walk(guest, site, nth)
                leaks.check(lab, self.before[guest])
            except Exception as error:
                raise AssertionError(f"call {nth}: {error}") from error
            if told is not None:
                print(f"# {guest}, {site}, call {nth}: {told} "
                      f"({time.monotonic() - begin:.0f} s)", flush=True)
        self.assertGreater(nth, 1, "the site did not fail")


# Of the sites in net/xenvmc/fault.h those that the Xen transport meets and the
# loopback does not, or undoes in another way. The lower domain id offers
BOTH = ("chan", "ring_hdr", "ring_page", "grant", "own", "map_mem",
        "map_pages", "map_grefs", "map_op", "unmap", "held", "port", "evtchn",
        "irq", "pair", "store", "watch", "listed", "peer", "peer_addr",
        "rx_ring", "tx_ring", "ctl_send", "register")


def add_sites(names):
    """A test for each site and guest."""
    for guest in GUESTS:
        for site in names:
            setattr(Faults, f"test_{guest}_{site}",
                    lambda self, x=guest, y=site: self.each_call(x, y))


if __name__ == "__main__":
    add_sites(sys.argv[1:] or BOTH)
    lab.build(Params(guests=3))
    sys.exit(tap.run([Faults]))
