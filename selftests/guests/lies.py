# SPDX-License-Identifier: GPL-2.0
"""What guest2 does to the others against the rules, or does not do.

The lies themselves are programs and modules of selftests/hostile.
"""
import collections
import json
import os
import re
import time

from scene import Scene
from system import (Flow, OPT, PORT, domid, fallbacks, heal, lab, load, peer,
                    run, serve, state_of, stats, unload_all, until,
                    until_connected, until_connected_one_way, until_forgotten)
from xenlab import domains

HERE = os.path.dirname(os.path.realpath(__file__))

# What guest2 does to guest1 (selftests/hostile/liar.c), and what follows: lies
# about grants, and one of each kind of the others
BREAKS = ("ctl_index", "ring_foreign", "ring_nowhere", "ring_readonly",
          "ring_data_readonly", "ring_data_nowhere", "ring_data_foreign",
          "ring_ended", "ring_twice", "ring_del", "data_prod")
# Of a ring or an id of the moved TCP connection
BREAKS_TCP = ("data_prod",)
# Xen has no part in these, and the far end of the loopback tells them, too
if not os.environ.get("XENVMC_TEST_FEW"):
    BREAKS += ("ctl_torn", "ctl_long", "ctl_short", "ctl_hello_again",
               "ctl_wrong_kind", "ring_id", "ring_magic", "ring_lent_twice",
               "data_cons")
    BREAKS_TCP += ("ctl_wrong_kind", "data_cons")
# On one channel, in turn
IGNORED = {"ctl_unknown_type": "ctl_unknown_type",
           "ctl_unknown_conn": "ctl_unknown_conn",
           "storm": "events_spurious", "ring_lend_nothing": "ctl_rx",
           "ring_data_is_header": "ctl_rx", "ring_ends_in_use": "ctl_rx"}
# Questions for TCP connections (selftests/hostile/asker.c), if not one
ASKED = {"twice": 2, "flood": 2000}
UPGRADES = "/sys/kernel/tracing/events/xenvmc/xenvmc_upgrade"
# What is said to one at once, enum xenvmc_reason
LATER, NO_MATCH, NO_PROOF = 0, 5, 6

# What is false of the ring with which it begins (selftests/hostile/greeter.c),
# in the HELLO to guest1 and in the offer to guest3: a violation each
RINGS = ("ring_nowhere", "ring_foreign", "ring_readonly", "ring_magic",
         "ring_data_nowhere", "ring_data_foreign", "ring_data_readonly")
# Such a ring is of no use, and nobody's fault but who made it
RINGS_SPOILT = ("ring_data_twice", "ring_data_is_header")
# What it offers to guest3, with a ring that is right: a violation each
PORTS = ("port_nowhere", "port_of_another")

# What a guest may write into the node of its offer, and whose fault it is
OFFERS = {"no words": "garbage", "too few": "1 0 9",
          "not granted": "1 0 9 4294967295", "granted to dom0": "1 0 9 8",
          "no version": "0 0 9 9", "no port": "1 0 0 9", "long": "1 " * 900}
FLOOD = 1000    # writes

# The share of interrupts, in two seconds, of the time of all processors
BUSY = """python3 -c '
import time
def now():
    with open("/proc/stat") as stat:
        ticks = [int(word) for word in stat.readline().split()[1:]]
    return sum(ticks[:8]), ticks[5] + ticks[6]
before = now()
time.sleep(2)
all, busy = (x - y for x, y in zip(now(), before))
print(busy / all)'"""


def upgrades():
    """What guest1 has said to questions, and how often."""
    told = run("guest1", f"cat {UPGRADES}/hist")
    return collections.Counter({
        int(reason): int(count) for reason, count
        in re.findall(r"reason: +(\d+) \} hitcount: +(\d+)", told)})


def torn(*guests):
    """How many ends of theirs may miss bytes."""
    return sum(stats(guest)["hook_torn"] for guest in guests)


class Lies(Scene):
    """What a peer that lies, or is silent, can bring about."""

    # -- on a channel that the real module has made

    @staticmethod
    def lie(name, tcp=0):
        run("guest2", f"insmod {OPT}/liar.ko lie={name} tcp={tcp} "
            f"addr={domains.address('guest1')}; rmmod liar")

    def test_20_lies_that_are_ignored(self):
        flows = self.start_both()
        for name, counter in IGNORED.items():
            counted = stats("guest1")[counter]
            self.lie(name)
            until(lambda: stats("guest1")[counter] > counted,
                  f"{counter} counts {name}")
            for flow in flows:
                flow.flows()
        for flow in flows:
            self.stop_exact(flow)
        after = stats("guest1")
        for other in ("violations", "channels_down"):
            self.assertEqual(after[other], self.before[other])
        # A ring that was added stays mapped as long as the channel is there
        heal("guest1", "guest2")

    def test_20_a_storm_leaves_time_for_others(self):
        """guest2 rings all bells, for as long as it takes: connections of both
        go on, and most of guest1's time is not its interrupts'."""
        flows = self.start_both()
        run("guest2", f"insmod {OPT}/liar.ko lie=storm_lasts "
            f"addr={domains.address('guest1')}")
        for _ in range(3):
            before = stats("guest1")["events_spurious"]
            share = float(run("guest1", BUSY))
            print(f"# {share:.0%} of guest1's time are interrupts", flush=True)
            self.assertLess(share, 0.5)
            self.assertGreater(stats("guest1")["events_spurious"], before)
            for flow in (*flows, self.bystander):
                flow.flows()
        run("guest2", "rmmod liar")
        for flow in flows:
            self.stop_exact(flow)
        for name in ("violations", "channels_down"):
            self.assertEqual(stats("guest1")[name], self.before[name], name)

    def test_20_the_ring_of_a_stream_ends(self):
        """guest1 writes to a ring whose grants end meanwhile. What Xen has
        mapped stays, and what was written is lost with the channel."""
        inet, xenvmc = self.start_both(gap=0)
        before = stats("guest1")["tx_bytes"]
        self.lie("ring_ends_in_stream")
        self.assertGreater(stats("guest1")["tx_bytes"], before)
        inet.flows()
        heal("guest1", "guest2")
        self.ends_reset(xenvmc)
        self.stop_exact(inet)
        self.assertEqual(stats("guest1")["violations"],
                         self.before["violations"])

    def goes_on_or_is_torn(self, inet, before):
        """It goes on by TCP. If a byte was on its way all the same, nobody knows
        whether that has arrived, and an end has counted it."""
        try:
            inet.flows()
            self.stop_exact(inet)
        except AssertionError:
            self.ends_reset(inet)
            until(lambda: torn("guest1", "guest2") > before, "it is counted")

    def lie_breaks_the_channel(self, name):
        # So slow that at most times no byte of it is on its way
        inet, xenvmc = self.start_both(gap=800)
        before = torn("guest1", "guest2")
        self.lie(name)
        self.ends_reset(xenvmc)
        until(lambda: state_of("guest1", "guest2") == "broken",
              "the pair is broken")
        self.assertEqual(stats("guest1")["violations"],
                         self.before["violations"] + 1)
        self.goes_on_or_is_torn(inet, before)
        heal("guest1", "guest2")

    def lie_to_tcp_breaks_the_channel(self, name):
        """The stream goes on by TCP, or ends where it is not known how much of
        it has arrived; no byte is wrong."""
        inet, xenvmc = self.start_both(gap=800)
        self.lie(name, tcp=1)
        self.ends_reset(xenvmc)
        until(lambda: state_of("guest1", "guest2") == "broken",
              "the pair is broken")
        self.assertEqual(stats("guest1")["violations"],
                         self.before["violations"] + 1)
        end = inet.stop()["end"]
        print(f"# {name}: {end}")
        self.assertIn(end, ("exact", "ECONNRESET"))
        heal("guest1", "guest2")

    def one_is_told(self, name, **how):
        """A lie about the TCP connection: it ends or goes on, nothing else."""
        inet, xenvmc = self.start_both(**how)
        self.lie(name, tcp=1)
        end = inet.stop()["end"]
        print(f"# {name}: {end}")
        self.assertIn(end, ("exact", "ECONNRESET"))
        xenvmc.flows()
        self.stop_exact(xenvmc)
        self.assertEqual(stats("guest1")["violations"],
                         self.before["violations"])

    def test_21_tcp_is_left_by_a_lie(self):
        self.one_is_told("ctl_detach")

    def test_21_a_program_that_closes_is_there_still(self):
        """Its guest says so of TCP's ring, and goes on. If bytes are unread
        guest1 waits for the end that TCP would tell of, but not for ever."""
        self.one_is_told("ring_recall_closed", gap=0)

    @staticmethod
    def port_of(client, server):
        """The client's port of its one TCP connection with the server."""
        told = run(client, "ss -Htn state established dst "
                   f"{domains.address(server)}:{PORT['inet']}")
        [line] = told.splitlines()
        return int(line.split()[2].split(":")[-1])

    def ask(self, lie, sport, dport, own="guest2"):
        """guest2 asks guest1 for a connection that it may not have. Returns
        how often guest1 said at once what, and waits for all answers."""
        before = upgrades()
        answers = stats("guest2")["ctl_unknown_conn"]
        run("guest2", f"insmod {OPT}/asker.ko lie={lie} sport={sport} "
            f"dport={dport} own={domains.address(own)} "
            f"peer={domains.address('guest1')}; rmmod asker")
        asked = ASKED.get(lie, 1)
        until(lambda: stats("guest2")["ctl_unknown_conn"] - answers >= asked,
              f"{asked} answers to {lie}")
        told = upgrades() - before
        print(f"# {lie}: {dict(told)}")
        self.assertEqual(sum(told.values()), asked)
        return told

    def test_22_questions_that_prove_nothing(self):
        """guest2 has no hook, so that guest1's end of a connection waits to be
        asked for."""
        run("guest2", "rmmod xenvmc_inet")
        run("guest1", f"echo hist:keys=reason >{UPGRADES}/trigger")
        self.addCleanup(run, "guest1",
                        f"echo '!hist:keys=reason' >{UPGRADES}/trigger")
        before = stats("guest1")
        inet, xenvmc = [Flow(family, "guest1", "guest2", 50)
                        for family in PORT]
        inet.flows()
        port = self.port_of("guest1", "guest2")
        for lie in ("wrong_iss", "wrong_irs"):
            told = self.ask(lie, PORT["inet"], port)
            # It waits for ten seconds; later the proof is looked at later
            self.assertLessEqual({*told}, {NO_PROOF, LATER})
        for lie, sport, dport, own in (
                ("own_address", PORT["inet"], port, "guest2"),
                ("foreign_tuple", self.port_of("guest3", "guest1"),
                 PORT["inet"], "guest3"),
                ("flood", 0, port, "guest2")):
            told = self.ask(lie, sport, dport, own)
            self.assertEqual({*told}, {NO_MATCH})
            inet.flows()
            xenvmc.flows()
        self.assertEqual(stats("guest1")["hook_moved"], before["hook_moved"])
        # It is proved, and then not there; and asked for once more
        self.ask("twice", PORT["inet"], port)
        until(lambda: stats("guest1")["hook_moved"] ==
              before["hook_moved"] + 1, "guest1's end has moved")
        inet.flows()
        self.stop_exact(xenvmc)
        self.stop_exact(inet)
        for name in ("violations", "ctl_dropped", "channels_down"):
            self.assertEqual(stats("guest1")[name], before[name], name)
        load("guest2")
        # Its end of that connection is not free before the channel goes
        heal("guest1", "guest2")

    def test_22_an_answer_that_proves_nothing(self):
        """guest2 has no hook, and says yes to whatever it is asked for: it gets
        no connection by that, not even one that it has."""
        addresses = (f"own={domains.address('guest2')} "
                     f"peer={domains.address('guest1')}")
        run("guest2", "rmmod xenvmc_inet && "
            f"insmod {OPT}/asker.ko lie=says_yes {addresses}")
        before = stats("guest1")
        flow = Flow("inet", "guest2", "guest1", 50)
        until(lambda: state_of("guest1", "guest2") == "broken",
              "the pair is broken")
        flow.flows()
        self.stop_exact(flow)
        after = stats("guest1")
        self.assertEqual(after["violations"], before["violations"] + 1)
        self.assertEqual(after["hook_moved"], before["hook_moved"])
        run("guest2", "rmmod asker")
        load("guest2")
        heal("guest1", "guest2")

    # -- without the real module

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
            until(lambda: state_of("guest3", "guest2") == "broken",
                  f"guest3 refuses the offer: {what}")
            run("guest2", f"xenstore-rm {home}")
            until_forgotten(("guest3", "guest2"))
        self.assertEqual(stats("guest3")["violations"] - before, len(OFFERS))
        load("guest2")
        serve("guest2", "xenvmc")
        until_connected("guest2", "guest3")

    def begin(self, victim, how, lie, state):
        """guest2 begins with a lie: what the victim has then, and nothing is
        left when it goes."""
        how(lie)
        until(lambda: (peer(victim, "guest2") or {}).get("state") == state,
              f"{victim}: {state} with who says {lie}")
        run("guest2", "rmmod greeter; xenstore-rm data/xenvmc")
        until_forgotten((victim, "guest2"))

    def test_06_greetings_of_any_kind(self):
        unload_all("guest2")
        before = stats("guest1")["violations"]
        for lie in RINGS:
            self.begin("guest1", self.greet, lie, "broken")
        self.assertEqual(stats("guest1")["violations"] - before, len(RINGS))
        for lie in RINGS_SPOILT:
            self.begin("guest1", self.greet, lie, "connected")
        load("guest2")
        serve("guest2", "xenvmc")

    def test_06_rings_and_ports_of_any_kind(self):
        unload_all("guest2")
        before = stats("guest3")["violations"]
        for lie in (*RINGS, *PORTS):
            self.begin("guest3", self.offer, lie, "broken")
        self.assertEqual(stats("guest3")["violations"] - before,
                         len(RINGS) + len(PORTS))
        for lie in RINGS_SPOILT:
            self.begin("guest3", self.offer, lie, "hello")
        load("guest2")
        serve("guest2", "xenvmc")
        until_connected("guest2", "guest3")

    def test_07_announcements_of_any_kind(self):
        unload_all("guest2")
        home = "data/xenvmc"
        seen_by = ("guest1", "guest3")
        for text in ("garbage", "1.2.3.4.5", "0.0.0.0 127.0.0.1 255.255.255.255",
                     domains.address("guest1"), domains.address6("guest1"),
                     f"::ffff:{domains.address('guest1')} ::1 ff02::1 fe80::1 "
                     "169.254.169.254",
                     "10.9.9.9 " * 200,
                     # XenStore takes 2 KiB in a node
                     " ".join(f"10.8.0.{n + 1}" for n in range(170))):
            run("guest2", f"xenstore-write {home}/addr '{text}' "
                f"{home}/features zz {home}/version 1")
            for guest in seen_by:
                until(lambda g=guest: peer(g, "guest2"), "guest2 is listed")
            self.bystander.flows()
            # Nor is guest1's address guest2's to another
            told = json.dumps([peer(guest, "guest2") for guest in seen_by])
            for address in (domains.address("guest1"), "127.0.0.1",
                            domains.address6("guest1"), "::1", "ff02::1",
                            "fe80::1", "0.0.0.0", "255.255.255.255",
                            "169.254.169.254"):
                self.assertNotIn(f'"{address}"', told)
            run("guest2", f"xenstore-rm {home}")
            until_forgotten(*((guest, "guest2") for guest in seen_by))
        load("guest2")
        serve("guest2", "xenvmc")

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
        writes, _, addresses, _ = told.split()
        self.assertEqual(int(writes), FLOOD)
        self.assertGreater(int(addresses), 5 * FLOOD)
        self.bystander.flows()
        kib, own, store = [new - old for new, old
                              in zip(self.daemon_use(), before)]
        print(f"# flood: xenvmcd {kib} KiB, {own} ticks, "
              f"xenstored {store} ticks")
        self.assertLess(kib, 1024, "it grows with what it is told")
        # Measured by what the same writes cost XenStore: 0.4 of that
        self.assertLess(own, 2 * store)
        # Of all the addresses that counts which it said last; one is dom0's word
        self.announce("10.64.9.9")
        until(lambda: (peer("guest1", "guest2") or {}).get("addr") ==
              [domains.address("guest2"), "10.64.9.9"], "the last words count")
        run("guest2", "xenstore-rm data/xenvmc")
        until_forgotten(("guest1", "guest2"))
        self.assertEqual(stats("guest1")["channels_up"], ups)
        load("guest2")
        serve("guest2", "xenvmc")

    # -- silent. No lie of greeter.ko has that name: what it says is right

    def test_10_silence_after_an_offer(self):
        unload_all("guest2")
        self.offer("silence")
        until(lambda: state_of("guest3", "guest2") == "hello",
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
        asking = self.ask_the_silent()
        # What it is asked by goes away meanwhile: it unmaps, closes its port
        run("guest2", "rmmod greeter")
        self.stays_on_tcp("guest1")
        self.still_asks(asking)
        # Nobody answers BYE: guest1 waits no longer than it has to
        run("guest2", "xenstore-rm data/xenvmc")
        until_forgotten(("guest1", "guest2"))
        self.assertEqual(asking.wait(), 2, asking.lines)
        asking = self.ask_the_silent()
        before = stats("guest1")["fallback_no_answer"]
        self.stays_on_tcp("guest1", lambda: stats("guest1")[
            "fallback_no_answer"] > before)
        self.still_asks(asking)
        self.destroy_guest2("guest1", "guest3")
        self.assertEqual(asking.wait(), 2, asking.lines)
        self.assertEqual(stats("guest1")["violations"], violations)

    def ask_the_silent(self):
        """guest2 greets guest1 and says no more; connect() there has asked."""
        self.greet("silence")
        until_connected_one_way("guest1", "guest2")
        told = stats("guest1")["ctl_tx"]
        asking = lab.start("guest1", f"exec {OPT}/tools/stamp run xenvmc "
                           f"{domid('guest2')} {PORT['xenvmc']}")
        self.asked_at = time.monotonic()
        until(lambda: stats("guest1")["ctl_tx"] > told, "guest1 has asked")
        return asking

    def still_asks(self, asking):
        """Unless it has waited for nearly as long as it may: 30 s."""
        if time.monotonic() - self.asked_at < 25:
            self.assertEqual(asking.lines, [], "connect() waits")

    def test_12_the_hook_goes_while_the_peer_is_silent(self):
        inet, xenvmc = self.start_both()
        run("dom0", "xl pause guest2")
        run("guest1", "rmmod xenvmc_inet")
        # Nobody knows how much of the stream has arrived
        self.ends_reset(inet)
        self.bystander.flows()
        run("dom0", "xl unpause guest2")
        self.stop_exact(xenvmc)
        load("guest1")
        self.stop_exact(self.bystander)
        self.start_bystander()


def add_lies():
    """A test for each lie."""
    for name in BREAKS:
        setattr(Lies, f"test_20_{name}_breaks",
                lambda self, x=name: self.lie_breaks_the_channel(x))
    for name in BREAKS_TCP:
        setattr(Lies, f"test_21_{name}_of_tcp_breaks",
                lambda self, x=name: self.lie_to_tcp_breaks_the_channel(x))


add_lies()
# So does one that vanishes, at each step
if os.environ.get("XENVMC_TEST_FEW"):
    del Lies.test_10_silence_after_an_offer
