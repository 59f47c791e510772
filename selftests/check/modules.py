#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""modules.py [KERNEL...]: the modules build without a warning, for all kernels
that they are for, or for those named as for the lab's --kernel. TAP.

With the lab's compiler and kernel headers, in a copy of the sources for each
kernel below build/check: gcc with W=1, modpost, sparse and kernel-doc. And what "make
install" installs is found by modprobe.
"""
import glob
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(REPO, "selftests", "xen"))

# pylint: disable=wrong-import-position
import rules  # noqa: E402
import surface  # noqa: E402
from xenlab import artifacts, recipes, tree  # noqa: E402

KERNELS = ("trixie", "trixie-backports", "bookworm")
# Over the tree's modules, so that it stays as it is. $1: version, $2: folder
INSTALL = """
cd "$2" && mkdir /tmp/upper /tmp/work && mount -t overlay overlay \\
        -o lowerdir=/usr/lib/modules,upperdir=/tmp/upper,workdir=/tmp/work \\
        /usr/lib/modules || exit 125
make -s install-modules KDIR="/lib/modules/$1/build" \\
        XENVMC_BUILD="$2/installed" >&2 || exit 1
modprobe -S "$1" --show-depends xenvmc_inet
modprobe -S "$1" --show-depends xenvmc_tap
"""
# What new kernels use and sparse does not know. It says nothing more of a file
# after an error
CHECKED = ("-D__CHECK_ENDIAN__ -D__typeof_unqual__=__typeof__"
           " '-D__builtin_strlen(x)=(sizeof(x)-1)'")
# A number that is not in the byte order that it should be in
PLANTED = {"Kbuild": "obj-m := planted.o\n", "planted.c": """
#include <linux/module.h>

__be32 planted(void);
__be32 planted(void)
{
        return 7;
}
MODULE_DESCRIPTION("for sparse to find");
MODULE_LICENSE("GPL");
"""}


def run(tools, argv, folder):
    """(status, lines) of a command in the build tree."""
    done = subprocess.run(tree.enter(tools.path, argv, folder, [folder]),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


def make(tools, folder, *words, name="net/xenvmc"):
    """The modules, with warnings as errors: they stay until they are gone."""
    version = recipes.kernel_version(tools)
    return run(tools, ["make", "-s", f"-j{os.cpu_count()}", "-C",
                       f"/lib/modules/{version}/build",
                       f"M={folder}/{name}", "W=1", "KCFLAGS=-Werror",
                       *words, "modules"], folder)


def compiled(tools, folder):
    """Complaints of the compiler and of modpost."""
    status, lines = make(tools, folder)
    if status:
        return lines or [f"make failed with status {status}"]
    return [line for line in lines if re.search(r"warning|error", line, re.I)]


def faultless(tools, folder):
    """Modules in which calls can fail on purpose: a normal build has none.
    Symbols tell: debug information names inline functions, too."""
    names = glob.glob(f"{folder}/net/xenvmc/*.ko")
    found = [] if names else ["no module was built"]
    for name in names:
        status, lines = run(tools, ["nm", name], folder)
        if status or not lines:
            found.append(f"{name}: nm failed with status {status}")
        found += [f"{name}: {line}" for line in lines
                  if re.search(r"xvmc_(should_fail|which_fails)|fault_nth",
                               line)]
    return found


def sparsed(tools, folder, name):
    """(status, complaints of sparse about files of that folder alone). Debian's
    headers of new kernels lack the script that says whether there is a sparse."""
    status, lines = make(tools, folder, "C=2", "KBUILD_CHECKSRC=2",
                         f"CF={CHECKED}", name=name)
    # Some kernels say where a file is, others are there
    lines = [line.removeprefix(f"{folder}/{name}/") for line in lines]
    return status, [line for line in lines
                    if re.match(r"[^/].*:\d+:\d+: (warning|error)", line)]


def sparse(tools, folder):
    """Complaints of sparse; that it sees what was planted beside."""
    planted = os.path.join(folder, "planted")
    shutil.rmtree(planted, ignore_errors=True)
    os.makedirs(planted)
    for name, text in PLANTED.items():
        with open(os.path.join(planted, name), "w", encoding="utf-8") as file:
            file.write(text)
    if not any("__be32" in line or "different base types" in line
               for line in sparsed(tools, folder, "planted")[1]):
        return ["sparse does not see what was planted"]
    status, found = sparsed(tools, folder, "net/xenvmc")
    return found or ([f"make failed with status {status}"] if status else [])


def all_options(tools, _folder):
    """Options of this kernel's sockets that the page of them has no row of."""
    found = rules.Tree(REPO)
    headers, = glob.glob(tools.file("usr/src/linux-headers-*-common"))
    return list(surface.unlisted(found.text,
                                 os.path.join(headers, "include/uapi")))


def kernel_doc(tools, folder):
    """Complaints of kernel-doc."""
    script, = glob.glob(tools.file("usr/lib/linux-kbuild-*/scripts/kernel-doc"))
    names = glob.glob(f"{folder}/net/xenvmc/**/*.[ch]", recursive=True)
    names = [name for name in sorted(names) if not name.endswith(".mod.c")]
    status, lines = run(tools, [script.removeprefix(tools.path), "-none",
                                *names], folder)
    lines = [line for line in lines if re.search("warning|error", line, re.I)]
    return lines or ([f"status {status}"] if status else [])


def installed(tools, folder):
    """What modprobe does not find."""
    version = recipes.kernel_version(tools)
    shutil.copy2(os.path.join(REPO, "Makefile"), folder)
    status, lines = run(tools, ["sh", "-c", INSTALL, "sh", version, folder],
                        folder)
    needs = [f"insmod /lib/modules/{version}/updates/{name}.ko" for name in
             ("xenvmc", "xenvmc_inet", "xenvmc_tap")]
    if not status and set(needs) <= {line.strip() for line in lines}:
        return []
    return [f"status {status}, expected {needs}"] + lines


def main():
    """Runs all; the number of those with complaints."""
    build = os.path.abspath(
        os.environ.get("XENVMC_BUILD") or os.path.join(REPO, "build"))
    kernels = sys.argv[1:] or KERNELS
    tests = [("compile with W=1", compiled), ("sparse", sparse),
             ("nothing fails on purpose", faultless),
             ("transparency has all options", all_options)]
    broken = number = 0
    print(f"TAP version 13\n1..{len(tests) * len(kernels) + 2}", flush=True)
    for kernel in kernels:
        tools = recipes.build(kernel, lambda text: print(f"# {text}",
                                                         flush=True))
        version = recipes.kernel_version(tools)
        folder = os.path.join(build, "check", version)
        for name in artifacts.SOURCES:
            artifacts.mirror(os.path.join(REPO, name),
                             os.path.join(folder, name))
        todo = [(f"{version}: {name}", test) for name, test in tests]
        if kernel == kernels[0]:
            todo += [("kernel-doc", kernel_doc),
                     ("make install, modprobe", installed)]
        for name, test in todo:
            number += 1
            findings = test(tools, folder)
            for finding in findings:
                print(f"# {finding.replace(folder + '/', '')}")
            print(f"{'not ok' if findings else 'ok'} {number} {name}",
                  flush=True)
            broken += bool(findings)
    return broken


if __name__ == "__main__":
    sys.exit(bool(main()))
