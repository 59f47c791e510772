#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of the lab itself, in TAP. Without arguments those that boot nothing;
with --boot also those that need a machine (uses or boots the lab of $XENVMC_LAB).
"""
import io
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import threading
import unittest
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from test_leaks import HeldTest, LeaksTest  # noqa: E402
from xenlab import (artifacts, cache, cli, console, deadline,  # noqa: E402
                    domains, initramfs, interrupts, kernel, mirror,
                    program, qemu, recipes, tap)
from xenlab.errors import (CommandFailed, ConsoleFailure,  # noqa: E402
                           LabError, Timeout)
from xenlab.lab import Lab  # noqa: E402
from xenlab.params import Params  # noqa: E402

BAD_LINES = """\
[   12.3] Kernel panic - not syncing: Fatal exception
[   12.3] BUG: kernel NULL pointer dereference, address: 0000000000000008
[   12.3] kernel BUG at net/core/skbuff.c:192!
[   12.3] WARNING: CPU: 0 PID: 77 at kernel/x.c:12 f+0x1/0x2 [xenvmc]
[   12.3] Oops: Oops: 0002 [#1] PREEMPT SMP NOPTI
[   12.3] Oops: general protection fault, probably for non-canonical address
[   12.3] WARNING: possible circular locking dependency detected
[   12.3] WARNING: suspicious RCU usage
[   12.3] rcu: INFO: rcu_preempt self-detected stall on CPU
[   12.3] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
[   12.3] INFO: task iperf3:88 blocked for more than 120 seconds.
[   12.3] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [iperf3:88]
[   12.3] BUG: KASAN: slab-use-after-free in f+0x1/0x2
[   12.3] UBSAN: array-index-out-of-bounds in x.c:3:4
[   12.3] iperf3[88]: segfault at 0 ip 00007f sp 00007f error 4 in iperf3
[   12.3] refcount_t: underflow; use-after-free.
[   12.3] BUG: scheduling while atomic: swapper/0/0/0x00000100
[   12.3] Out of memory: Killed process 99 (redis-server)
[   12.3] unregister_netdevice: waiting for eth0 to become free.
[   12.3] DEBUG_LOCKS_WARN_ON(1)
(XEN) Panic on CPU 0:
(XEN) d0v0 Unhandled: vec 14, #PF[0001]
(XEN) Xen call trace:
(XEN) d2v0 Triple fault - invoking HVM shutdown action 1
(XEN) Domain 3 (vcpu#0) crashed on cpu#1:
lab: cannot load ext4.ko
""".splitlines()

GOOD_LINES = """\
[    0.0] Linux version 6.12 (debian-kernel@lists.debian.org)
[   16.0] xenvmc: peer 3: channel up
[   17.0] xenvmc: peer 3: fell back to TCP: reason 4
[    3.1] clocksource: timekeeping watchdog on CPU0: Marking clocksource 'tsc'
[    3.1] debugfs: initialised
[    3.1] Spectre V2 : WARNING: Unprivileged eBPF is enabled
[    3.1] xenbr0: port 2(vif1.0) entered forwarding state
(XEN) mtrr: your CPUs had inconsistent fixed MTRR settings
""".splitlines()


class Folder(unittest.TestCase):
    """A test with a temporary folder that is also the cache."""

    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="lab-test-")
        self.addCleanup(holder.cleanup)
        self.folder = holder.name
        patch = mock.patch.dict(os.environ, {
            "XENVMC_CACHE": os.path.join(self.folder, "cache"),
            "XENVMC_BUILD": os.path.join(self.folder, "build")})
        patch.start()
        self.addCleanup(patch.stop)

    def write(self, name, data):
        """A file with @data; returns its path."""
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as handle:
            handle.write(data)
        return path


class ConsoleTest(Folder):
    """The watcher."""

    def test_bad_lines_are_found(self):
        missed = [line for line in BAD_LINES if not console.bad_line(line)]
        self.assertEqual(missed, [])

    def test_good_lines_are_not(self):
        found = [line for line in GOOD_LINES if console.bad_line(line)]
        self.assertEqual(found, [])

    def test_each_allowed_line_has_a_reason(self):
        for pattern, reason in console.HARMLESS:
            self.assertTrue(pattern and len(reason) > 10)

    def test_planted_oops_names_console_and_line(self):
        text = "\n".join(GOOD_LINES + [BAD_LINES[1]] + GOOD_LINES)
        self.write("c/guest-guest2.log", text.encode())
        self.write("c/xen.log", "\n".join(GOOD_LINES).encode())
        watcher = console.Watcher(os.path.join(self.folder, "c"))
        found = watcher.findings()
        self.assertEqual(len(found), 1)
        self.assertEqual(console.describe(found[0]),
                         "guest2 console: " + BAD_LINES[1])

    def test_only_what_is_new_since_a_mark(self):
        path = self.write("c/xen.log", (BAD_LINES[0] + "\n").encode())
        watcher = console.Watcher(os.path.join(self.folder, "c"))
        mark = watcher.mark()
        self.assertEqual(watcher.findings(mark), [])
        with open(path, "a", encoding="utf-8") as handle:
            handle.write(BAD_LINES[2])
        self.assertEqual([item.line for item in watcher.findings(mark)],
                         [BAD_LINES[2]])
        self.assertEqual(len(watcher.findings()), 2)

    def test_a_line_half_written_at_the_mark_is_found(self):
        path = self.write("c/xen.log", b"[ 1.0] fine\n[ 2.0] Kernel pa")
        watcher = console.Watcher(os.path.join(self.folder, "c"))
        mark = watcher.mark()
        with open(path, "ab") as handle:
            handle.write(b"nic - not syncing\n")
        self.assertEqual([item.line for item in watcher.findings(mark)],
                         ["[ 2.0] Kernel panic - not syncing"])

    def test_a_console_that_appears_later_is_read_whole(self):
        self.write("c/xen.log", b"")
        watcher = console.Watcher(os.path.join(self.folder, "c"))
        mark = watcher.mark()
        self.write("c/guest-guest1.log", BAD_LINES[0].encode())
        self.assertEqual(len(watcher.findings(mark)), 1)

    def test_bytes_that_are_no_text_do_no_harm(self):
        found = list(console.scan(b"\xff\xfe\0\n" + BAD_LINES[0].encode()))
        self.assertEqual(len(found), 1)


class DeadlineTest(unittest.TestCase):
    """Deadlines and their factor."""

    def test_factor_scales(self):
        with mock.patch.dict(os.environ, XENVMC_DEADLINE_FACTOR="3"):
            self.assertEqual(deadline.scaled(20), 60)

    def test_default_is_one(self):
        with mock.patch.dict(os.environ):
            os.environ.pop("XENVMC_DEADLINE_FACTOR", None)
            self.assertEqual(deadline.scaled(20), 20)

    def test_bad_factor_is_refused(self):
        for text in ("", "x", "0", "-1", "nan", "inf"):
            with mock.patch.dict(os.environ, XENVMC_DEADLINE_FACTOR=text):
                with self.assertRaisesRegex(LabError, "DEADLINE_FACTOR"):
                    deadline.factor()

    def test_timeout_names_what_was_awaited(self):
        with mock.patch.dict(os.environ, XENVMC_DEADLINE_FACTOR="1"):
            with self.assertRaisesRegex(Timeout, "the moon"):
                deadline.wait_until(lambda: False, 0.05, "the moon", 0.01)

    def test_value_is_returned(self):
        values = iter([None, 0, "yes"])
        self.assertEqual(deadline.wait_until(lambda: next(values), 5, "x",
                                             0.001), "yes")

    def test_watch_ends_the_wait(self):
        def watch():
            raise ConsoleFailure("xen console: panic")
        with self.assertRaises(ConsoleFailure):
            deadline.wait_until(lambda: False, 60, "x", watch=watch)


class CacheTest(Folder):
    """Entries are complete or absent, and made once."""

    def test_made_once(self):
        made = []
        for _ in range(2):
            cache.Entry("thing", ["recipe"]).get(made.append)
        self.assertEqual(len(made), 1)

    def test_other_recipe_is_another_entry(self):
        one, two = (cache.Entry("thing", [word]).path for word in "ab")
        self.assertNotEqual(one, two)

    def test_failed_build_leaves_no_entry(self):
        entry = cache.Entry("thing", [])

        def fail(folder):
            with open(os.path.join(folder, "half"), "w",
                      encoding="utf-8") as handle:
                handle.write("x")
            raise OSError("disk full")
        with self.assertRaisesRegex(LabError, "disk full"):
            entry.get(fail)
        self.assertFalse(entry.ready())
        entry.get(lambda folder: self.assertEqual(os.listdir(folder), []))
        self.assertTrue(entry.ready())

    def test_killed_build_does_no_harm(self):
        entry = cache.Entry("thing", [])

        def die(folder):
            os.mkdir(os.path.join(folder, "half"))
            os._exit(9)
        child = multiprocessing.get_context("fork").Process(
            target=entry.get, args=(die,))
        child.start()
        child.join()
        self.assertEqual(child.exitcode, 9)
        self.assertFalse(entry.ready())
        entry.get(lambda folder: None)
        self.assertEqual(os.listdir(entry.path), [])

    def test_two_at_once_make_it_once(self):
        made = []
        inside = threading.Event()

        def make(folder):
            made.append(folder)
            inside.wait(0.2)
        users = [threading.Thread(
            target=cache.Entry("thing", []).get, args=(make,))
            for _ in range(3)]
        for user in users:
            user.start()
        for user in users:
            user.join()
        self.assertEqual(len(made), 1)


class ParametersTest(Folder):
    """Wrong arguments are refused with a message that says what was expected."""

    def lab(self, *words):
        """Run the command line; (status, stderr)."""
        err = io.StringIO()
        with mock.patch("sys.stderr", err), mock.patch("sys.stdout", err):
            try:
                status = cli.main(list(words))
            except SystemExit as stop:
                status = stop.code
        return status, err.getvalue()

    def refuses(self, words, message, status=1):
        """The command line @words fails with @message."""
        got, text = self.lab(*words.split())
        self.assertEqual(got, status, text)
        self.assertRegex(text, message)

    def test_unknown_verb(self):
        self.refuses("dance", "invalid choice", 2)

    def test_no_verb(self):
        self.refuses("", "required", 2)

    def test_guest_type(self):
        self.refuses("up --guest-type hvm", "invalid choice", 2)

    def test_too_many_guests(self):
        self.refuses("up --guests 99", "expected 0 to 32")

    def test_counting_instructions_needs_pv(self):
        self.refuses("up --icount --guest-type pvh", "of type pv")

    def test_little_memory(self):
        self.refuses("up --guest-memory 16", "128 MiB or more")

    def test_kernel_of_no_suite(self):
        with self.assertRaisesRegex(LabError, "linux-image"):
            recipes.kernel_package("trixie/vim")

    def test_guest_kernel(self):
        for words in ("guest1", "guest1=", "=trixie"):
            self.refuses(f"up --guest-kernel {words}", "GUEST=KERNEL", 2)
        self.refuses("up --guest-kernel guest99=trixie", "guestK")

    def test_xen_without_version(self):
        with self.assertRaisesRegex(LabError, "trixie/4.20"):
            recipes.xen_parts("sid")

    def test_verbs_on_a_lab_that_is_down(self):
        for words in ("exec guest1 true", "reload", "guest stop 1",
                      "push /etc/hosts", "shell dom0"):
            self.refuses(words, "is not up")

    def test_down_when_down_is_fine(self):
        self.assertEqual(self.lab("down")[0], 0)

    def test_status_when_down(self):
        self.assertEqual(self.lab("status")[0], 1)

    def test_guest_numbers(self):
        self.assertEqual(domains.place("guest7"), "guest7")
        self.assertEqual(domains.place("7"), "guest7")
        for name in ("guest0", "guest33", "dom1", "", "guest1x", "-1"):
            with self.assertRaisesRegex(LabError, "guestK"):
                domains.place(name)

    def test_pull_without_path(self):
        self.refuses("pull guest1", "expected dom0:PATH")

    def test_exec_without_command(self):
        self.refuses("exec guest1 --", "no command")


class PartsTest(Folder):
    """The small makers: archives, kernels, configuration."""

    def test_initramfs_is_a_cpio_archive(self):
        path = os.path.join(self.folder, "a.cpio")
        with initramfs.Archive(path) as archive:
            archive.data("a/b/c", b"hello", 0o755)
            archive.data("d", b"x")
            archive.link("e", "d")
        with open(path, "rb") as handle:
            data = handle.read()
        self.assertEqual(len(data) % 4, 0)
        names = []
        offset = 0
        while offset < len(data):
            self.assertEqual(data[offset:offset + 6], b"070701")
            field = [int(data[offset + 6 + 8 * n:offset + 14 + 8 * n], 16)
                     for n in range(13)]
            start = offset + 110
            names.append(data[start:start + field[11] - 1].decode())
            body = start + field[11]
            body += -body % 4
            if names[-1] == "a/b/c":
                self.assertEqual(data[body:body + field[6]], b"hello")
            offset = body + field[6]
            offset += -offset % 4
        self.assertEqual(names, ["a", "a/b", "a/b/c", "d", "e", "TRAILER!!!"])

    def test_not_a_kernel(self):
        with self.assertRaisesRegex(LabError, "not a bzImage"):
            kernel.vmlinux(self.write("k", b"\0" * 4096),
                           os.path.join(self.folder, "out"))

    def test_modules_load_after_what_they_need(self):
        self.write("m/modules.dep", b"k/c.ko.xz: k/b.ko.xz k/a-x.ko.xz\n"
                   b"k/b.ko.xz: k/a-x.ko.xz\nk/a-x.ko.xz:\n")
        self.write("m/modules.builtin", b"kernel/in.ko\n")
        modules = kernel.Modules(os.path.join(self.folder, "m"))
        self.assertEqual(modules.closure(["in", "none?", "c", "a_x?"]),
                         ["k/a-x.ko.xz", "k/b.ko.xz", "k/c.ko.xz"])
        with self.assertRaisesRegex(LabError, "no module none"):
            modules.closure(["none"])

    def test_xen_keeps_vector_registers_whole(self):
        self.assertIn("spec-ctrl=eager-fpu", qemu.XEN_OPTIONS)
        self.assertIn("-erms,-fsrm", qemu.CPU)

    def command(self, **parameters):
        """The emulator's command line as one string."""
        images = {"xen": "x", "kernel": "k", "initrd": "i", "disks": []}
        return " ".join(qemu.command("/r", "/f", images, Params(**parameters),
                                     domains.NETWORK, {}))

    def test_counting_instructions_is_asked_for(self):
        line = self.command(icount=True)
        for words in ("-icount shift=0,sleep=off", "tcg,thread=single",
                      "-smp 1 ", "-cpu max,-erms,-fsrm,-x2apic ",
                      " x2apic=0 "):
            self.assertIn(words, line)
        self.assertIn("-smp 2 ", self.command(icount=True, cpus=2))

    def test_other_machines_do_not_count_instructions(self):
        line = self.command()
        for words in ("icount", "x2apic", "thread=single"):
            self.assertNotIn(words, line)
        self.assertIn("-smp 2 ", line)

    def test_counting_instructions_gives_deadlines_room(self):
        self.addCleanup(deadline.icount_room, False)
        before = deadline.scaled(2)
        deadline.icount_room(True)
        self.assertEqual(deadline.scaled(2), deadline.ICOUNT_ROOM * before)

    def test_two_hosts_share_nothing_but_the_segment(self):
        one, two = (self.command(host=host, link=link)
                    for host, link in ((1, (7, 8)), (2, (8, 7))))
        self.assertIn("local.port=7,remote.type=inet", one)
        self.assertIn("remote.host=127.0.0.1,remote.port=7", two)
        unique = [set(re.findall(r"mac=\S+|host=10[^,]+|dns=10\S+", line))
                  for line in (one, two)]
        self.assertEqual([len(found) for found in unique], [4, 4])
        self.assertFalse(unique[0] & unique[1])
        self.assertNotEqual(*(domains.address("dom0", host)
                              for host in (1, 2)))
        params = Params(host=2, link=(8, 7))
        self.assertEqual(Params(**params.as_dict()), params)

    def test_one_host_has_no_segment(self):
        self.assertNotIn("dgram", self.command())

    def test_kernels_are_as_patient_as_the_lab(self):
        for factor, words in (("1", ()), ("2", (
                "watchdog_thresh=20 ", "hung_task_timeout_secs=240 ")), ("50", (
                    "watchdog_thresh=60 ", "rcu_cpu_stall_timeout=300 "))):
            with mock.patch.dict(os.environ, XENVMC_DEADLINE_FACTOR=factor):
                for line in (self.command(dom0_options="last"),
                             domains.config("guest1", Params(
                                 guest_options="last"))):
                    for word in words:
                        self.assertIn(word, line)
                    self.assertEqual("watchdog_thresh" in line, bool(words))
                    self.assertIn(" last", line)

    def test_guests_are_pinned_apart(self):
        pins = {line for name in ("guest1", "guest2")
                for line in domains.config(name, Params()).splitlines()
                if line.startswith("cpus")}
        self.assertEqual(len(pins), 2)

    def test_pvh_guests_are_not_on_the_processor_of_dom0(self):
        for name in ("guest1", "guest2", "guest3"):
            self.assertNotIn('cpus = "0"', domains.config(
                name, Params(guest_type="pvh")).splitlines())

    def test_guest_has_its_own_kernel(self):
        params = Params(guest_kernels={"2": "bookworm", "guest3": "sid"})
        self.assertEqual(params.kernels(), ["trixie", "bookworm", "sid"])
        for name, disk in (("guest1", "vdc"), ("guest2", "vdd"),
                           ("guest3", "vde")):
            lines = domains.config(name, params).splitlines()
            self.assertIn(f'kernel = "/run/boot/{disk}/vmlinux"', lines)
            self.assertIn(f'ramdisk = "/run/boot/{disk}.cpio"', lines)
            self.assertIn(f"target=/dev/{disk}", "".join(lines))
        self.assertEqual(Params(**params.as_dict()), params)

    def test_guests_remember_who_holds_memory(self):
        self.assertIn(" lab.witness ", domains.config("guest1", Params()))
        for params in (Params(icount=True), Params(witness=False),
                       Params(guest_kernels={"1": recipes.DEBUG})):
            self.assertNotIn("witness", domains.config("guest1", params))

    def test_guests_read_the_tsc_themselves(self):
        for kind in ("pv", "pvh"):
            self.assertIn('tsc_mode = "native"', domains.config(
                "guest1", Params(guest_type=kind)))

    HISTOGRAM = """\
# trigger info: hist:keys=common_cpu,irq:held=common_timestamp.usecs-$irq_at
{ common_cpu:          0, irq:         24 } hitcount:       1203
\tmax:        250  irq:         24

Totals:
    Hits: 1203
    Entries: 1
    Dropped: 0
{ common_cpu:          1, vec:          6 } hitcount:          7
\tmax:      70100  vec:          6
{ common_cpu:          0, vec:          3 } hitcount:         90
\tmax:         90  vec:          3
    Dropped: 0
"""

    def test_interrupts_are_measured(self):
        held, number = interrupts.measured(self.HISTOGRAM)
        self.assertEqual(number, 1300)
        self.assertAlmostEqual(held, 0.0701)

    def test_interrupts_that_are_not_measured_are_an_error(self):
        for text in ("", "Totals:\n    Hits: 0\n    Dropped: 0\n",
                     self.HISTOGRAM.replace("Dropped: 0", "Dropped: 3")):
            with self.assertRaisesRegex(LabError, "interrupt"):
                interrupts.measured(text)

    def test_mirrored_sources_keep_their_times(self):
        source, target = (os.path.join(self.folder, name) for name in "st")
        kept = self.write("s/kept.c", b"1")
        self.write("s/gone.c", b"2")
        artifacts.mirror(source, target)
        self.write("t/made.o", b"3")
        before = os.stat(os.path.join(target, "kept.c")).st_mtime_ns
        os.unlink(os.path.join(source, "gone.c"))
        os.utime(kept)
        artifacts.mirror(source, target)
        after = os.stat(os.path.join(target, "kept.c")).st_mtime_ns
        self.assertEqual(before, after)
        self.assertEqual(sorted(os.listdir(target)), ["kept.c", "made.o"])

    def test_process_is_not_another_of_the_same_number(self):
        me = qemu.Process(os.getpid(), qemu.Process.start_time(os.getpid()))
        self.assertTrue(me.alive())
        self.assertFalse(qemu.Process(os.getpid(), me.started + 1).alive())

    def test_early_end_of_the_emulator_is_a_failure(self):
        lab = Lab("t", quiet=True)
        os.makedirs(lab.consoles.folder)
        self.write("build/lab/t/state.json", b'{"pid": 1, "started": 1}')
        self.write("build/lab/t/qemu.log", b"signal 15\n")
        with self.assertRaisesRegex(LabError, "ended.*signal 15"):
            lab.check()

    def test_backports_come_with_their_base(self):
        with mock.patch.object(mirror, "debian", return_value="URI"):
            lines = mirror.sources("trixie-backports")
        self.assertEqual([line.split()[3] for line in lines],
                         ["trixie", "trixie-backports"])


class ProgramTest(unittest.TestCase):
    """A program in the background and its lines."""

    def start(self, script):
        child = program.Program(["sh", "-c", script], "it")
        self.addCleanup(child.drop)
        return child

    def test_lines_come_while_it_runs(self):
        child = self.start("echo one; echo two >&2; cat; echo over; exit 3")
        self.assertTrue(child.until(lambda: len(child.lines) == 2, "2 lines"))
        self.assertEqual(child.lines, ["one", "two"])
        child.end_input()
        child.until(lambda: "over" in child.lines, "the last line")
        self.assertEqual(child.wait(), 3)

    def test_an_end_ends_the_wait(self):
        child = self.start("echo words")
        with self.assertRaisesRegex(CommandFailed, "it ended before x.*words"):
            child.until(lambda: len(child.lines) > 1, "x")

    def test_silence_has_a_deadline(self):
        child = self.start("exec cat")
        with self.assertRaisesRegex(Timeout, "it: x: not within"):
            child.until(lambda: child.lines, "x", 0.1)

    def test_a_console_that_fails_ends_the_wait(self):
        def watch():
            raise LabError("an oops")
        child = program.Program(["cat"], "it", watch=watch)
        self.addCleanup(child.drop)
        with self.assertRaisesRegex(LabError, "an oops"):
            child.until(lambda: child.lines, "x")


class TapTest(unittest.TestCase):
    """What the tests print, and their exit status."""

    class Two(unittest.TestCase):
        """The tests that are run."""

        def test_good(self):
            """Passes."""

        def test_bad(self):
            """Fails."""
            self.fail("on purpose")

    class Left(unittest.TestCase):
        """What it leaves is wrong, too."""

        def tearDown(self):
            self.fail("left over")

        def test_bad(self):
            """Fails."""
            self.fail("on purpose")

    def say(self, *names, case=Two):
        """(exit status, lines) of a run."""
        with mock.patch("sys.stdout", io.StringIO()) as out:
            return tap.run([case], names), out.getvalue().splitlines()

    def test_only_those_named_run(self):
        status, lines = self.say("test_good")
        self.assertEqual(status, 0)
        self.assertEqual(lines[1], "1..1")
        self.assertRegex(lines[2], "^ok 1 .*test_good")

    def test_a_failure_is_told(self):
        status, lines = self.say()
        self.assertEqual(status, 1)
        self.assertEqual(lines[1], "1..2")
        self.assertRegex("\n".join(lines), "(?m)^not ok . .*test_bad")

    def test_a_test_is_one_line(self):
        status, lines = self.say(case=self.Left)
        self.assertEqual(status, 1)
        self.assertEqual([x.split()[0] for x in lines if x[0] != "#"],
                         ["TAP", "1..1", "not"])
        told = "\n".join(lines)
        self.assertLess(told.index("on purpose"), told.index("left over"))

    def test_an_unknown_name_fails(self):
        status, lines = self.say("test_good", "test_other")
        self.assertEqual(status, 2)
        self.assertEqual(lines, ["Bail out! no such test: test_other"])


class BootTest(unittest.TestCase):
    """What needs a machine: all verbs, once each, on one lab."""

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.mine = not cls.lab.running()
        if cls.mine:
            cls.lab.up()

    @classmethod
    def tearDownClass(cls):
        if cls.mine:
            cls.lab.down()

    def shell(self, *words, **kwargs):
        """Run the command-line tool."""
        return subprocess.run([os.path.join(HERE, "lab"), "-q"] + list(words),
                              capture_output=True, check=False, **kwargs)

    def test_status_and_streams_pass_through(self):
        done = self.shell("exec", "guest1", "--", "sh", "-c",
                          "cat; echo err >&2; exit 7", input=b"in\0put")
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (7, b"in\0put", b"err\n"))

    def test_arguments_are_passed_exactly(self):
        words = ["a b", "'", '"', "$HOME", "*", "\\", ""]
        done = self.lab.exec("guest1", ["printf", "%s\n"] + words)
        self.assertEqual(done.stdout.split("\n")[:-1], words)

    def test_guests_reach_each_other(self):
        self.lab.exec("guest1", "ping -c 1 -W 20 guest2", check=True)

    def test_endless_command_times_out(self):
        with self.assertRaises(Timeout):
            self.lab.exec("guest1", ["cat", "/dev/zero"], timeout=1)

    def test_push_and_pull(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "data")
            with open(path, "wb") as handle:
                handle.write(os.urandom(100000))
            self.lab.push(path)
            self.lab.push([path], "guest1:/opt/new")
            back = os.path.join(folder, "back")
            for where, inner in (("dom0", "/root/data"),
                                 ("guest2", "/root/data"),
                                 ("guest1", "/opt/new/data")):
                os.makedirs(back, exist_ok=True)
                self.lab.pull(where, inner, back)
                with open(path, "rb") as old, \
                        open(os.path.join(back, "data"), "rb") as new:
                    self.assertEqual(old.read(), new.read())

    def test_planted_oops_fails_the_command(self):
        mark = self.lab.mark()
        line = "<1>BUG: planted by the test of the lab"
        with self.assertRaisesRegex(ConsoleFailure, "guest1 .*planted"):
            self.lab.exec("guest1", f"echo '{line}' > /dev/kmsg; cat",
                          input="x", timeout=30)
            deadline.wait_until(lambda: self.lab.check(mark), 10, "planted")

    def test_server_is_awaited(self):
        pid = self.lab.start_server("guest1", "nc -l -k 7123", 7123)
        self.lab.exec("guest2", "nc -z guest1 7123", check=True)
        self.lab.exec("guest1", f"kill {pid}", check=True)

    def test_server_that_ends_is_an_error(self):
        with self.assertRaisesRegex(LabError, "no such thing"):
            self.lab.start_server("guest1", "echo no such thing", 7124)

    def test_save_and_restore_keep_the_guest(self):
        before = self.lab.domid("guest2")
        self.lab.exec("guest2", "echo kept > /run/kept", check=True)
        self.lab.guest_save("guest2")
        self.assertNotIn("guest2", self.lab.guests_running())
        self.lab.guest_restore("guest2")
        self.assertNotEqual(self.lab.domid("guest2"), before)
        done = self.lab.exec("guest2", "cat /run/kept", check=True)
        self.assertEqual(done.stdout, "kept\n")

    def test_input_arrives_whole_at_a_slow_reader(self):
        done = self.lab.exec("guest1", "sleep 2; wc -c",
                             input=b"x" * 4000000, text=False, check=True)
        self.assertEqual(int(done.stdout), 4000000)

    def test_program_is_heard_and_ends_with_its_input(self):
        child = self.lab.start("guest1", "echo first; cat; echo last")
        child.until(lambda: child.lines == ["first"], "the first line")
        child.end_input()
        child.until(lambda: child.lines == ["first", "last"], "the last line")
        self.assertEqual(child.wait(), 0)

    def test_stop_and_start(self):
        self.lab.guest_stop("guest2")
        self.assertNotIn("guest2", self.lab.guests_running())
        self.lab.guest_start("guest2")
        self.assertIn("guest2", self.lab.guests_running())


def main():
    """Run the tests that were asked for."""
    if set(sys.argv[1:]) - {"--boot"}:
        sys.exit("usage: test_lab.py [--boot]")
    cases = [ConsoleTest, DeadlineTest, CacheTest, ParametersTest, PartsTest,
             ProgramTest, LeaksTest, HeldTest, TapTest]
    if "--boot" in sys.argv:
        cases.append(BootTest)
    return tap.run(cases)


if __name__ == "__main__":
    sys.exit(main())
