#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Trouble while bytes flow: each thing that may happen to a host's domains.

Needs a lab with three guests, without the modules loaded (the file all boots
one). guest1 and guest2 talk over a TCP connection that has moved and over
AF_XENVMC; to one of them, or to dom0, something happens. guest3 has a TCP
connection with guest1 all the time, which must not notice.

  trouble.py [TEST...]

XENVMC_TEST_CYCLES and XENVMC_TEST_CHURN say how often modules are loaded and
unloaded, and how many connections are opened and closed in a row.
"""
import json
import os
import sys
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../xen"))

from system import (Flow, OPT, POLICY, PORT, TOOL, domid,  # noqa: E402
                    domids, each, fallbacks, heal, lab, load, on_rings, peer,
                    policy, run, serve, servers, start_daemon, stats,
                    stop_daemon, stop_serving, unload, unload_all, until,
                    until_connected, until_connected_one_way, until_forgotten)
from xenlab import (deadline, domains, interrupts, leaks,  # noqa: E402
                    memory, tap)
from xenlab.errors import Timeout  # noqa: E402

CHURN_PORT = {"inet": 7803, "xenvmc": 7804}
GUESTS = ("guest1", "guest2", "guest3")

# What guest2 does to guest1 (selftests/hostile/liar.c), and what follows
BREAKS = ("ctl_index", "ctl_torn", "ctl_long", "ctl_short", "ctl_hello_again",
          "ctl_wrong_kind", "ring_foreign", "ring_nowhere", "ring_id",
          "ring_readonly", "ring_data_readonly", "ring_magic",
          "ring_data_nowhere", "ring_data_foreign", "ring_ended",
          "ring_twice", "ring_del", "ring_lent_twice", "data_prod",
          "data_cons")
# The same of a ring or an id of the moved TCP connection
BREAKS_TCP = ("ctl_wrong_kind", "data_prod", "data_cons")
# On one channel, in turn
IGNORED = {"ctl_unknown_type": "ctl_unknown_type",
           "ctl_unknown_conn": "ctl_unknown_conn",
           "storm": "events_spurious", "ring_lend_nothing": "ctl_rx",
           "ring_data_is_header": "ctl_rx", "ring_ends_in_use": "ctl_rx"}
# Seconds that no interrupt takes: by a clock that runs while others do, too
HELD = 2
# How it begins with guest1 (selftests/hostile/greeter.c), a violation each
HELLOS = ("hello_nowhere", "hello_foreign", "hello_readonly",
          "hello_data_readonly", "hello_data_nowhere", "hello_magic")
# What it offers to guest3, with a ring that is right: a violation each
PORTS = ("offer_port_nowhere", "offer_port_of_another")

# What a guest may write into the node of its offer, and whose fault it is
OFFERS = {"no words": "garbage", "too few": "1 0 9",
          "not granted": "1 0 9 4294967295", "granted to dom0": "1 0 9 8",
          "no version": "0 0 9 9", "long": "1 " * 900}

# How often modules go and come, and connections of each family in a row
CYCLES = int(os.environ.get("XENVMC_TEST_CYCLES", "3"))
CHURN = int(os.environ.get("XENVMC_TEST_CHURN", "200"))
FLOOD = 1000    # writes

class Trouble(unittest.TestCase):
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
        cls.loaded = leaks.count(lab)

    @classmethod
    def start_bystander(cls):
        """A connection that must not notice what happens to guest2."""
        moved = stats("guest1")["hook_moved"]
        cls.bystander = Flow("inet", "guest3", "guest1", gap=200)
        cls.bystander.flows()
        until(lambda: stats("guest1")["hook_moved"] > moved, "it has moved")

    def setUp(self):
        if not self.sound:
            self.recover()
        type(self).sound = False

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

    # -- tests

    def test_01_bytes_are_exact_and_on_rings(self):
        inet, xenvmc = self.start_both(gap=0)
        inet.flows()
        xenvmc.flows()
        ends = [self.stop_exact(flow) for flow in (inet, xenvmc)]
        after = stats("guest1")
        for name, key in (("rx_bytes", "received"), ("tx_bytes", "sent")):
            # TCP's first bytes went before the connection had moved
            self.assertGreater(after[name] - self.before[name],
                               ends[1][key] + ends[0][key] / 2)
        self.assertEqual(after["violations"], 0)

    def test_02_xenvmcd_may_restart(self):
        inet, xenvmc = self.start_both()
        ups = self.before["channels_up"]
        stop_daemon()
        inet.flows()
        xenvmc.flows()
        start_daemon()
        inet.flows()
        xenvmc.flows()
        other = self.start_both(client="guest2", server="guest1")
        for flow in (inet, xenvmc, *other):
            self.stop_exact(flow)
        self.assertEqual(stats("guest1")["channels_up"], ups)

    def test_03_policy_is_revoked_and_given_back(self):
        inet, xenvmc = self.start_both()
        before = self.before["fallback_chan_closed"]
        policy("deny guest1 guest2")
        self.ends_reset(xenvmc)
        until_forgotten(("guest1", "guest2"), ("guest2", "guest1"))
        inet.flows()
        self.assertGreater(stats("guest1")["fallback_chan_closed"], before)
        policy("default bridge")
        until_connected("guest1", "guest2")
        until(lambda: on_rings("guest1", "guest2"), "it is on rings again")
        inet.flows()
        self.stop_exact(inet)
        for flow in self.start_both():
            self.stop_exact(flow)

    def memory_of(self, *guests):
        """Kernel memory of guests that is not there for later."""
        counts = each(lambda guest: leaks.memory_of(lab, guest), *guests)
        return dict(zip(guests, counts))

    def no_memory_grown(self, before, times):
        """What was done so many times left nothing behind, each time. What
        RCU still has to free is gone a little later."""
        left = {}

        def all_free():
            left.clear()
            for guest, now in self.memory_of(*before).items():
                more = memory.grown(before[guest], now, times)
                if more:
                    left[guest] = more
            return not left
        try:
            until(all_free, "memory is free", 30)
        except Timeout:
            self.assertEqual(left, {})

    def test_04_modules_go_and_come(self):
        inet, xenvmc = self.start_both()
        run("guest1", "rmmod xenvmc_inet")
        inet.flows()
        done = lab.exec("guest1", "rmmod xenvmc")
        self.assertNotEqual(done.returncode, 0, "sockets are open")
        self.stop_exact(xenvmc)
        run("guest1", f"insmod {OPT}/xenvmc_inet.ko")
        until(lambda: on_rings("guest1", "guest2"), "it is on rings again")
        inet.flows()
        unload_all("guest1")
        inet.flows()
        before = self.memory_of("guest1", "guest2") if CYCLES > 20 else {}
        for _ in range(CYCLES):
            load("guest1")
            until_connected("guest1", "guest2")
            other = Flow("inet", "guest1", "guest2", gap=50)
            other.flows()
            until(lambda: on_rings("guest1", "guest2") == 2,
                  "the old and the new connection are on rings")
            unload("guest1")
            inet.flows()
            self.stop_exact(other)
        if before:
            self.no_memory_grown(before, CYCLES)
        self.stop_exact(inet)
        load("guest1")
        serve("guest1", "xenvmc")
        # It went back to TCP with the modules each time
        self.stop_exact(self.bystander)
        until_connected("guest1", "guest3")
        self.start_bystander()

    def test_05_a_paused_guest_goes_on(self):
        inet, xenvmc = self.start_both()
        run("dom0", "xl pause guest2")
        self.bystander.flows()
        run("dom0", "xl unpause guest2")
        self.stop_exact(inet)
        self.stop_exact(xenvmc)

    @staticmethod
    def lie(name, tcp=0):
        run("guest2", f"insmod {OPT}/liar.ko lie={name} tcp={tcp} "
            f"addr={domains.address('guest1')}; rmmod liar")

    def test_20_lies_that_are_ignored(self):
        flows = self.start_both()
        interrupts.watch(lab, "guest1")
        for name, counter in IGNORED.items():
            counted = stats("guest1")[counter]
            self.lie(name)
            until(lambda: stats("guest1")[counter] > counted,
                  f"{counter} counts {name}")
            for flow in flows:
                flow.flows()
        held, number = interrupts.longest(lab, "guest1")
        print(f"# {number} interrupts, the longest {1000 * held:.0f} ms")
        self.assertGreater(number, 0)
        self.assertLess(held, deadline.scaled(HELD))
        for flow in flows:
            self.stop_exact(flow)
        after = stats("guest1")
        for other in ("violations", "channels_down"):
            self.assertEqual(after[other], self.before[other])
        # A ring that was added stays mapped as long as the channel is there
        heal("guest1", "guest2")

    def lie_breaks_the_channel(self, name):
        # So slow that at most times no byte of it is on its way
        inet, xenvmc = self.start_both(gap=800)
        self.lie(name)
        self.ends_reset(xenvmc)
        until(lambda: peer("guest1", "guest2")["state"] == "broken",
              "the pair is broken")
        self.assertEqual(stats("guest1")["violations"],
                         self.before["violations"] + 1)
        inet.flows()
        self.stop_exact(inet)
        heal("guest1", "guest2")

    def lie_to_tcp_breaks_the_channel(self, name):
        """The stream goes on by TCP, or ends where it is not known how much of
        it has arrived; no byte is wrong."""
        inet, xenvmc = self.start_both(gap=800)
        self.lie(name, tcp=1)
        self.ends_reset(xenvmc)
        until(lambda: peer("guest1", "guest2")["state"] == "broken",
              "the pair is broken")
        self.assertEqual(stats("guest1")["violations"],
                         self.before["violations"] + 1)
        end = inet.stop()["end"]
        print(f"# {name}: {end}")
        self.assertIn(end, ("exact", "ECONNRESET"))
        heal("guest1", "guest2")

    def test_21_tcp_is_left_by_a_lie(self):
        inet, xenvmc = self.start_both()
        self.lie("ctl_detach", tcp=1)
        end = inet.stop()["end"]
        print(f"# DETACH: {end}")
        self.assertIn(end, ("exact", "ECONNRESET"))
        xenvmc.flows()
        self.stop_exact(xenvmc)
        self.assertEqual(stats("guest1")["violations"],
                         self.before["violations"])

    def test_06_offers_of_any_kind(self):
        unload_all("guest2")
        before = stats("guest3")["violations"]
        home = "data/xenvmc"
        address = domains.address("guest2")
        mine, theirs = domid("guest2"), domid("guest3")
        self.assertLess(mine, theirs)
        offer = f"/local/domain/{mine}/xenvmc/peer/{theirs}/offer"
        for what, text in OFFERS.items():
            run("guest2", f"xenstore-write {home}/addr {address} "
                f"{home}/features 0 {home}/version 1")
            until(lambda: peer("guest3", "guest2"), "guest2 is listed")
            run("guest2", f"until xenstore-write {offer} '{text}'; do "
                "sleep 0.1; done")
            until(lambda: peer("guest3", "guest2")["state"] == "broken",
                  f"guest3 refuses the offer: {what}")
            run("guest2", f"xenstore-rm {home}")
            until_forgotten(("guest3", "guest2"))
        self.assertEqual(stats("guest3")["violations"] - before, len(OFFERS))
        load("guest2")
        serve("guest2", "xenvmc")
        until_connected("guest2", "guest3")

    @staticmethod
    def announce(text):
        """guest2, without our modules, says which addresses it has."""
        run("guest2", f"xenstore-write data/xenvmc/addr '{text}' "
            "data/xenvmc/features 0 data/xenvmc/version 1")

    def greet(self, lie):
        """guest2, without our modules, answers the offer of guest1."""
        mine, theirs = domid("guest2"), domid("guest1")
        self.assertGreater(mine, theirs)
        offer = f"/local/domain/{theirs}/xenvmc/peer/{mine}/offer"
        self.announce(domains.address("guest2"))
        words = until(lambda: run(
            "guest2", f"xenstore-read {offer} 2>/dev/null || :").split(),
            "guest1 has offered")
        run("guest2", f"insmod {OPT}/greeter.ko lie={lie} domid={theirs} "
            f"port={words[2]} gref={words[3]}")

    def offer(self, lie):
        """guest2, without our modules, makes an offer to guest3."""
        mine, theirs = domid("guest2"), domid("guest3")
        self.assertLess(mine, theirs)
        self.announce(domains.address("guest2"))
        until(lambda: peer("guest3", "guest2"), "guest2 is listed")
        run("guest2", f"until insmod {OPT}/greeter.ko lie={lie} "
            f"domid={theirs} node=/local/domain/{mine}/xenvmc/peer/{theirs}; "
            "do sleep 0.1; done")

    def test_06_greetings_of_any_kind(self):
        unload_all("guest2")
        before = stats("guest1")["violations"]
        for lie in HELLOS:
            self.greet(lie)
            until(lambda: peer("guest1", "guest2")["state"] == "broken",
                  f"guest1 breaks with who says {lie}")
            run("guest2", "rmmod greeter; xenstore-rm data/xenvmc")
            until_forgotten(("guest1", "guest2"))
        self.assertEqual(stats("guest1")["violations"] - before, len(HELLOS))
        load("guest2")
        serve("guest2", "xenvmc")

    def test_06_ports_of_any_kind(self):
        unload_all("guest2")
        before = stats("guest3")["violations"]
        for lie in PORTS:
            self.offer(lie)
            until(lambda: peer("guest3", "guest2")["state"] == "broken",
                  f"guest3 breaks with who says {lie}")
            run("guest2", "rmmod greeter; xenstore-rm data/xenvmc")
            until_forgotten(("guest3", "guest2"))
        self.assertEqual(stats("guest3")["violations"] - before, len(PORTS))
        load("guest2")
        serve("guest2", "xenvmc")
        until_connected("guest2", "guest3")

    # Words that no lie of greeter.ko is: what it says is right, and all

    def test_10_silence_after_an_offer(self):
        unload_all("guest2")
        self.offer("silence")
        until(lambda: peer("guest3", "guest2")["state"] == "hello",
              "guest3 has greeted")
        before = stats("guest3")
        self.stays_on_tcp("guest3")
        told = lab.exec("guest3", f"{OPT}/tools/stamp run xenvmc "
                        f"{domid('guest2')} {PORT['xenvmc']} 1")
        self.assertEqual(told.returncode, 2, told.stdout + told.stderr)
        self.assertGreater(fallbacks(stats("guest3")), fallbacks(before))
        self.destroy_guest2("guest1", "guest3")

    def test_11_silence_after_a_greeting(self):
        violations = stats("guest1")["violations"]
        unload_all("guest2")
        self.greet("silence")
        until_connected_one_way("guest1", "guest2")
        # Nobody answers BYE: guest1 waits no longer than it has to
        run("guest2", "xenstore-rm data/xenvmc")
        until_forgotten(("guest1", "guest2"))
        run("guest2", "rmmod greeter")
        self.greet("silence")
        until_connected_one_way("guest1", "guest2")
        asking = lab.start("guest1", f"exec {OPT}/tools/stamp run xenvmc "
                           f"{domid('guest2')} {PORT['xenvmc']}")
        before = stats("guest1")["fallback_no_answer"]
        self.stays_on_tcp("guest1", lambda: stats("guest1")[
            "fallback_no_answer"] > before)
        self.assertEqual(asking.lines, [], "connect() waits")
        self.destroy_guest2("guest1", "guest3")
        self.assertEqual(asking.wait(), 2, asking.lines)
        self.assertEqual(stats("guest1")["violations"], violations)

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
    def destroy_guest2(*others):
        """It is gone at once, and then @others know nothing of it."""
        gone = domid("guest2")
        lab.guest_destroy("guest2")

        def forgotten(guest):
            told = json.loads(run(guest, f"{TOOL} -j peer show"))
            return all(x["domid"] != gone for x in told)
        for guest in others:
            until(lambda g=guest: forgotten(g), f"{guest} forgets guest2")
        for family in PORT:
            server = servers.pop(("guest2", family), None)
            if server:
                server.drop()

    def test_12_the_hook_goes_while_the_peer_is_silent(self):
        inet, xenvmc = self.start_both()
        run("dom0", "xl pause guest2")
        run("guest1", "rmmod xenvmc_inet", timeout=30)
        # Nobody knows how much of the stream has arrived
        self.ends_reset(inet)
        self.bystander.flows()
        run("dom0", "xl unpause guest2")
        self.stop_exact(xenvmc)
        load("guest1")
        self.stop_exact(self.bystander)
        self.start_bystander()

    def test_07_announcements_of_any_kind(self):
        unload_all("guest2")
        home = "data/xenvmc"
        for text in ("garbage", "1.2.3.4.5", "0.0.0.0 127.0.0.1 255.255.255.255",
                     domains.address("guest1"), domains.address6("guest1"),
                     f"::ffff:{domains.address('guest1')} ::1 ff02::1 fe80::1",
                     "10.9.9.9 " * 200,
                     # XenStore takes 2 KiB in a node
                     " ".join(f"10.8.0.{n + 1}" for n in range(170))):
            run("guest2", f"xenstore-write {home}/addr '{text}' "
                f"{home}/features zz {home}/version 1")
            until(lambda: peer("guest1", "guest2"), "guest2 is listed")
            self.bystander.flows()
            told = json.dumps(peer("guest1", "guest2"))
            for address in (domains.address("guest1"), "127.0.0.1",
                            domains.address6("guest1"), "::1", "ff02::1",
                            "fe80::1", "0.0.0.0", "255.255.255.255"):
                self.assertNotIn(f'"{address}"', told)
            run("guest2", f"xenstore-rm {home}")
            until_forgotten(("guest1", "guest2"))
        load("guest2")
        serve("guest2", "xenvmc")

    def churn(self, family, count):
        """So many connections of guest1 to guest2, one after another."""
        host = domains.address("guest2") if family == "inet" else \
            domid("guest2")
        run("guest1", f"{OPT}/tools/churn run {family} {host} "
            f"{CHURN_PORT[family]} {count}", timeout=60 + count / 4)

    def test_09_many_connections_leave_nothing(self):
        # A closed TCP connection would be remembered for a minute
        each(lambda x: run(x, "sysctl -q net.ipv4.tcp_max_tw_buckets=0"),
             "guest1", "guest2")
        ends = [lab.start("guest2", f"exec {OPT}/tools/churn serve {family} "
                          f"{port}") for family, port in CHURN_PORT.items()]
        for end in ends:
            end.until(lambda x=end: x.lines, "it listens")
        try:
            self.churn_both()
        finally:
            for end in ends:
                end.end_input()

    def churn_both(self):
        for family in PORT:
            self.churn(family, 30)
        before = self.memory_of("guest1", "guest2")
        moved = stats("guest1")["hook_moved"]
        for family in PORT:
            self.churn(family, CHURN)
        self.no_memory_grown(before, CHURN)
        self.assertGreater(stats("guest1")["hook_moved"], moved + CHURN / 10)

    @staticmethod
    def daemon_use():
        """Resident KiB of xenvmcd, clock ticks of it and of xenstored."""
        told = run("dom0", "sed -n 's/VmRSS:[^0-9]*//p' "
                   "/proc/$(pidof xenvmcd)/status; "
                   "for pid in $(pidof xenvmcd) $(pidof xenstored); do "
                   "cut -d' ' -f14,15 /proc/$pid/stat; done").split()
        numbers = [int(word) for word in told if word.isdigit()]
        return numbers[0], sum(numbers[1:3]), sum(numbers[3:5])

    def test_08_a_flood_of_announcements(self):
        unload_all("guest2")
        ups = stats("guest1")["channels_up"]
        before = self.daemon_use()
        lab.push([os.path.join(HERE, "../hostile/flood.py")], "guest2")
        told = run("guest2", f"python3 flood.py {FLOOD}", timeout=120)
        self.assertEqual(told.strip(), f"{FLOOD} writes")
        self.bystander.flows()
        kib, own, store = [new - old for new, old
                              in zip(self.daemon_use(), before)]
        print(f"# flood: xenvmcd {kib} KiB, {own} ticks, "
              f"xenstored {store} ticks")
        self.assertLess(kib, 1024, "it grows with what it is told")
        # Measured by what the same writes cost XenStore: 0.4 of that
        self.assertLess(own, 2 * store)
        run("guest2", "xenstore-rm data/xenvmc")
        until_forgotten(("guest1", "guest2"))
        self.assertEqual(stats("guest1")["channels_up"], ups)
        load("guest2")
        serve("guest2", "xenvmc")

    def test_50_a_destroyed_guest_is_noticed(self):
        inet, xenvmc = self.start_both()
        self.destroy_guest2("guest1")
        # Bytes were on their way to it by both
        self.ends_reset(xenvmc)
        self.ends_reset(inet)

    def test_99_nothing_is_left(self):
        self.stop_exact(self.bystander)
        type(self).bystander = None

        def leave(guest):
            stop_serving(guest, "inet")
            unload_all(guest)
        each(leave, *GUESTS)
        until(lambda: "/peer/" not in run(
            "dom0", "xenstore-ls -f /local/domain"),
              "xenvmcd has seen them leave")
        stop_daemon()
        leaks.check(lab, self.unloaded)


def add_lies():
    """A test for each lie."""
    for name in BREAKS:
        setattr(Trouble, f"test_20_{name}_breaks",
                lambda self, x=name: self.lie_breaks_the_channel(x))
    for name in BREAKS_TCP:
        setattr(Trouble, f"test_21_{name}_of_tcp_breaks",
                lambda self, x=name: self.lie_to_tcp_breaks_the_channel(x))


add_lies()
if __name__ == "__main__":
    sys.exit(tap.run([Trouble], sys.argv[1:]))
