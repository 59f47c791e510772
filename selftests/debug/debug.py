#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""debug.py [--kernel SUITE] [--machines N] [NAME[:CASE[,CASE...]]...]: tests of the
family and of the hook on a kernel with KASAN, lockdep, checks of RCU, of sleeping and of
objects, and kmemleak. TAP.

First ("planted") the kernel shows that it sees a planted bug of each kind. Then
("tests", or one by its name) each test runs on a machine of its own, and fails if
the kernel complains of anything, or if memory is lost.
"""
import argparse
import concurrent.futures
import filecmp
import math
import os
import re
import shutil
import subprocess
import sys

import uml
from uml import TOP
from xenlab import artifacts, console, tree
from xenlab.lab import build_folder

# Its outputs; those on another kernel than trixie's have a folder of their own
FOLDER = os.path.join(build_folder(), "debug")
# Kind of the planted bug, and what the kernel says of it
PLANTED = (
    ("use-after-free", "KASAN: (slab-)?use-after-free"),
    ("out-of-bounds", "KASAN: slab-out-of-bounds"),
    ("lock-inversion", "possible circular locking dependency"),
    ("sleep", "sleeping function called from invalid context"),
    ("rcu", "suspicious RCU usage"),
    ("object", "ODEBUG: free active"),
    ("shift", "UBSAN: shift-out-of-bounds"),
    ("leak", "new suspected memory leaks"),
    ("leak-of-a-failure", "new suspected memory leaks"),
)
BUSY = ("both_directions_at_once_are_exact", "ping_pong_of_one_byte",
        "epoll_edge_triggered", "slow_reader_blocks_the_writer",
        "bulk_to_client_is_exact", "many_connections_at_once")
# Name, seconds, words for the script inside
TESTS = (
    ("stream", 400, ["stream"]),
    ("tcp", 900, ["tcp"]),
    ("hook", 400, ["hook"]),
    ("path", 300, ["path"]),
    ("seeing", 400, ["seeing"]),
    ("churn", 400, ["churn", "5000"]),
    ("unload", 400, ["unload", *BUSY]),
    ("switch", 1500, ["switch"]),
    ("late", 900, ["late"]),
    ("park", 600, ["park"]),
    ("carry", 600, ["carry"]),
    ("hostile", 1500, ["hostile"]),
    ("kernel", 900, ["kernel"]),
    ("model", 600, ["model", "20"]),
    ("faults", 600, ["faults", "planted", "load", "attach", "netns", "refuse",
                     "ask", "stream", "pages"]),
    ("faults-park", 600, ["faults", "park",
                          "carry:carrier+greet+spill+position"]),
    ("faults-hook", 600, ["faults", "hook"]),
    ("faults-late", 600, ["faults", "late"]),
    ("faults-back", 600, ["faults", "back", "ulp", "taken", "tap", "unload"]),
)
# Only if they are named. The soak ends by itself after XENVMC_SOAK seconds, if
# not 0
NAMED = (
    ("soak-hostile", 0, ["hostile"]),
    ("soak", 0, ["soak"]),
    ("faults-carry", 3600, ["faults", "carry"]),
)
# What other kernels have not: "kernel" is what comes with the source of trixie's, in
# some cases of "late" one task must run while another one is in the kernel, and of
# a few lost objects the newest does not see each, see planted.c
LACKS = {"bookworm": ("sleep", "late", "kernel"),
         "trixie-backports": ("leak-of-a-failure", "kernel")}
# Of these, CASE stands behind a word of its own
CASE_WORD = {"hook": ["--only"], "switch": ["--only"]}
# The kernel's own tests
KERNEL_TESTS = os.path.join(TOP, "selftests/kernel")
# The far end that is linked into a copy of the module
FAR_END = os.path.join(TOP, "selftests/hostile/end")


def say(text):
    """A remark of a TAP document."""
    print(f"# {text}", flush=True)


def build_faulty(kernel, out):
    """The modules whose calls can fail on purpose, in @out."""
    sources = os.path.join(FOLDER, "faulty")
    for name in ("net", "include"):
        artifacts.mirror(os.path.join(TOP, name), os.path.join(sources, name))
    os.makedirs(out)
    uml.build_modules(kernel, sources, "net/xenvmc", out, ["XENVMC_FAULTS=y"])


def build_played(kernel, out):
    """xenvmc.ko with the far end of selftests/hostile in it, in @out."""
    sources = os.path.join(FOLDER, "played")
    folder = os.path.join(sources, "net/xenvmc")
    artifacts.mirror(os.path.join(TOP, "include"),
                     os.path.join(sources, "include"))
    artifacts.mirror(os.path.join(TOP, "net/xenvmc"), folder)
    for name in os.listdir(FAR_END):
        source = os.path.join(FAR_END, name)
        target = os.path.join(folder, name)
        if name == "objects":
            with open(source, encoding="utf-8") as objects, \
                    open(os.path.join(folder, "Kbuild"), "a",
                         encoding="utf-8") as kbuild:
                kbuild.write(objects.read())
        elif not os.path.exists(target) or \
                not filecmp.cmp(source, target, False):
            shutil.copyfile(source, target)
    os.makedirs(out)
    uml.build_modules(kernel, sources, "net/xenvmc", out)


def build_kernel_tests(kernel):
    """The kernel's own tests, in the tree that they will run in."""
    out = os.path.join(FOLDER, "kernel-tests")
    os.makedirs(out, exist_ok=True)
    argv = ["make", "-s", f"-j{os.cpu_count() or 1}", "-C", KERNEL_TESTS,
            f"O={out}", f"KERNEL={uml.KERNEL}"]
    subprocess.run(tree.enter(kernel.path, argv, "/", [TOP, out]),
                   stdin=subprocess.DEVNULL, check=True)


def build(suite):
    """The entry of the kernel of @suite, the folder of the modules for it, that
    of the tools."""
    kernel = uml.kernel(say, suite)
    sources = os.path.join(FOLDER, "src")
    for name in ("net", "include", "selftests/debug"):
        artifacts.mirror(os.path.join(TOP, name), os.path.join(sources, name))
    modules = os.path.join(FOLDER, "modules")
    shutil.rmtree(modules, ignore_errors=True)
    os.makedirs(modules)
    for name in ("net/xenvmc", "selftests/debug"):
        uml.build_modules(kernel, sources, name, modules)
    build_faulty(kernel, os.path.join(modules, "faulty"))
    shutil.copy2(os.path.join(modules, "taker.ko"),
                 os.path.join(modules, "faulty"))
    build_played(kernel, os.path.join(modules, "played"))
    if suite == uml.SUITE:
        build_kernel_tests(kernel)
    tools = artifacts.build_tools(TOP, build_folder(), suite, say)
    return kernel, modules, tools


def run(parts, name, seconds, words):
    """Run the script inside with @words on @parts; a uml.Result."""
    kernel, modules, tools = parts
    argv = [os.path.join(TOP, "selftests/debug/inside"), modules, tools]
    return uml.run(kernel, os.path.join(FOLDER, name), argv + words, seconds,
                   [TOP, build_folder()])


def side_by_side(parts, machines, jobs):
    """Results of runs (name, seconds, words), in order. Those that take long begin
    first."""
    with concurrent.futures.ThreadPoolExecutor(machines) as pool:
        order = sorted(range(len(jobs)), reverse=True,
                       key=lambda i: jobs[i][1] or math.inf)
        begun = {i: pool.submit(run, parts, *jobs[i]) for i in order}
        for i in range(len(jobs)):
            yield begun[i].result()


class Report:
    """Prints tests and counts those that failed."""

    def __init__(self, count):
        print(f"TAP version 13\n1..{count}", flush=True)
        self.number = 0
        self.failed = 0

    def test(self, name, complaints):
        """One test: it failed if there are @complaints."""
        self.number += 1
        for line in complaints:
            say(line)
        self.failed += bool(complaints)
        print(f"{'not ok' if complaints else 'ok'} {self.number} {name}",
              flush=True)


def planted(parts, machines, unseen):
    """The kernel sees bugs of each kind but @unseen. Returns the number it did
    not."""
    bugs = [bug for bug in PLANTED if bug[0] not in unseen]
    report = Report(len(bugs))
    results = side_by_side(parts, machines,
                           [(f"planted-{kind}", 300, ["planted", kind])
                            for kind, _ in bugs])
    for (kind, words), result in zip(bugs, results):
        seen = any(re.search(words, line) and console.bad_line(line)
                   for line in result.console)
        report.test(f"a planted bug is seen: {kind}",
                    [] if seen else ["nothing was said of it, or it was not "
                                     "taken for a failure"]
                    + result.console[-20:])
    return report.failed


def jobs_of(names):
    """The runs (name, seconds, words) of @names, in the order of the table."""
    jobs = []
    for name, seconds, words in TESTS + NAMED:
        for wanted in names:
            test, _, cases = wanted.partition(":")
            if test == name:
                cases = [*CASE_WORD.get(name, []), *cases.split(",")] \
                    if cases else words[1:]
                jobs.append((name, seconds, [words[0], *cases]))
    return jobs


def tests(parts, machines, jobs):
    """Runs @jobs. Returns the number that failed."""
    failed = 0
    for (name, _, _), result in zip(jobs, side_by_side(parts, machines, jobs)):
        print("\n".join(result.output))
        complaints = [line for line in result.console
                      if console.bad_line(line)]
        if result.status:
            complaints.append(f"ended with status {result.status}, see "
                              f"{os.path.relpath(FOLDER)}/{name}")
        report = Report(1)
        report.test(f"the kernel has no complaint: {name} "
                    f"# time={result.seconds:.0f} cpu={result.used:.0f}",
                    complaints)
        failed += report.failed
    return failed


def options():
    """What is asked for: the kernel's suite, how many machines side by side, names
    in the order given."""
    parser = argparse.ArgumentParser(
        description="tests on a kernel with sanitizers, TAP")
    parser.add_argument("--kernel", metavar="SUITE", default=uml.SUITE,
                        choices=uml.SOURCES, help="Debian suite of its source: "
                        f"{', '.join(uml.SOURCES)} (default: {uml.SUITE})")
    # One has one processor, and waits more than half of the time
    parser.add_argument("--machines", metavar="N", type=int,
                        default=2 * (os.cpu_count() or 1),
                        help="at the same time (default: %(default)s)")
    parser.add_argument("names", metavar="NAME[:CASE[,CASE...]]", nargs="*",
                        help="planted, tests, or a test (default: planted and "
                        "tests)")
    asked = parser.parse_args()
    if asked.machines < 1:
        parser.error("expected one machine or more")
    there = [name for name, _, _ in TESTS
             if name not in LACKS.get(asked.kernel, ())]
    names = asked.names or ["planted", "tests"]
    if "tests" in names:
        # What fails on purpose is ours, and not the kernel's
        names = [name for name in names if name != "tests"] + \
            [name for name in there if asked.kernel == uml.SUITE
             or not name.startswith("faults")]
    names = list(dict.fromkeys(names))
    known = ["planted", *there, *(name for name, _, _ in NAMED)]
    for name in names:
        if name.partition(":")[0] not in known:
            parser.error(f"{name}: expected {', '.join(known)}")
    return asked.kernel, asked.machines, names


def main():
    global FOLDER   # pylint: disable=global-statement
    suite, machines, names = options()
    if suite == uml.SUITE:
        # This kernel has all that the cases are about
        os.environ["XENVMC_TEST_KERNEL"] = "1"
    else:
        FOLDER = f"{FOLDER}-{suite}"
    parts = build(suite)
    failed = planted(parts, machines, LACKS.get(suite, ())) \
        if "planted" in names else 0
    failed += tests(parts, machines, jobs_of(names))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
