#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""bench: how much work a byte costs on each way between two programs.

Boots Xen, dom0 and two guests on an emulated processor that counts
instructions, one being a nanosecond inside: figures are lengths of paths
through the whole machine and do not depend on the host (README.rst). All paths
in turn, several rounds in one boot. Fails if a floor is missed, if bytes did
not go the way that the row says, or with --check if a figure of the stored
baseline got worse.
"""
import argparse
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../xen")]

# pylint: disable=wrong-import-position
import figures  # noqa: E402
import pauses  # noqa: E402
import plots  # noqa: E402
import tax as taxation  # noqa: E402
from course import Course  # noqa: E402
from xenlab import ending  # noqa: E402
from xenlab.errors import LabError  # noqa: E402
from xenlab.lab import Lab, build_folder  # noqa: E402
from xenlab.params import Params  # noqa: E402

BASELINE = os.path.join(HERE, "baseline.json")
WALL_PAIRS = 5


def folder():
    path = os.path.join(build_folder(), "bench")
    os.makedirs(path, exist_ok=True)
    return path


def write(found, path):
    with open(path, "w", encoding="utf-8") as handle:
        json.dump(found, handle, indent=1)
        handle.write("\n")


def boot(lab, **params):
    """A machine for this alone."""
    lab.down()
    lab.build()
    lab.up(Params(witness=False, **params))


def booted(lab, **params):
    """A course on a machine that was booted for it."""
    boot(lab, **params)
    course = Course(lab)
    course.prepare()
    return course


def rows_of(values):
    return [figures.row(*key, values[key]) for key in values]


def say_floors(rows, floors):
    """Prints them; returns whether all are reached."""
    found = figures.floors(rows, floors)
    for what, size, ratio, floor, good in found:
        ratio = "not measured" if ratio is None else f"{ratio:.2f}x"
        print(f"{'ok' if good else 'MISSED':>8}  {what} {size} B: {ratio}, "
              f"floor {floor}x")
    return all(good for *_, good in found)


def say_costs(found):
    print(f"\n{'path':>10} {'write':>7} {'instr/MiB':>11} {'dom0':>6} "
          f"{'hypercalls/MiB':>15} {'door bells/MiB':>15}")
    for row in found["costs"]:
        print(f"{row['path']:>10} {row['size']:>7} "
              f"{row['instructions_per_mib']:>11.0f} "
              f"{row['dom0_percent']:>5.1f}% {row['hypercalls_per_mib']:>15.1f} "
              f"{row['doorbells_per_mib']:>15.1f}")
    print(f"\n{'path':>10}  connect, accept and close")
    for row in found["connections"]:
        print(f"{row['path']:>10}  {row['instructions']:.0f} instructions, "
              f"{row['hypercalls']:.0f} hypercalls")


def whole(lab, args):
    """make bench."""
    course = booted(lab, icount=True, cpus=1)
    rows = rows_of(course.rounds(figures.PATHS, args.rounds))
    found = {**course.versions(), "rows": rows,
             "costs": course.byte_costs(),
             "connections": course.connection_costs()}
    lab.check()
    path = os.path.join(folder(), "results.json")
    write(found, path)
    print("\n" + figures.table(rows))
    say_costs(found)
    print()
    good = say_floors(rows, figures.FLOORS)
    print("\n" + "\n".join([path] + plots.draw(rows, folder())))
    return good


def measured(course, args):
    """What the baseline has."""
    return {**course.versions(),
            "rows": rows_of(course.rounds(figures.GATED, args.rounds)),
            "costs": course.byte_costs(figures.GATED),
            "connections": course.connection_costs(figures.GATED)}


def store(lab, args):
    """A new baseline. The commit that has it says why."""
    write(measured(booted(lab, icount=True, cpus=1), args), BASELINE)
    print(BASELINE)
    return True


def check(lab, args):
    """make bench-check."""
    with open(BASELINE, encoding="utf-8") as handle:
        baseline = json.load(handle)
    found = measured(booted(lab, icount=True, cpus=1), args)
    lab.check()
    write(found, os.path.join(folder(), "check.json"))
    for name in ("xen", "kernel"):
        if found[name] != baseline[name]:
            print(f"note: the baseline is of {name} {baseline[name]}, this is "
                  f"{found[name]}")
    print("\n" + figures.table(found["rows"]))
    say_costs(found)
    lines = figures.worse(found["rows"], baseline["rows"]) + \
        figures.dearer(found, baseline)
    print("\n" + "\n".join(lines or [
        f"no figure is more than {figures.TOLERANCE:.0%} worse than the "
        "baseline"]))
    return not lines


def smp(lab, args):
    """make bench-smp."""
    course = booted(lab, icount=True, cpus=2)
    rows = rows_of(course.rounds(figures.PATHS, args.rounds))
    lab.check()
    print("\nTwo processors, instructions counted:\n" + figures.table(rows))
    good = say_floors(rows, figures.SMP_FLOORS)
    sys.stdout.flush()
    course = booted(lab, cpus=2)
    values = course.rounds(("tcp", "moved"), WALL_PAIRS)
    lab.check()
    wall = figures.pairs({key[1:]: list(zip(plain, values[("moved", *key[1:])]))
                          for key, plain in values.items() if key[0] == "tcp"})
    path = os.path.join(folder(), "results-smp.json")
    write({**course.versions(), "rows": rows, "wall": wall}, path)
    print(f"\nTwo processors, by the clock of this machine: moved TCP against "
          f"plain, {WALL_PAIRS} pairs")
    for row in wall:
        print("{what:>8} {conns:>3} x {size:>6} B {median:>7.2f}x "
              "({min:.2f} to {max:.2f})".format(**row))
    print("\n" + path)
    return good


def say_tax(rows, lookups):
    print(f"\n{'connections':>12} {'work':>16} {'without':>12} {'with':>12} "
          f"{'tax':>8}  (least to most)")
    for row in rows:
        work = f"{row['what']} {row['size']} B"
        print(f"{row['path']:>12} {work:>16} {row['without_us']:>9.2f} us "
              f"{row['with_us']:>9.2f} us {row['tax']:>8.2%}  "
              f"({row['min']:.2%} to {row['max']:.2%})")
    print(f"\n{'connections':>12} {'per second without':>20} {'with':>10}")
    for row in rows:
        if row["what"] == "connect":
            print(f"{row['path']:>12} {1e6 / row['without_us']:>20.0f} "
                  f"{1e6 / row['with_us']:>10.0f}")
    for path, count in lookups.items():
        print(f"{path:>12}: {count['lookups']} lookups for {count['ends']} "
              "ends of connections, no candidate")


def tax(lab, args):
    """make bench-tax."""
    boot(lab, icount=True, cpus=1)
    taxed = taxation.Tax(lab)
    taxed.prepare()
    rows = figures.taxes(taxed.pairs(args.pairs))
    lab.check()
    path = os.path.join(folder(), "tax.json")
    write({"pairs": args.pairs, "rows": rows, "lookups": taxed.lookups}, path)
    say_tax(rows, taxed.lookups)
    lines = figures.overtaxed(rows)
    print("\n" + "\n".join(lines or [
        f"no work costs more than {figures.TAX:.0%} more with the modules"]))
    print("\n" + path)
    return not lines


def migrate(lab, args):
    """make bench-migrate."""
    boot(lab, icount=True, cpus=1)
    paused = pauses.Pauses(lab)
    paused.prepare()
    pairs, passes = paused.pairs(args.pairs)
    lab.check()
    found = {"conns": pauses.CONNS, "pairs": len(pairs),
             "pause_ms": {"off": pauses.middle([off for off, _ in pairs]),
                          "on": pauses.middle([on for _, on in pairs])},
             "added": pauses.middle([on / off - 1 for off, on in pairs]),
             **{name: pauses.middle([one[name] for one in passes])
                for name in passes[0]}, "throughput": paused.curves}
    path = os.path.join(folder(), "migrate.json")
    write(found, path)
    for name, row in found.items():
        if isinstance(row, dict) and "median" in row:
            print(f"{name:>14} {row['median']:>10.3f}  ({row['min']:.3f} to "
                  f"{row['max']:.3f})")
    lines, good = pauses.verdict(pairs, passes)
    print("\n" + "\n".join(lines + [path, plots.draw_pause(paused.curves,
                                                          folder())]))
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    mode = parser.add_mutually_exclusive_group()
    for name, function, words in (
            ("--smp", smp, "two processors, also by the clock"),
            ("--tax", tax, "what connections that cannot move pay"),
            ("--migrate", migrate, "what a guest's absence costs"),
            ("--check", check, "compare with the baseline only"),
            ("--store", store, "write the baseline")):
        mode.add_argument(name, dest="mode", action="store_const",
                          const=function, help=words, default=whole)
    parser.add_argument("--rounds", type=int, default=3,
                        help="of all paths, after one to warm up (default 3)")
    parser.add_argument("--pairs", type=int,
                        help="of --tax (default 9) or --migrate (5), after one "
                        "to warm up")
    args = parser.parse_args()
    args.pairs = args.pairs or (5 if args.mode is migrate else 9)
    ending.on_signals()
    lab = Lab("bench")
    begin = time.monotonic()
    try:
        good = args.mode(lab, args)
    except LabError as err:
        print(f"bench: {err}", file=sys.stderr)
        return 1
    finally:
        lab.down()
    print(f"{time.monotonic() - begin:.0f} s; verdict: "
          f"{'pass' if good else 'FAIL'}")
    return not good


if __name__ == "__main__":
    sys.exit(main())
