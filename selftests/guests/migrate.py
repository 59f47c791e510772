#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Save, restore and checkpoint of guests while bytes flow.

Needs a lab with guest1 and guest2, and more if there are, without the modules
loaded. Both talk over TCP connections that have moved, opened by either, and
over AF_XENVMC; then one of them, or both, are suspended, and all connections go
on byte-exact.

  migrate.py [TEST...]
"""
import os
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../xen"))

import system  # noqa: E402
from meanwhile import Meanwhile  # noqa: E402
from suspends import (BOUND, GUESTS, SILENCE, checkpoint,  # noqa: E402
                      fail_to_save, forget, peers, restore, save,
                      stop_programs)
from system import (Flow, OPT, PORT, domid, each, lab, load,  # noqa: E402
                    many_on_rings, ring_conns, run, serve, stats, stop_serving,
                    unload_all, until, until_connected, uuid)
from xenlab import domains, tap  # noqa: E402

# What guest1 does while guest2 leaves (selftests/hostile/farewell.c)
LIES = ("prod_jumps", "writes_on", "prod_shrinks", "stop_is_taken_back",
        "anything", "cons_jumps")


class Migrate(Meanwhile):
    """What comes before, after and instead of a suspend."""

    def test_01_saved_and_restored(self):
        self.start()
        old = domid("guest2")
        save("guest2")
        until(lambda: old not in peers("guest1"), "guest1 forgets it")
        restore("guest2")
        self.assertNotEqual(domid("guest2"), old)
        self.assertEqual(self.more("guest2", "restores"), 1)
        for guest in GUESTS:
            self.assertGreaterEqual(self.more(guest, "fallback_suspend"), 2)
            self.assertEqual(self.more(guest, "violations"), 0)
        self.assertLess(self.let_go("guest2"), SILENCE)
        self.go_on()

    def test_02_the_lower_domain_is_saved(self):
        self.start()
        self.assertLess(domid("guest1"), domid("guest2"))
        save("guest1")
        restore("guest1")
        self.assertGreater(domid("guest1"), domid("guest2"))
        self.go_on()

    def unread(self, who):
        """guest2 is saved while bytes to one end are unread, and the other one
        waits for room."""
        self.start()
        stop_programs(who, "STOP")
        writer = self.flows[who == "guest1"]
        self.assertNotEqual(writer.client, who)

        def blocked():
            last = writer.program.lines[-3:]
            return len({x.split()[1] for x in last}) == 1 and len(last) == 3
        writer.program.until(blocked, "it waits for room")
        save("guest2")
        restore("guest2")
        stop_programs(who, "CONT")
        self.go_on()

    def test_03_unread_bytes_travel(self):
        self.unread("guest2")

    def test_04_unread_bytes_stay(self):
        self.unread("guest1")

    def cancelled(self, suspend):
        self.start()
        old = domid("guest2")
        suspend("guest2")
        forget("guest2")
        self.assertEqual(domid("guest2"), old)
        until(lambda: self.more("guest2", "suspends_cancelled") == 1,
              "it goes on")
        self.assertEqual(self.more("guest2", "restores"), 0)
        self.go_on()

    def test_05_a_checkpoint(self):
        self.cancelled(checkpoint)

    def test_06_a_save_that_fails(self):
        self.cancelled(fail_to_save)

    def test_07_a_silent_peer(self):
        """Nobody knows then how much of the streams has arrived."""
        self.start()
        lines = [len(flow.other.lines) for flow in self.flows]
        # Its own watchdog would take the pause for a processor that hangs
        run("guest1", "sysctl -q kernel.soft_watchdog=0")
        run("dom0", "xl pause guest1")
        save("guest2")
        restore("guest2")
        self.assertGreaterEqual(self.let_go("guest2"), SILENCE)
        self.assertLess(self.let_go("guest2"), BOUND)
        run("dom0", "xl unpause guest1")
        run("guest1", "sysctl -q kernel.soft_watchdog=1")
        for flow, before in zip(self.flows, lines):
            self.reset(flow)
            self.theirs_reset(flow, before)
        self.assertEqual(self.more("guest2", "hook_torn"), len(self.inet))
        until_connected(*GUESTS)
        self.new_ones_move()

    def test_08_both_at_once(self):
        self.start()
        each(save, *GUESTS)
        each(restore, *GUESTS)
        self.go_on()

    def test_09_another_device_refuses(self):
        """The kernel tells nobody that there will be no suspend, or says that
        there was one: that depends on its age."""
        unload_all("guest2")
        run("guest2", f"insmod {OPT}/refuser.ko")
        load("guest2")
        serve("guest2", "xenvmc")
        until_connected(*GUESTS)
        self.start()
        run("dom0", f"xenstore-write /local/domain/{domid('guest2')}/control/"
            "shutdown suspend")
        until(lambda: self.more("guest2", "suspends_cancelled") +
              self.more("guest2", "restores") == 1, "it goes on")
        self.go_on()
        # Nor does the next suspend pass by
        run("guest2", "rmmod refuser")
        self.start()
        save("guest2")
        restore("guest2")
        self.assertEqual(self.more("guest2", "suspends"), 1)
        self.go_on()

    def test_10_connections_return_to_rings(self):
        """Connections go on on rings, also where they began elsewhere."""
        self.start(gap=50)
        for guest in (*GUESTS, "guest2"):
            save(guest)
            restore(guest)
            until_connected(*GUESTS)
            for flow in self.flows:
                flow.flows()
            for one, other in (GUESTS, GUESTS[::-1]):
                until(lambda g=one, o=other: ring_conns(g, o) == 2,
                      f"{one}: both connections are on rings again")
        self.end_exact()

    def until_many(self, count, where):
        for one, other in (GUESTS, GUESTS[::-1]):
            until(lambda g=one, o=other: many_on_rings(
                g, o, count, self.more(g, "fallback_no_answer")),
                  f"{one}: {count} connections are {where}", 300)

    def many(self, count):
        """Of TCP and all busy, but for a pause after each write."""
        self.before = {guest: stats(guest) for guest in GUESTS}
        ends = [(one, Flow("inet", one, other, gap=20 * count,
                           conns=count // 2))
                for one, other in (GUESTS, GUESTS[::-1])]
        self.until_many(count, "on rings")
        begin = time.monotonic()
        save("guest2")
        restore("guest2")
        print(f"# {count}: {time.monotonic() - begin:.0f} s", flush=True)
        self.assertLess(self.let_go("guest2"), SILENCE)
        self.until_many(count, "on rings again")
        for one, flow in ends:
            flow.program.end_input()
            for end in flow.ends(count // 2):
                self.assertEqual(end["end"], "exact", f"{one}: {end}")
                flow.until_theirs(end)

    def test_11_fifty_connections(self):
        self.many(50)

    def test_12_a_thousand_connections(self):
        self.many(1000)

    def test_13_the_own_uuid_is_the_loopback(self):
        before = stats("guest1")
        flow = Flow("xenvmc", "guest1", "guest1", name=uuid)
        flow.flows()
        end = flow.stop()
        self.assertEqual(end["end"], "exact", end)
        flow.until_theirs(end)
        self.assertGreaterEqual(stats("guest1")["rx_bytes"]
                                - before["rx_bytes"], end["received"])

    def lied_to(self, lie):
        """guest1 lies from the moment at which guest2 wants to leave. What that
        brings to their connections is guest1's fault; guest2 leaves, arrives,
        and has lost nothing."""
        self.start()
        run("guest1", f"insmod {OPT}/farewell.ko "
            f"addr={domains.address('guest2')} lie={lie}")
        try:
            save("guest2")
            restore("guest2")
        finally:
            told = run("guest1", f"rmmod farewell; dmesg | grep -w {lie}:")
            self.start_over("guest1")
        self.assertLess(self.let_go("guest2"), BOUND)
        self.assertRegex(told, r"told [1-9]\d* times")
        until_connected(*GUESTS)
        self.new_ones_move()

    def start_over(self, guest):
        """No connection that was is there any more, and the modules are new."""
        for flow in self.flows:
            flow.program.drop()
        stop_serving(guest, "inet")
        run(guest, "kill -KILL $(pidof stamp); true")
        unload_all(guest)
        load(guest)
        serve(guest)

    def test_90_the_peer_ends_meanwhile(self):
        self.start(gap=50)
        save("guest2")
        lab.guest_destroy("guest1")
        forget("guest1")
        system.uuids.pop("guest1", None)
        for family in PORT:
            system.servers.pop(("guest1", family)).drop()
        restore("guest2")
        lab.guest_start("guest1")
        load("guest1")
        serve("guest1")
        until_connected(*GUESTS)
        # The new guest knows nothing of them. Nor is it the one that the end
        # of AF_XENVMC in guest2 waits for: it has another UUID
        self.reset(self.flows[1])
        self.assertEqual(self.more("guest2", "conn_resumed"), 0)
        run("guest2", "sysctl -q net.xenvmc.park_s=1")
        until(lambda: self.more("guest2", "park_expired") == 1,
              "guest2: it does not wait for ever")
        run("guest2", "sysctl -q net.xenvmc.park_s=900")
        for flow in self.flows[::2]:
            flow.program.drop()
        self.new_ones_move()


def add_lies():
    """A test for each, see selftests/hostile/farewell.c."""
    for lie in LIES:
        def test(self, lie=lie):
            self.lied_to(lie)
        setattr(Migrate, f"test_20_{lie}", test)


add_lies()
if __name__ == "__main__":
    sys.exit(tap.run([Migrate], sys.argv[1:]))
