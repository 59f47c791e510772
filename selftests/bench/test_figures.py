#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of the benchmark's figures and of its looks at a trace, without a
benchmark."""
import os
import sys
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../xen")]

# pylint: disable=wrong-import-position
import course  # noqa: E402
import figures  # noqa: E402
import pauses  # noqa: E402
import tax  # noqa: E402
import trace  # noqa: E402
from xenlab import tap  # noqa: E402
from xenlab.errors import LabError  # noqa: E402

LINES = """what=stream conns=50 size=64 amount=4000000 warm=9 ns=200000000
what=rtt conns=50 size=2 amount=40 warm=11 ns=80000000
what=connect conns=1 size=1 amount=100 warm=26 ns=50000000
"""

# As xenalyze 4.20 prints it, shortened
SUMMARY = """Total time: 4.80 seconds (using cpu speed 2.40 GHz)
|-- Domain 0 --|
 Runstates:
  full run:    1009  0.03s  67488 { 37441|9999923|9999923}
-- v0 --
 Runstates:
   running:    1009  0.03s  67488 { 37441|9999923|9999923}
  runnable:    1005  0.03s  75269 {  6885|9140219|9945766}
PV events:
  page_fault  828
  hypercall  14553
    iret                         [23]:   3235
    vcpu_op                      [24]:   1886
  hypercall (subcall)  391
|-- Domain 9 --|
-- v0 --
   running:     163  0.02s 335177 { 58990|10000470|10000928}
PV events:
  hypercall  11459
    iret                         [23]:   2594
-- v1 --
   running:      10  0.02s 100 { 58990|10000470|10000928}
PV events:
  hypercall  41
|-- Domain 32767 --|
-- v0 --
   running:    1189  4.73s 9546831 {3947584|23983111|51983099}
"""


def rows(factor=1.0):
    """Plain and moved TCP, where moved is @factor of each floor."""
    found = []
    for what, size, floor in figures.FLOORS:
        times = floor * factor
        moved = 100 / times if what == "rtt" else 100 * times
        found += [figures.row("tcp", 1, size, what, [100]),
                  figures.row("moved", 1, size, what, [moved])]
    return found


class Tax(unittest.TestCase):
    """What the modules may cost, and what was not measured."""

    @staticmethod
    def values(factor):
        """Pairs in which loaded is @factor of not loaded, one of them odd."""
        return {key: [(100, 100 * factor), (50, 50 * factor), (100, 900)]
                for key in figures.TAXED}

    def test_half_a_percent_is_allowed(self):
        rows = figures.taxes(self.values(1.005))
        self.assertEqual(len(rows), 6)
        self.assertAlmostEqual(rows[0]["tax"], 0.005)
        self.assertEqual((rows[0]["without_us"], rows[0]["max"]), (100, 8))
        self.assertEqual(figures.overtaxed(rows), [])

    def test_two_percent_are_not(self):
        lines = figures.overtaxed(figures.taxes(self.values(1.02)))
        self.assertEqual(len(lines), 6)
        self.assertIn("within connect of 1 B: 2.00% more", lines[0])

    def test_nothing_measured_is_nothing_allowed(self):
        values = self.values(1)
        del values[("between", "rtt", 64)]
        self.assertEqual(figures.overtaxed(figures.taxes(values)),
                         ["between rtt of 64 B: not measured"])

    def test_connections_are_counted(self):
        lines = figures.parse(LINES)
        self.assertEqual(tax.connections(lines), 50 + 50 + 126)


class Figures(unittest.TestCase):
    """Rows, floors, baseline."""

    def test_lines_have_their_figures(self):
        lines = figures.parse(LINES)
        self.assertEqual([figures.value(line) for line in lines],
                         [20, 2000, 500])
        # Two bytes there and two back, forty times, on fifty connections
        self.assertEqual(figures.moved_bytes(lines), 4000000 + 8000)

    def test_any_other_line_fails(self):
        for text in ("xvbench: write: Broken pipe", LINES.replace("ns=", "n=")):
            with self.assertRaisesRegex(ValueError, "not a line of xvbench"):
                figures.parse(text)

    def test_row_has_the_fields_of_the_results(self):
        self.assertEqual(
            figures.row("moved", 50, 64, "stream", [3, 9, 4]),
            {"path": "moved", "conns": 50, "size": 64, "what": "stream",
             "unit": "MB/s", "median": 4, "min": 3, "max": 9})

    def test_round_without_a_figure_fails(self):
        for values in ([], [1, 0]):
            with self.assertRaisesRegex(ValueError, "without a figure"):
                figures.row("tcp", 1, 1, "rtt", values)

    def test_unknown_path_fails(self):
        with self.assertRaisesRegex(ValueError, "expected one of"):
            figures.row("udp", 1, 1, "rtt", [1])

    def test_floors_are_reached(self):
        self.assertTrue(all(f[4] for f in figures.floors(rows(1.01))))

    def test_floors_are_missed(self):
        self.assertFalse(any(f[4] for f in figures.floors(rows(0.99))))

    def test_missing_row_misses_its_floor(self):
        self.assertEqual(sum(f[4] for f in figures.floors(rows(2)[1:])), 4)

    def test_pairs_are_compared_round_by_round(self):
        self.assertEqual(figures.pairs({(1, 1, "rtt"): [(9, 3), (8, 4), (5, 1)],
                                        (1, 64, "stream"): [(2, 5)]}),
                         [{"conns": 1, "size": 1, "what": "rtt",
                           "median": 3, "min": 2, "max": 5},
                          {"conns": 1, "size": 64, "what": "stream",
                           "median": 2.5, "min": 2.5, "max": 2.5}])

    def test_table_shows_what_is_missing(self):
        text = figures.table(rows()[:3])
        self.assertRegex(text, "stream 1 x 65536 B MB/s +100.0 +600.0 +6.00x\n")
        self.assertRegex(text, "stream 1 x 16384 B MB/s +100.0 +-$")

    def test_equal_and_better_figures_pass(self):
        self.assertEqual(figures.worse(rows(), rows()), [])
        self.assertEqual(figures.worse(rows(2), rows()), [])

    def test_slower_figures_are_named(self):
        self.assertEqual(figures.worse(rows(0.96), rows()), [])
        found = figures.worse(rows(0.94), rows())
        self.assertEqual(len(found), len(figures.FLOORS))
        self.assertRegex(found[0], "moved 1 conns, 65536 B, stream.*6.4% worse")

    def test_missing_figure_is_named(self):
        found = figures.worse(rows()[:-1], rows())
        self.assertEqual(found, ["moved 1 conns, 1 B, rtt: not measured"])

    def test_many_connections_may_differ_by_more(self):
        def many(factor):
            return [dict(r, conns=50) for r in rows(factor)]
        self.assertEqual(figures.worse(many(0.88), many(1)), [])
        self.assertEqual(len(figures.worse(many(0.86), many(1))),
                         len(figures.FLOORS))
        self.assertEqual(len(figures.worse([], many(1))), len(figures.FLOORS))

    def test_plain_tcp_is_not_gated(self):
        slow = [dict(r, median=r["median"] / 2) if r["path"] == "tcp" else r
                for r in rows() if r["what"] == "stream"]
        self.assertEqual(figures.worse(
            slow, [r for r in rows() if r["what"] == "stream"]), [])

    COSTS = {"costs": [{"path": "moved", "size": 64,
                        "instructions_per_mib": 1000, "hypercalls_per_mib": 10,
                        "doorbells_per_mib": 0.0, "dom0_percent": 0.7}],
             "connections": [{"path": "moved", "instructions": 500,
                              "hypercalls": 3}]}

    def changed(self, kind, **costs):
        return {**self.COSTS, kind: [{**self.COSTS[kind][0], **costs}]}

    def test_equal_costs_pass(self):
        self.assertEqual(figures.dearer(self.COSTS, self.COSTS), [])
        some = self.changed("costs", instructions_per_mib=1049,
                            doorbells_per_mib=1.9)
        self.assertEqual(figures.dearer(some, self.COSTS), [])

    def test_higher_costs_are_named(self):
        for kind, costs in (("costs", {"instructions_per_mib": 1051}),
                            ("costs", {"doorbells_per_mib": 2.1}),
                            ("costs", {"hypercalls_per_mib": 13}),
                            ("costs", {"dom0_percent": 2}),
                            ("connections", {"instructions": 530}),
                            ("connections", {"hypercalls": 5})):
            with self.subTest(costs):
                line, = figures.dearer(self.changed(kind, **costs), self.COSTS)
                self.assertRegex(line, f"moved.*{list(costs)[0]}: ")

    def test_what_takes_long_has_more_of_the_clock(self):
        long = {"costs": [{"path": "moved", "size": 64,
                           "instructions_per_mib": 40e6,
                           "hypercalls_per_mib": 30,
                           "doorbells_per_mib": 6, "dom0_percent": 1}],
                "connections": []}
        for calls, named in ((73, 0), (74, 1)):
            now = {**long, "costs": [{**long["costs"][0],
                                      "hypercalls_per_mib": calls}]}
            self.assertEqual(len(figures.dearer(now, long)), named)

    def test_missing_cost_is_named(self):
        self.assertEqual(figures.dearer({**self.COSTS, "connections": []},
                                        self.COSTS),
                         ["moved, connections: not measured"])


class Course(unittest.TestCase):
    """What a figure needs to be believed."""

    def test_bytes_beside_the_rings_fail(self):
        lines = figures.parse(LINES)
        need = figures.moved_bytes(lines)
        course.prove("moved", lines, [need, need])
        with self.assertRaisesRegex(LabError, "and only"):
            course.prove("moved", lines, [need, need - 1])

    def test_connections_without_a_hook_fail(self):
        line = {"what": "connect", "amount": 100, "warm": 10}
        course.prove_hooked([line, *figures.parse(LINES)[:2]], [110, 112])
        with self.assertRaisesRegex(LabError, "only 109 of them"):
            course.prove_hooked([line], [109, 110])

    def test_bytes_on_the_rings_fail_elsewhere(self):
        course.prove("tcp", figures.parse(LINES), [0, 0])
        with self.assertRaisesRegex(LabError, "1 bytes went over rings"):
            course.prove("tcp", figures.parse(LINES), [0, 1])


class Trace(unittest.TestCase):
    """The summary of xenalyze."""

    def test_domains_and_all_their_processors_are_found(self):
        self.assertEqual(trace.parse(SUMMARY), {
            0: {"cycles": 1009 * 67488, "hypercalls": 14553 - 3235},
            9: {"cycles": 163 * 335177 + 1000,
                "hypercalls": 11459 - 2594 + 41}})

    def test_an_empty_trace_fails(self):
        with self.assertRaisesRegex(LabError, "no word of dom0"):
            trace.parse("Total time: 0 seconds\n")


class Pauses(unittest.TestCase):
    """What is made of the reports and of the events."""

    LINES = [f"at sent=1 received=2 all={received} ms={ms}" for received, ms in
             ((0, 0), (5000, 20), (9000, 40), (9000, 60), (9000, 900),
              (9001, 920), (9900, 940))]
    TRACE = "".join(f"  kworker-1 [000] d..1.  {at}: {words}\n"
                    for at, words in (
                        ("1.000000", "xenvmc_suspend: freeze"),
                        ("1.010000", "net_dev_xmit: dev=eth0"),
                        ("1.112000", "xenvmc_suspend: frozen"),
                        ("1.200000", "xenvmc_suspend: restore"),
                        ("1.203000", "net_dev_xmit: dev=eth0"))
                    + tuple((f"1.{300 + n}000", "xenvmc_switch: domid=2 "
                             f"conn={n} tx start epoch=1 seq=0 bytes=0")
                            for n in range(pauses.CONNS)))

    def test_the_pause_is_the_longest_time_without_bytes(self):
        self.assertEqual(pauses.pause(pauses.places(self.LINES)), (40, 880))

    def test_no_bytes_fail(self):
        with self.assertRaisesRegex(LabError, "nothing came"):
            pauses.pause(pauses.places(self.LINES[2:5]))

    def test_the_curve_has_all_bytes(self):
        rows = pauses.curve(pauses.places(self.LINES))
        self.assertAlmostEqual(sum(r["mbps"] for r in rows)
                               * pauses.BIN * 1000, 9900)
        self.assertEqual(rows[0]["s"], -pauses.BIN / 1000)

    def test_moments_are_found(self):
        found = pauses.moments(self.TRACE)
        for name, value in (("let_go_ms", 112), ("tcp_ms", 3),
                            ("ring_ms", 100), ("all_rings_ms", 149)):
            self.assertAlmostEqual(found[name], value, msg=name)

    def test_a_missing_ring_fails(self):
        with self.assertRaisesRegex(LabError, "49 rings"):
            pauses.moments("".join(self.TRACE.splitlines(True)[:-1]))

    def test_floors_can_be_missed(self):
        quick, slow = [{"ring_ms": 999}], [{"ring_ms": 1001}]
        self.assertTrue(pauses.verdict([(100, 104)], quick)[1])
        self.assertFalse(pauses.verdict([(100, 106)], quick)[1])
        self.assertFalse(pauses.verdict([(100, 104)], slow)[1])


if __name__ == "__main__":
    sys.exit(tap.run([Figures, Tax, Course, Trace, Pauses]))
