#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""names.py: our Python programs name only what there is. TAP.

Most of them run for an hour before they come by some line, and some in a guest
only. pylint knows without running them what a module has. Each folder is a test
of its own, for two of them have modules of the same name.
"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
# Where modules of others are looked for, behind the folder itself
SHARED = ("selftests/xen", "selftests/faults", "selftests/hook",
          "selftests/debug", "selftests/bench", "selftests/stamp",
          "selftests/guests", "selftests/netlink")
# What Pythons of the guests have, and that of the machine may not have yet
NEWER = "os.setns,os.CLONE_NEWNET"
# undefined-variable, no-name-in-module, import-error, no-member
WORDS = "E0602,E0611,E0401,E1101"
PLANTED = "import os\n\nos.getpid_of_nobody()\n"


def folders():
    """{folder: its programs}, of the whole tree."""
    found = {}
    for where, names, files in os.walk(TOP):
        names[:] = sorted(set(names) - {".git", "build"})
        mine = sorted(name for name in files if name.endswith(".py"))
        if mine:
            found[os.path.relpath(where, TOP)] = mine
    return found


def complaints(folder, names, text=None):
    """What pylint says, in the folder, of @names or of @text. Classes may get
    their members in ways that it does not see: of modules alone."""
    paths = [folder, *SHARED]
    done = subprocess.run(
        ["pylint", "--disable=all", f"--enable={WORDS}", "--score=n",
         f"--generated-members={NEWER}", "--persistent=n", "--init-hook",
         f"import sys; sys.path[:0] = {[os.path.join(TOP, p) for p in paths]}",
         *(["--from-stdin", "planted.py"] if text else names)],
        cwd=os.path.join(TOP, folder), input=text or "", text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    lines = [line for line in done.stdout.splitlines()
             if re.search(r": E(0602|0611|0401):|: E1101: Module ", line)]
    # 2: errors, also of the kind that is left out
    if not lines and done.returncode & ~2:
        lines = done.stdout.splitlines() or [f"status {done.returncode}"]
    return lines


def main():
    """Runs all; whether there are complaints."""
    found = folders()
    print(f"TAP version 13\n1..{len(found) + 1}", flush=True)
    planted = complaints("selftests/check", [], PLANTED)
    results = [("a name that is not there is seen",
                [] if planted else ["nothing was said of it"])]
    results += [(folder, None) for folder in found]
    failed = 0
    for number, (name, lines) in enumerate(results, 1):
        if lines is None:
            lines = complaints(name, found[name])
        for line in lines:
            print(f"# {name}/{line}")
        failed += bool(lines)
        print(f"{'not ok' if lines else 'ok'} {number} {name}", flush=True)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
