# SPDX-License-Identifier: GPL-2.0
"""A User-Mode Linux kernel with sanitizers: built once, kept in the cache, run.

The kernel and all that its tests need lie in one Debian tree, which is also the
root of the machine: a kernel that runs as a process in the tree sees the tree
as its hostfs. It needs neither Xen nor an emulator, and boots in two seconds.
"""
import glob
import os
import shlex
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.realpath(os.path.join(HERE, "../.."))
sys.path.insert(0, os.path.join(TOP, "selftests/xen"))

# pylint: disable=wrong-import-position
from xenlab import cache, deadline, tree  # noqa: E402
from xenlab.errors import LabError  # noqa: E402

# The suite whose kernel is used if none is named
SUITE = "trixie"
# By suite: the kernel's source, options that it lacks, and what it must be told
# besides. UML of 6.1 cannot be preempted, and so does not see who sleeps where
# one must not; EMBEDDED would bring EXPERT
SOURCES = {
    "trixie": ("linux-source-6.12", (), ""),
    "bookworm": ("linux-source-6.1",
                 ("CONFIG_TCP_AO", "CONFIG_PREEMPT", "CONFIG_DEBUG_PREEMPT",
                  "CONFIG_DEBUG_ATOMIC_SLEEP"),
                 "# CONFIG_EMBEDDED is not set\n"),
    "trixie-backports": ("linux-source", ("CONFIG_PROC_SYSCTL",),
                         "CONFIG_SYSCTL=y\n"),
}
PACKAGES = ["bc", "bison", "busybox-static", "flex", "gcc", "iproute2", "kmod",
            "libc6-dev", "libelf-dev", "libjson-c5", "libmnl0", "libssl-dev",
            "make", "perl", "procps", "python3", "xz-utils"]
KERNEL = "/usr/src/linux"
# Variables that mean the same inside
PASSED_ON = ("XENVMC_DEADLINE_FACTOR", "XENVMC_EXPECT_ALL", "XENVMC_TEST_BULK",
             "XENVMC_TEST_FEW", "XENVMC_TEST_KERNEL", "XENVMC_SEED",
             "XENVMC_MESSAGES", "XENVMC_SOAK")


def _read(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as handle:
        return handle.read()


def _config(suite):
    """The options for the kernel of @suite."""
    _, lacks, more = SOURCES[suite]
    return "".join(line for line in _read("config").splitlines(keepends=True)
                   if line.partition("=")[0] not in lacks) + more


def _source(folder, suite):
    """The kernel's source in the tree @folder, as it is seen there. Its package
    may be another one than was asked for, which only needs it."""
    found = glob.glob(os.path.join(folder, "usr/src/linux-source-*.tar.xz"))
    if len(found) != 1:
        raise LabError(f"{suite}: expected one source of a kernel, not {found}")
    return "/" + os.path.relpath(found[0], folder)


def kernel(say, suite):
    """The cache entry of the tree of @suite with its kernel in it."""
    packages = [*PACKAGES, SOURCES[suite][0]]
    config = _config(suite)
    recipe = [suite, packages, config, _read("build-kernel")]

    def make(folder):
        log = folder.removesuffix(".partial") + ".log"
        tree.bootstrap(folder, suite, packages, log)
        source = _source(folder, suite)
        with open(os.path.join(folder, "usr/src/config"), "w",
                  encoding="utf-8") as handle:
            handle.write(config)
        argv = [os.path.join(HERE, "build-kernel"), source, "/usr/src/config",
                KERNEL]
        tree.run(tree.enter(folder, argv, "/", [HERE]), log)
        os.unlink(folder + source)
    entry = cache.Entry("debug-kernel", recipe)
    entry.get(make, say)
    return entry


def _targets(folder, kernel):
    """What to make there: objects of another kernel have other structures, and
    make does not know."""
    path = os.path.join(folder, "built-for")
    before = None
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            before = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(kernel)
    return ["modules"] if before == kernel else ["clean", "modules"]


def build_modules(entry, sources, name, out, words=()):
    """Build the modules in the folder @name of the tree @sources, in place,
    with more @words for make, and copy them to the folder @out."""
    folder = os.path.join(sources, name)
    # Not all kernels have UBSAN look at all that is built
    argv = ["make", "-s", f"-j{os.cpu_count() or 1}", "ARCH=um", "-C", KERNEL,
            f"M={folder}", "UBSAN_SANITIZE=y", *words]
    for target in _targets(folder, entry.path):
        subprocess.run(tree.enter(entry.path, [*argv, target], "/",
                                  [sources, out]),
                       stdin=subprocess.DEVNULL, check=True)
    for built in os.listdir(folder):
        if built.endswith(".ko"):
            shutil.copy2(os.path.join(folder, built), out)


class Result:
    """How a run went: the script's exit status, 124 when time was up, 125 if
    the kernel went down; lines of its output and of the console; seconds, and
    how many of a processor."""

    def __init__(self, folder, status, seconds, used):
        self.seconds = seconds
        self.used = used
        told = _lines(os.path.join(folder, "status"))
        if status in (124, 137):
            self.status = 124
        else:
            self.status = int(told[0]) if told else 125
        self.output = _lines(os.path.join(folder, "out"))
        self.console = _lines(os.path.join(folder, "console"))


def _lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8", errors="replace") as handle:
        return handle.read().splitlines()


def run(entry, folder, argv, seconds, visible, memory=768):
    """Boot the kernel and run @argv there as root.

    @folder is made anew and gets the console and the output. @seconds: when to
    give up, scaled. @visible: the host's folders that the machine sees; it can
    write to @folder only.
    """
    cache.remove_tree(folder)
    os.makedirs(folder)
    with open(os.path.join(folder, "script"), "w",
              encoding="utf-8") as handle:
        for name in PASSED_ON:
            if name in os.environ:
                handle.write(f"export {name}={shlex.quote(os.environ[name])}\n")
        handle.write(f"exec {shlex.join(argv)}\n")
    limit = int(deadline.scaled(seconds))
    begin = time.monotonic()
    # The machine's memory is a file in TMPDIR
    machine = ["timeout", "--kill-after=5", str(limit), "env",
               "TMPDIR=/tmp", f"{KERNEL}/linux",
               "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro",
               f"init={HERE}/init", f"mem={memory}M", "con=null",
               "con0=fd:0,fd:1", "quiet", "uml_dir=/tmp", f"RUN={folder}",
               f"SEE={':'.join(visible)}"]
    with open(os.path.join(folder, "console"), "wb") as log:
        # pylint: disable-next=consider-using-with	# wait4() reaps it
        child = subprocess.Popen(
            tree.enter(entry.path, machine, "/", list(visible) + [folder]),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    return Result(folder, child.returncode, time.monotonic() - begin,
                  usage.ru_utime + usage.ru_stime)
