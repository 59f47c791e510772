#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""checkpatch.py [FOLDER]: the kernel's own "checkpatch.pl --strict" over all C.

The script comes with Debian's package of the kernel's source and is kept in the
cache, with its lists of misspelt words and of types that should be constant.
What is excused stands with its reason in the file "checkpatch-exceptions"
beside this one. TAP.
"""
import concurrent.futures
import fnmatch
import os
import re
import subprocess
import sys
import tempfile

import rules

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.realpath(os.path.join(HERE, "../.."))
sys.path.insert(0, os.path.join(TOP, "selftests", "xen"))

# pylint: disable=wrong-import-position
from xenlab import cache, tree  # noqa: E402

SUITE = "trixie"
SOURCE = "linux-source-6.12"
NAMES = ("checkpatch.pl", "const_structs.checkpatch", "spelling.txt")
FOLDERS = ("net", "include", "userspace", "selftests")
LINE = re.compile(r"(\S+):(\d+): (?:ERROR|WARNING|CHECK):(\w+): (.*)")
# What the script must say of this, lest it be silent for another reason
PLANTED = ("// SPDX-License-Identifier: GPL-2.0\n"
           "static const struct file_operations a;\n\nint teh(int x)\n{\n"
           "\tif( x ) return 1;\n\treturn 0; /* adress */\n}\n")
NOTICED = {"SPACING", "TRAILING_STATEMENTS", "TYPO_SPELLING"}


def script():
    """The path of checkpatch.pl."""
    def make(folder):
        log = folder.removesuffix(".partial") + ".log"
        package = os.path.join(folder, "package")
        os.mkdir(package)
        tree.unpack_packages(package, SUITE, [SOURCE], log)
        tree.run(["tar", "-x", "--strip-components=2", "-C", folder, "-f",
                  f"{package}/usr/src/{SOURCE}.tar.xz"]
                 + [f"{SOURCE}/scripts/{name}" for name in NAMES], log)
        cache.remove_tree(package)
    entry = cache.Entry("checkpatch", [SUITE, SOURCE, NAMES])
    entry.get(make, lambda text: print(f"# {text}", flush=True))
    return entry.file(NAMES[0])


def checkpatch(path, folder, names):
    """[(file, line, type, text)] of what checkpatch.pl says of files."""
    if not names:
        return []
    done = subprocess.run(["perl", path, "--no-tree", "--root=.", "--strict",
                           "--terse", "--show-types", "--no-summary",
                           "--file"] + names,
                          cwd=folder, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False)
    found = [LINE.match(line) for line in done.stdout.splitlines()]
    if done.stderr or None in found or bool(found) != bool(done.returncode):
        raise OSError(f"checkpatch.pl, status {done.returncode}: "
                      f"{done.stderr or done.stdout}")
    return [match.groups() for match in found]


def planted(path, folder):
    """What the script does not notice of what it should."""
    with open(os.path.join(folder, "planted.c"), "w",
              encoding="utf-8") as handle:
        handle.write(PLANTED)
    said = {kind for _, _, kind, _ in checkpatch(path, folder, ["planted.c"])}
    yield from (f"{kind} goes unnoticed" for kind in NOTICED - said)


class Exceptions:
    """Lines of: type, pattern of files, reason."""

    def __init__(self, path):
        self.rules = []
        self.used = set()
        with open(path, encoding="utf-8") as handle:
            for line in handle:
                words = line.split(None, 2)
                if words and not line.startswith("#"):
                    self.rules.append(tuple(words))

    def excuse(self, name, kind):
        """True if a line names this; all that do are in use."""
        found = [rule for rule in self.rules if rule[0] == kind
                 and fnmatch.fnmatchcase(name, rule[1])]
        self.used.update(found)
        return bool(found)

    def stale(self):
        """Lines that excuse nothing, or have no reason."""
        for rule in self.rules:
            if rule not in self.used:
                yield f"{' '.join(rule[:2])}: excuses nothing"
            if len(rule) < 3:
                yield f"{' '.join(rule)}: no reason given"


def main(top):
    """Runs all; the number of the broken ones."""
    print(f"TAP version 13\n1..{len(FOLDERS) + 2}", flush=True)
    path = script()
    excused = Exceptions(os.path.join(HERE, "checkpatch-exceptions"))
    names = [name for name in rules.listed(top)
             if re.fullmatch(rf"({'|'.join(FOLDERS)})/.*\.[ch]", name)]
    broken = number = 0

    def result(name, findings):
        nonlocal broken, number
        number += 1
        for finding in findings:
            print(f"# {finding}")
        print(f"{'not ok' if findings else 'ok'} {number} {name}", flush=True)
        broken += bool(findings)

    # It leaves files where it runs, and asks git there
    with tempfile.TemporaryDirectory() as folder:
        for name in FOLDERS:
            os.symlink(os.path.join(os.path.abspath(top), name),
                       os.path.join(folder, name))
        result("it notices what was planted", list(planted(path, folder)))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            found = pool.map(lambda part: checkpatch(path, folder, [
                name for name in names if name.startswith(part + "/")]),
                             FOLDERS)
            for part, said in zip(FOLDERS, found):
                result(part, [f"{name}:{line}: {kind}: {text}"
                              for name, line, kind, text in said
                              if not excused.excuse(name, kind)])
    result("exceptions are in use", list(excused.stale()))
    return broken


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1] if len(sys.argv) > 1 else TOP)))
