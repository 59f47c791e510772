# SPDX-License-Identifier: GPL-2.0
"""What tests with three guests begin with and leave: modules, traffic, a
bystander, and nothing else.

Needs a lab with three guests, without the modules loaded.
"""
import json
import unittest

from system import (Flow, POLICY, PORT, TOOL, domid, domids, each, heal, lab,
                    load, peer, ring_conns, run, serve, servers,
                    start_daemon, stats, stop_daemon, until, until_connected)
from xenlab import deadline, interrupts, leaks

GUESTS = ("guest1", "guest2", "guest3")
# To whom things are done, and for how many seconds no interrupt holds them, by
# a clock that runs while others do, too: 0.1 are the most on a quiet machine,
# 1.2 where four programs share each of the emulator's processors
VICTIMS = ("guest1", "guest3")
HELD = 4


class Scene(unittest.TestCase):
    """One test leaves the guests as the next one expects them."""

    sound = True        # the last test did so

    @classmethod
    def setUpClass(cls):
        stop_daemon()
        cls.unloaded = leaks.count(lab)
        start_daemon()
        each(load, *GUESTS)
        each(serve, *GUESTS)
        until_connected("guest1", "guest2")
        until_connected("guest1", "guest3")
        until_connected("guest2", "guest3")
        cls.start_bystander()
        each(lambda x: interrupts.watch(lab, x), *VICTIMS)
        cls.loaded = leaks.count(lab)

    @classmethod
    def start_bystander(cls):
        """A connection that must not notice what happens to guest2."""
        moved = stats("guest1")["hook_moved"]
        cls.bystander = Flow("inet", "guest3", "guest1", gap=200)
        cls.bystander.flows()
        until(lambda: stats("guest1")["hook_moved"] > moved, "it has moved")

    def setUp(self):
        # Each of them says so by itself, of this test
        self.addCleanup(lab.check, lab.mark())
        self.addCleanup(self.none_was_held)
        if not self.sound:
            self.recover()
        type(self).sound = False

    def none_was_held(self):
        """No interrupt has held a victim's processor for long."""
        told = dict(zip(VICTIMS, each(lambda x: interrupts.again(lab, x),
                                      *VICTIMS)))
        print("# " + ", ".join(
            f"{name}: {number} interrupts, the longest {1000 * held:.1f} ms"
            for name, (held, number) in told.items()), flush=True)
        for name, (held, _) in told.items():
            self.assertLess(held, deadline.scaled(HELD), name)

    @staticmethod
    def recover():
        """Guests, modules and peers as the tests expect them."""
        run("dom0", "xl unpause guest2 2>/dev/null; pidof xenvmcd || exit 0; "
            f"grep -q deny {POLICY} || exit 0; : >{POLICY}; "
            "kill -HUP $(pidof xenvmcd)")
        if not run("dom0", "pidof xenvmcd; true").strip():
            run("dom0", ": >/run/xenvmcd/lock")
            start_daemon()
        absent = [x for x in GUESTS if x not in lab.guests_running()]
        for guest in absent:
            domids.pop(guest, None)
            lab.guest_start(guest)
        each(lambda x: interrupts.watch(lab, x), *VICTIMS)
        each(load, *GUESTS)
        for guest in GUESTS:
            missing = [x for x in PORT if (guest, x) not in servers]
            if missing:
                serve(guest, *missing)
        found = until(lambda: peer("guest1", "guest2"), "guest2 is listed")
        if found["state"] == "broken":
            heal("guest1", "guest2")
        elif found["state"] != "connected":
            until_connected("guest1", "guest2")

    def tearDown(self):
        if not self.bystander:
            return
        self.bystander.flows()
        until(lambda: ring_conns("guest3", "guest1"), "it is on rings")
        if len(lab.guests_running()) < len(GUESTS):
            self.recover()
        leaks.check(lab, self.loaded)
        type(self).sound = True

    # -- helpers

    def start_both(self, client="guest1", server="guest2", gap=50):
        """A moved TCP connection and one of AF_XENVMC. Leaves the client's
        counters as they were before in self.before."""
        self.before = stats(client)
        flows = each(lambda family: Flow(family, client, server, gap), *PORT)
        for flow in flows:
            flow.flows()
        moved = self.before["hook_moved"]
        until(lambda: stats(client)["hook_moved"] > moved,
              "the TCP connection has moved")
        return flows

    def stop_exact(self, flow):
        """The connection ends as its two ends wish, and nothing is lost."""
        end = flow.stop()
        self.assertEqual(end["end"], "exact", f"{flow.family}: {end}")
        flow.until_theirs(end)
        return end

    def ends_reset(self, flow):
        """The connection has ended with an error, right until then."""
        end = flow.ended()
        self.assertEqual(end["end"], "ECONNRESET", f"{flow.family}: {end}")

    @staticmethod
    def stays_on_tcp(client, then=lambda: True):
        """A TCP connection with guest2 moves bytes, also when @then."""
        flow = Flow("inet", client, "guest2", gap=50)
        flow.flows()
        until(then, f"{client} has given up to move it")
        flow.flows()
        end = flow.stop()
        if end["end"] != "exact":
            raise AssertionError(f"inet: {end}")

    @staticmethod
    def crash_guest2():
        """Its kernel panics, without a word that would be a complaint, and
        dom0 destroys it."""
        run("guest2", "echo 0 >/proc/sys/kernel/printk")
        panic = lab.start("guest2", "echo c >/proc/sysrq-trigger")
        until(lambda: "guest2" not in lab.guests_running(), "it has crashed")
        # Ends the ways to it: they have what the program had, for minutes
        lab.guest_destroy("guest2")
        panic.drop()

    @staticmethod
    def restart_guest2():
        """At once, past its programs; dom0 destroys it instead."""
        restart = lab.start("guest2", "exec python3 -c "
                            "'import ctypes; "
                            "ctypes.CDLL(None).reboot(0x1234567)'")
        until(lambda: "guest2" not in lab.guests_running(), "it is gone")
        lab.guest_destroy("guest2")
        restart.drop()

    @staticmethod
    def destroy_guest2(*others, how=lambda: lab.guest_destroy("guest2")):
        """It is gone at once, and then @others know nothing of it."""
        gone = domid("guest2")
        how()

        def forgotten(guest):
            told = json.loads(run(guest, f"{TOOL} -j peer show"))
            return all(x["domid"] != gone for x in told)
        for guest in others:
            until(lambda g=guest: forgotten(g), f"{guest} forgets guest2")
        for family in PORT:
            server = servers.pop(("guest2", family), None)
            if server:
                server.drop()
