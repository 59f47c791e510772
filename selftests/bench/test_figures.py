#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of the benchmark's figures, without a benchmark."""
import os
import sys
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../xen")]

import figures  # noqa: E402
from xenlab import tap  # noqa: E402


def rows(factor=1.0):
    """Plain and moved TCP, where moved is @factor of each floor."""
    found = []
    for what, size, floor in figures.FLOORS:
        times = floor * factor
        moved = 100 / times if what == "rtt" else 100 * times
        found += [figures.row("tcp", 1, size, what, [100]),
                  figures.row("moved", 1, size, what, [moved])]
    return found


class Figures(unittest.TestCase):
    """Rows, floors, baseline."""

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

    def test_plain_tcp_is_not_gated(self):
        slow = [dict(r, median=r["median"] / 2) if r["path"] == "tcp" else r
                for r in rows() if r["what"] == "stream"]
        self.assertEqual(figures.worse(
            slow, [r for r in rows() if r["what"] == "stream"]), [])


if __name__ == "__main__":
    sys.exit(tap.run([Figures]))
