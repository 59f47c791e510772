# SPDX-License-Identifier: GPL-2.0
"""Tests of what is counted before and after each test (leaks.py, held.py)."""
import unittest

from xenlab import held, leaks
from xenlab.errors import LabError


class LeaksTest(unittest.TestCase):
    """What is left over has a name."""

    NAMES = {5: "guest1", 7: "guest2"}
    PEER = {"domid": 7, "state": "connected", "transport": "xen", "conns": 2,
            "rx_rings": 2, "tx_rings": 81}

    DOM0 = """\
guests
guest1 5
shared
nodes
/local/domain/5/data/xenvmc/addr = ""
/local/domain/5/data/x = "/xenvmc/peer"
/local/domain/5/xenvmc/peer/7/offer = "1 1 9 800"
watches
Domain 0:
nodes            :      300 (max      320)
watches          :       21 (max       25)
Domain 5:
watches : 9
sockets
sockets: used 60
TCP: inuse 4 orphan 0 tw 8 alloc 5 mem 1
FRAG6: inuse 0 memory 0

protocol  size sockets  memory press maxhdr
TCP       2432      7       1   no     320   yes  kernel
"""

    def told(self, **changes):
        return leaks.ring_counts("guest1", [dict(self.PEER, **changes)],
                                 self.NAMES)

    def test_rings_are_what_xen_has_to_see(self):
        seen = leaks.shared_counts(
            ["5 7 granted 261 mapped 261 ports 1",
             "7 5 granted 4184 mapped 4184 ports 1"], self.NAMES)
        told = self.told()
        for name in ("guest1: granted to guest2", "guest2: mapped to guest1",
                     "guest1: ports to guest2"):
            self.assertEqual(told[name], seen[name])

    def test_a_peer_without_a_channel_holds_nothing(self):
        peer = {"domid": 7, "state": "waiting", "transport": "xen"}
        self.assertEqual(leaks.ring_counts("guest1", [peer], self.NAMES), {})

    def store(self, text):
        return leaks.store_counts(leaks.parts(text), {0: "dom0", 5: "guest1"})

    def test_what_dom0_says_has_parts(self):
        found = leaks.parts(self.DOM0)
        self.assertEqual(self.store(self.DOM0), {
            "XenStore offers": 1, "guest1: XenStore nodes": 1,
            "guest1: XenStore watches": 9, "dom0: XenStore nodes": 0,
            "dom0: XenStore watches": 21})
        self.assertEqual(leaks.socket_counts("dom0", found["sockets"]), {
            "dom0: sockets of AF_XENVMC": 0, "dom0: sockets of TCP": 5})

    def test_sockets_of_ours_are_counted(self):
        lines = ["XENVMC     968      3      -1   NI       0   no   xenvmc"]
        self.assertEqual(leaks.socket_counts("guest1", lines), {
            "guest1: sockets of AF_XENVMC": 3})

    def test_a_store_that_does_not_answer_is_an_error(self):
        for line, who in (("watches : 9\n", "guest1"),
                          ("watches          :       21 (max       25)\n",
                           "dom0"),
                          ("Domain 5:\n", "guest1")):
            self.assertIn(line, self.DOM0)
            with self.assertRaisesRegex(LabError, who):
                self.store(self.DOM0.replace(line, ""))

    def test_a_difference_is_named_either_way(self):
        self.assertEqual(leaks.differences({"a": 1, "b": 2, "c": 3},
                                           {"b": 2, "c": 4}),
                         ["a: 1 before, 0 now", "c: 3 before, 4 now"])

    def test_rings_kept_for_later_are_no_difference(self):
        def left(peer, memory):
            kept = leaks.memory_of_rings([dict(self.PEER, **peer)])
            return {name: memory.get(name, 0) - kept.get(name, 0)
                    for name in memory}
        first = {"objects of xenvmc: chan": 12, "pages of xenvmc: grant": 261,
                 "objects of xenvmc: grant": 400}
        # One more ring here, three more there
        then = {"objects of xenvmc: chan": 13, "pages of xenvmc: grant": 390,
                "objects of xenvmc: grant": 414}
        self.assertEqual(left({}, first),
                         left({"rx_rings": 3, "tx_rings": 84}, then))


class HeldTest(unittest.TestCase):
    """The witness's words about memory that modules hold."""

    TOLD = """\
2 objects xvmc_chan_new [xenvmc]
4 objects chan_grow.isra.0 [xenvmc]
1 objects __xvmc_rx_set_aside.constprop.0 [xenvmc]
256 pages grant_new_pages [xenvmc]
5 pages grant_new_hdr [xenvmc]
1 objects hook_new [xenvmc_inet]
3 objects hook_new [xenvmc_inet] unloaded
0 unseen
"""

    def counts(self, told):
        return held.counts(told.splitlines())

    def test_what_modules_hold_is_theirs(self):
        self.assertEqual(self.counts(self.TOLD), {
            "objects of xenvmc: chan": 6, "objects of xenvmc: rx": 1,
            "pages of xenvmc: grant": 261,
            "objects of xenvmc_inet: hook": 1,
            "objects of xenvmc_inet, unloaded: hook": 3})
        self.assertEqual(self.counts("0 unseen\n"), {})

    def test_no_word_is_an_error(self):
        for told in ("", self.TOLD.replace("0 unseen\n", ""),
                     self.TOLD.replace("0 unseen", "2 unseen")):
            with self.assertRaisesRegex(LabError, "no word"):
                self.counts(told)

    def test_unknown_words_are_an_error(self):
        for line in ("5 objects 0xffffffffc0123456\n", "5 slabs x [y]\n"):
            with self.assertRaisesRegex(LabError, "what memory"):
                self.counts(line + self.TOLD)
