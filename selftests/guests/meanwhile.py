# SPDX-License-Identifier: GPL-2.0
"""What may happen at the very moment at which a guest leaves, or while it is
away."""
import concurrent.futures
import contextlib

from suspends import (BOUND, GUESTS, Suspends, forget, restore, save,
                      stop_programs)
from system import (OPT, PORT, domid, each, lab, load, policy, run, serve,
                    servers, start_daemon, stats, stop_daemon, until_connected,
                    until_forgotten, uuids)
from xenlab import domains

CHURN_PORT = 7804
ENOUGH = "/run/enough"
# A store that answers for 0.1 of 0.4 seconds
SLOW = """while [ ! -e /run/fast ]; do
	kill -STOP $(pidof xenstored); sleep 0.3
	kill -CONT $(pidof xenstored); sleep 0.1
done"""


class Meanwhile(Suspends):
    """The connections know nothing of it, or say what they do not know."""

    @staticmethod
    @contextlib.contextmanager
    def leaving(guest):
        """What is done in here happens while it lets go of its peers, of whom
        guest1 is silent; it has left afterwards."""
        node = f"/local/domain/{domid(guest)}/control/shutdown"
        run("guest1", "sysctl -q kernel.soft_watchdog=0")
        run("dom0", "xl pause guest1")
        # It is there, it is asked to leave, it takes the request
        asked = lab.start("dom0", f"exec xenstore-watch -n 3 {node}")
        asked.until(lambda: asked.lines, "the node is watched")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            leaves = pool.submit(save, guest)
            asked.wait()
            yield
            leaves.result()

    def tcp_goes_on(self):
        """That of AF_XENVMC does, or says that it is not known what was lost."""
        for flow in self.inet:
            flow.flows()
        end = self.flows.pop().stop()
        print(f"# AF_XENVMC: {end}")
        self.assertIn(end["end"], ("exact", "ECONNRESET"))
        self.end_exact()
        self.new_ones_move()

    def test_30_half_closed_connections(self):
        """One end has said all; the other has read none of that."""
        self.start()
        for stopped, other in (GUESTS, GUESTS[::-1]):
            stop_programs(stopped, "STOP")
            mine = [flow for flow in self.flows if flow.client == other]
            for flow in mine:
                flow.program.end_input()
            for flow in mine:
                flow.program.until(lambda f=flow: any(
                    line.startswith("shut") for line in f.program.lines),
                                   f"{flow.family} is half closed")
            save("guest2")
            restore("guest2")
            stop_programs(stopped, "CONT")
            for flow in mine:
                end = flow.ended()
                self.assertEqual(end["end"], "exact", f"{flow.family}: {end}")
                flow.until_theirs(end)
                self.flows.remove(flow)
            until_connected(*GUESTS)
        self.new_ones_move()

    def come_and_go(self, client, server):
        """TCP connections, one after another, until ENOUGH is there."""
        run(client, f"rm -f {ENOUGH}; ip neigh replace "
            f"{domains.address(server)} lladdr {domains.mac(server)} "
            "dev eth0 nud permanent")
        end = lab.start(server, f"exec {OPT}/tools/churn serve inet "
                        f"{CHURN_PORT}")
        end.until(lambda: end.lines, "it listens")
        return end, lab.start(client, f"until [ -e {ENOUGH} ]; do "
                              f"{OPT}/tools/churn run inet "
                              f"{domains.address(server)} {CHURN_PORT} 10 || "
                              "exit; done")

    def test_31_connections_come_and_go(self):
        """Some are opened, move, or end at the very moment."""
        self.start(gap=50)
        both = [self.come_and_go(*ends) for ends in (GUESTS, GUESTS[::-1])]
        for guest in (*GUESTS, "guest2"):
            for _, runner in both:
                seen = len(runner.lines)
                runner.until(lambda r=runner, n=seen: len(r.lines) > n + 1,
                             "connections come and go")
            save(guest)
            restore(guest)
        each(lambda guest: run(guest, f"touch {ENOUGH}; ip neigh flush nud "
                               "permanent"), *GUESTS)
        for end, runner in both:
            self.assertEqual(runner.wait(120), 0, runner.lines[-3:])
            end.end_input()
        self.go_on()

    def test_32_xenstore_is_slow(self):
        self.start()
        run("dom0", "rm -f /run/fast")
        slow = lab.start("dom0", SLOW)
        try:
            save("guest2")
            restore("guest2")
            until_connected(*GUESTS)
        finally:
            run("dom0", "touch /run/fast")
            slow.wait()
        self.assertLess(self.let_go("guest2"), BOUND)
        self.go_on()

    def test_33_xenvmcd_restarts(self):
        self.start()
        each(lambda work: work(), lambda: save("guest2"), stop_daemon)
        restore("guest2")
        for flow in self.inet:
            flow.flows()
        start_daemon()
        self.go_on()

    def test_34_policy_parts_them_while_one_is_away(self):
        self.start()
        save("guest2")
        policy("deny guest1 guest2")
        restore("guest2")
        for flow in self.inet:
            flow.flows()
        for guest in GUESTS:
            self.assertEqual(stats(guest)["conn_resumed"],
                             self.before[guest]["conn_resumed"])
        policy("default bridge")
        self.go_on()

    def test_35_policy_parts_them_while_one_leaves(self):
        self.start()
        with self.leaving("guest2"):
            policy("deny guest1 guest2")
            run("dom0", "xl unpause guest1")
        run("guest1", "sysctl -q kernel.soft_watchdog=1")
        restore("guest2")
        until_forgotten(GUESTS, GUESTS[::-1])
        policy("default bridge")
        until_connected(*GUESTS)
        self.tcp_goes_on()

    def test_36_the_hook_is_unloaded_while_one_leaves(self):
        self.start()
        each(lambda work: work(), lambda: save("guest2"),
             lambda: run("guest1", "rmmod xenvmc_inet"))
        restore("guest2")
        load("guest1")
        self.go_on()

    def test_91_the_peer_dies_while_one_leaves(self):
        """It is silent first, so that it is waited for."""
        self.start(gap=50)
        with self.leaving("guest2"):
            lab.guest_destroy("guest1")
        forget("guest1")
        uuids.pop("guest1", None)
        for family in PORT:
            servers.pop(("guest1", family)).drop()
        restore("guest2")
        self.assertLess(self.let_go("guest2"), BOUND)
        lab.guest_start("guest1")
        load("guest1")
        serve("guest1")
        until_connected(*GUESTS)
        # Bytes were on their way that nobody has
        self.reset(self.flows[1])
        self.assertEqual(self.more("guest2", "hook_torn"), len(self.inet))
        for flow in self.flows[::2]:
            flow.program.drop()
        self.new_ones_move()
