#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Trouble while bytes flow: each thing that may happen to a host's domains.

Needs a lab with three guests, without the modules loaded (the file all boots
one). guest1 and guest2 talk over a TCP connection that has moved and over
AF_XENVMC; to one of them, or to dom0, something happens. guest3 has a TCP
connection with guest1 all the time, which must not notice.

  trouble.py [TEST...]

XENVMC_TEST_CYCLES and XENVMC_TEST_CHURN say how often modules are loaded and
unloaded, and how many connections are opened and closed in a row. With
XENVMC_TEST_FEW set some lies are not told, see the file all.
"""
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../xen"))

from lies import Lies  # noqa: E402
from scene import GUESTS  # noqa: E402
from system import (Flow, OPT, PORT, TOOL, domid, each, lab,  # noqa: E402
                    load, on_rings, peer, policy, run, serve, start_daemon,
                    stats, stop_daemon, stop_serving, tcp_conns, unload,
                    unload_all, until, until_connected, until_forgotten)
from xenlab import domains, leaks, memory, tap  # noqa: E402
from xenlab.errors import Timeout  # noqa: E402

CHURN_PORT = {"inet": 7803, "xenvmc": 7804}
WAITS_PORT = {"inet": 7805, "xenvmc": 7806}
WAITS = 18      # calls that wait in waits.py
STUCK_PORT = 7807
STUCK = 280     # more than the modules' work has places, and rings

# How often modules go and come, and connections of each family in a row
CYCLES = int(os.environ.get("XENVMC_TEST_CYCLES", "3"))
CHURN = int(os.environ.get("XENVMC_TEST_CHURN", "200"))


def is_sanitized(guest):
    """Its kernel looks for bugs."""
    return "-xenvmc-guest" in run(guest, "uname -r")


class Trouble(Lies):
    """What happens to guests, modules and xenvmcd; and what guests say."""

    def leaky_holds(self, guest, before, whose):
        """leaky.ko, of three objects: a small one, one of eight pages, and the
        table of an area of vmalloc(). And of four pages more. A kernel with
        kmemleak has that for a witness, and is asked when all is over."""
        if is_sanitized(guest):
            return
        left = leaks.differences(before, leaks.count(lab))
        for what, number in (("objects", 3), ("pages", 8 + 4)):
            self.assertIn(f"{guest}: {what} of {whose}: leaky: 0 before, "
                          f"{number} now", left)

    def test_00_what_modules_hold_has_a_name(self):
        before = leaks.count(lab)
        run("guest1", f"insmod {OPT}/leaky.ko")
        self.leaky_holds("guest1", before, "leaky")
        run("guest1", "rmmod leaky")

    def test_00_what_guests_hold_has_a_name(self):
        """What the lab would call a leak, of each kind, but for memory. gntdev
        of Linux takes its lock and that of a program's memory in either order,
        and lockdep looks no more once it has found something."""
        whats = ["granted to guest1", "ports to guest1", "XenStore nodes",
                 "XenStore watches", "sockets of AF_XENVMC", "sockets of TCP"]
        holder = [os.path.join(HERE, "holder.py")]
        for guest in ("guest1", "guest2"):
            lab.push(holder, guest)
            run(guest, "modprobe -aq xen-gntalloc xen-gntdev xen-evtchn; true")
        before = leaks.count(lab)
        one = lab.start("guest2", f"exec ./holder.py hold {domid('guest1')}")
        one.until(lambda: one.lines, "it holds all")
        programs = [one]
        if not is_sanitized("guest1"):
            other = lab.start("guest1", "exec ./holder.py map "
                              f"{domid('guest2')} {int(one.lines[0])}")
            other.until(lambda: other.lines, "it has mapped that")
            programs.insert(0, other)
            whats.append("mapped to guest1")
        left = leaks.differences(before, leaks.count(lab))
        print("\n".join(f"# {line}" for line in left), flush=True)
        for program in programs:
            program.end_input()
            self.assertEqual(program.wait(), 0, program.lines)
            program.drop()
        for what in whats:
            self.assertEqual([line.startswith(f"guest2: {what}: ")
                              for line in left].count(True), 1, what)
        leaks.check(lab, before)

    def test_01_bytes_are_exact_and_on_rings(self):
        inet, xenvmc = self.start_both(gap=0)
        inet.flows()
        xenvmc.flows()
        ends = [self.stop_exact(flow) for flow in (inet, xenvmc)]
        after = stats("guest1")
        for name, key in (("rx_bytes", "received"), ("tx_bytes", "sent")):
            # All of the stream's, and of TCP's what came after it had moved
            self.assertGreater(after[name] - self.before[name],
                               ends[1][key])
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

    def test_03_who_is_known_is_revoked_where_too_many_are_listed(self):
        """More than XenStore tells the names of at once."""
        inet, xenvmc = self.start_both()
        names = (f"seq -f /local/domain/{domid('guest1')}/xenvmc/peer/%.0f "
                 "10000 10899")
        run("dom0", f"{names} | sed 's/$/ x/' | xargs -n 300 xenstore-write")
        until(lambda: "too many peers are listed" in run("guest1", "dmesg"),
              "guest1 cannot read the directory")
        policy("deny guest1 guest2")
        self.ends_reset(xenvmc)
        until_forgotten(("guest1", "guest2"), ("guest2", "guest1"))
        run("dom0", f"{names} | xargs -n 300 xenstore-rm")
        policy("default bridge")
        until_connected("guest1", "guest2")
        inet.flows()
        self.stop_exact(inet)

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

    @staticmethod
    def warm_up():
        """The network keeps some two hundred pages for later once many bytes
        have come, without any module of ours."""
        run("guest2", "iperf3 -s -1 -D >/dev/null")
        until(lambda: not lab.exec(
            "guest1", f"iperf3 --bidir -t 4 -P 2 -c {domains.address('guest2')}"
            ).returncode, "bytes have come and gone", 60)

    @staticmethod
    def toggle_hook(where):
        run(where, f"{TOOL} hook off && {TOOL} hook on")

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
        monitor = lab.start("guest1", f"exec {TOOL} monitor")
        until(lambda: self.toggle_hook("guest1") or monitor.lines, "it hears")
        unload_all("guest1")
        inet.flows()
        monitor.until(lambda: monitor.over, "its end")
        self.assertEqual((monitor.wait(), monitor.lines[-1]),
                         (2, "xenvmc: the kernel module is gone"))
        monitor.drop()
        if CYCLES > 20:
            # Not beside its bytes, of which there may be many on their way
            self.stop_exact(inet)
            self.warm_up()
            before = self.memory_of("guest1", "guest2")
            inet = Flow("inet", "guest1", "guest2", gap=50)
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
        self.stop_exact(inet)
        if CYCLES > 20:
            self.no_memory_grown(before, CYCLES)
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
    def push_stuck():
        programs = [os.path.join(HERE, "../hook", name)
                    for name in ("waits.py", "stuck.py")]
        each(lambda guest: lab.push(programs, guest), "guest1", "guest2")

    def start_stuck(self):
        """Programs at both ends; the writers sleep for ever."""
        self.push_stuck()
        server = lab.start("guest2",
                           f"exec ./stuck.py serve {STUCK_PORT} {STUCK}")
        server.until(lambda: server.lines, "it listens")
        stuck = lab.start("guest1", "exec ./stuck.py run "
                          f"{domains.address('guest2')} {STUCK_PORT} {STUCK}")
        stuck.until(lambda: "all wait" in stuck.lines, "all wait", 180)
        return stuck, server

    def stop_stuck(self, *programs):
        for program in programs:
            program.end_input()
            self.assertEqual(program.wait(), 0, program.lines)
            program.drop()

    def test_13_pages_that_do_not_come(self):
        """Programs whose memory does not come hold up themselves alone, and
        TCP connections that use no ring hold up no stream."""
        programs = self.start_stuck()
        for client, there in (("guest1", "guest2"), ("guest2", "guest1")):
            flow = Flow("xenvmc", client, there, gap=50)
            flow.flows()
            self.stop_exact(flow)
        self.stop_stuck(*programs)

    def test_14_sockets_that_their_owners_do_not_give_up(self):
        """As above, but before the hook was switched on: they sleep inside TCP
        and own their sockets. Another connection moves all the same."""
        run("guest1", f"{TOOL} hook off")
        programs = self.start_stuck()
        flow = Flow("inet", "guest1", "guest2", gap=50)
        flow.flows()
        run("guest1", f"{TOOL} hook on")
        until(lambda: on_rings("guest1", "guest2"), "it is on rings")
        self.stop_exact(flow)
        self.stop_stuck(*programs)

    def test_15_ktls_that_comes_late(self):
        """A call that was inside TCP when its connection was moved brings kTLS,
        which makes its tables of ours, for all sockets to come."""
        self.push_stuck()
        server = lab.start("guest2", f"exec ./stuck.py echo {STUCK_PORT}")
        server.until(lambda: server.lines, "it listens")
        run("guest1", "modprobe tls")
        late = lab.start("guest1", "exec ./stuck.py ulp "
                         f"{domains.address('guest2')} {STUCK_PORT} {TOOL}")
        self.assertEqual(late.wait(), 0, late.lines)
        late.drop()
        self.stop_stuck(server)
        run("guest1", "! grep -q '^tls ' /proc/modules || rmmod tls")
        load("guest1")
        self.stop_exact(self.bystander)
        self.start_bystander()

    def test_50_a_destroyed_guest_is_noticed(self):
        inet, xenvmc = self.start_both()
        self.destroy_guest2("guest1")
        # Bytes were on their way to it by both
        self.ends_reset(xenvmc)
        self.ends_reset(inet)

    def test_50_a_guest_that_crashes_is_noticed(self):
        inet, xenvmc = self.start_both(gap=0)
        self.destroy_guest2("guest1", "guest3", how=self.crash_guest2)
        self.ends_reset(xenvmc)
        self.ends_reset(inet)
        # guest1's end misses bytes, as far as it knows
        self.assertEqual(stats("guest1")["hook_torn"],
                         self.before["hook_torn"] + 1)

    def test_50_a_guest_that_restarts_lets_go_first(self):
        """Before another kernel may have its memory. TCP goes on alone."""
        inet, xenvmc = self.start_both()
        self.destroy_guest2("guest1", "guest3", how=self.restart_guest2)
        self.ends_reset(xenvmc)
        after = stats("guest1")
        self.assertEqual(after["hook_torn"], self.before["hook_torn"])
        self.assertGreater(after["fallback_chan_closed"],
                           self.before["fallback_chan_closed"])
        # TCP waits for an answer
        self.assertNotIn("end", inet.said())
        run("guest1", f"ss -K dst {domains.address('guest2')}")
        self.assertEqual(inet.ended()["end"], "ECONNABORTED")

    def test_51_it_is_destroyed_when_it_has_announced_itself(self):
        unload_all("guest2")
        self.announce(domains.address("guest2"))
        until(lambda: (peer("guest1", "guest2") or {}).get("state") ==
              "offered", "guest1 has offered")
        self.destroy_guest2("guest1", "guest3")

    def test_52_it_is_destroyed_while_the_other_unloads(self):
        inet, xenvmc = self.start_both()
        run("dom0", "xl pause guest2")
        going = lab.start("guest1", "rmmod xenvmc_inet & "
                          "while kill -0 $! && ! grep -qs going "
                          "/sys/module/xenvmc_inet/initstate; "
                          "do sleep 0.1; done; "
                          "kill -0 $! && echo going; wait $!")
        going.until(lambda: "going" in going.lines,
                    "the hook waits for guest2")
        self.destroy_guest2("guest1")
        self.assertEqual(going.wait(), 0)
        self.ends_reset(xenvmc)
        self.ends_reset(inet)
        load("guest1")
        self.stop_exact(self.bystander)
        self.start_bystander()

    def test_53_what_a_module_forgot_is_seen_when_it_is_gone(self):
        before = leaks.count(lab)
        run("guest2", f"insmod {OPT}/leaky.ko lose=1; rmmod leaky")
        self.leaky_holds("guest2", before, "leaky, unloaded")
        self.destroy_guest2("guest1")

    def test_54_who_waits_for_it_hears_of_it(self):
        """The calls of waits.py, of both families; TCP's all have a ring."""
        waits = os.path.join(HERE, "../hook/waits.py")
        for guest in ("guest1", "guest2"):
            lab.push([waits], guest)
        hosts = {"inet": domains.address("guest2"), "xenvmc": domid("guest2")}
        servers = [lab.start("guest2", f"exec ./waits.py serve {family} {port}")
                   for family, port in WAITS_PORT.items()]
        for server in servers:
            server.until(lambda s=server: s.lines, "it listens")
        waiters = [lab.start("guest1", f"exec ./waits.py run {family} "
                             f"{hosts[family]} {port}")
                   for family, port in WAITS_PORT.items()]
        for waiter in waiters:
            waiter.until(lambda w=waiter: "all wait" in w.lines, "all wait")
        # Those that only wait have not used it
        until(lambda: sum(x["peer"] == domid("guest2") and x["rx_ring"] > 0
                          for x in tcp_conns("guest1")) == WAITS,
              "each connection has a ring")
        self.destroy_guest2("guest1")
        for waiter in waiters:
            waiter.until(lambda w=waiter: w.over, "its end", 180)
            self.assertEqual(waiter.wait(), 0, waiter.lines)
        for program in servers + waiters:
            program.drop()

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


# Two minutes for what the matrix tests, too
if os.environ.get("XENVMC_TEST_FEW"):
    del Trouble.test_03_who_is_known_is_revoked_where_too_many_are_listed


if __name__ == "__main__":
    sys.exit(tap.run([Trouble], sys.argv[1:]))
