# SPDX-License-Identifier: GPL-2.0
"""A lab: one emulated machine with Xen, dom0 and guests, and what is done to it.

A lab lives in a folder (build/lab/NAME): the host's key, logs, and share/,
which dom0 sees as /lab. state.json says what runs. Several processes may use
a lab at once; up, down and the verbs on guests exclude each other by a lock.
"""
import concurrent.futures
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from . import (artifacts, cache, console, deadline, domains, initramfs,
               kernel, program, qemu, recipes, ssh, tree)
from .errors import CommandFailed, ConsoleFailure, LabError, Timeout
from .params import Params

REPO = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
FILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "files")

DOM0_MODULES = ["virtio_pci", "virtio_blk", "virtio_net", "crc32c_generic?",
                "ext4", "9p", "9pnet_virtio"]
GUEST_MODULES = ["xen-blkfront", "xen-netfront", "crc32c_generic?", "ext4",
                 "overlay"]

Result = subprocess.CompletedProcess


def build_folder():
    """Where everything is built (XENVMC_BUILD, build/ of the repository)."""
    return os.path.abspath(os.environ.get("XENVMC_BUILD")
                           or os.path.join(REPO, "build"))


class Lab:
    """One lab by name. Any number of objects may stand for the same lab."""

    def __init__(self, name=None, quiet=False):
        self.name = name or os.environ.get("XENVMC_LAB") or "default"
        self.folder = os.path.join(build_folder(), "lab", self.name)
        self.share = os.path.join(self.folder, "share")
        self.consoles = console.Watcher(os.path.join(self.share, "console"))
        self.quiet = quiet
        self.begin = time.monotonic()
        if self.running():
            deadline.icount_room(self.params().icount)

    def say(self, text):
        """Progress for people, with elapsed seconds."""
        if not self.quiet:
            elapsed = time.monotonic() - self.begin
            print(f"[{elapsed:6.1f}] lab: {text}", file=sys.stderr,
                  flush=True)

    # -- state ---------------------------------------------------------------

    def _state_path(self):
        return os.path.join(self.folder, "state.json")

    def state(self):
        """What state.json says, or None if the lab was never up."""
        try:
            with open(self._state_path(), encoding="utf-8") as handle:
                return json.load(handle)
        except FileNotFoundError:
            return None

    def _save_state(self, state):
        with open(self._state_path() + ".new", "w",
                  encoding="utf-8") as handle:
            json.dump(state, handle, indent=1)
        os.rename(self._state_path() + ".new", self._state_path())

    def _need_state(self):
        state = self.state()
        if not state:
            raise LabError(f"lab {self.name} is not up")
        return state

    def process(self):
        """The emulator's process, or None."""
        state = self.state()
        return qemu.Process(state["pid"], state["started"]) if state else None

    def running(self):
        """Whether the emulator runs."""
        process = self.process()
        return bool(process and process.alive())

    def params(self):
        """The parameters that the lab was brought up with."""
        return Params(**self._need_state()["params"])

    def _locked(self):
        return cache.locked(os.path.join(self.folder, "lock"))

    # -- watching ------------------------------------------------------------

    def mark(self):
        """A position in all consoles, for check()."""
        return self.consoles.mark()

    def findings(self, since=None):
        """Bad console lines since a mark (default: since up)."""
        return self.consoles.findings(since)

    def check(self, since=None):
        """Raise ConsoleFailure naming the first bad console line, and
        LabError if the emulator ended; @since as in findings()."""
        found = self.findings(since)
        if found:
            more = f" (and {len(found) - 1} more)" if found[1:] else ""
            raise ConsoleFailure(console.describe(found[0]) + more)
        if not self.running():
            log = os.path.join(self.folder, "qemu.log")
            said = tree.tail(log, 1) if os.path.exists(log) else ""
            raise LabError(f"the emulator ended, see {log}: "
                           + (said or "it said nothing"))

    # -- up and down ---------------------------------------------------------

    def _collect(self, params):
        """All trees and images; those that are absent are made."""
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            tools = [pool.submit(recipes.build, kernel, self.say)
                     for kernel in params.kernels()]
            dom0 = pool.submit(recipes.dom0, params.xen, self.say)
            guest = pool.submit(recipes.guest, params.guest_suite,
                                params.packages, self.say)
            emulator = pool.submit(recipes.qemu, self.say)
            kernels = [(each.result(), recipes.kernel(each.result(), self.say))
                       for each in tools]
            return {"tools": kernels[0][0], "dom0": dom0.result(),
                    "guest": guest.result(), "qemu": emulator.result(),
                    "kernel": kernels[0][1], "kernels": kernels}

    def prepare(self, params=None):
        """Make all trees and images that are absent; boot nothing. Returns
        them: tools, dom0, guest, qemu, kernel; kernels has (tools, kernel)
        of each in use, dom0's first, from where those two are."""
        return self._collect(params or Params())

    def build(self, params=None):
        """Build the modules and tools for the guests' kernels."""
        params = params or (Params(**self.state()["params"]) if self.state()
                            else Params())
        return artifacts.build(REPO, build_folder(), params, self.say)

    def _fill_share(self, params, parts):
        for name in ("boot", "bin", "console", "guests", "out", "opt"):
            os.makedirs(os.path.join(self.share, name))
        for name in os.listdir(FILES):
            shutil.copy2(os.path.join(FILES, name),
                         os.path.join(self.share, "bin"))
        ssh.make_key(self.folder)
        shutil.copy(os.path.join(self.folder, "key.pub"), self.share)
        with open(os.path.join(self.share, "hosts"), "w",
                  encoding="utf-8") as handle:
            handle.write(domains.hosts(max(params.guests, 8), params.host))
        self._dom0_initramfs(parts)

    def _dom0_initramfs(self, parts):
        path = os.path.join(self.folder, "dom0.cpio")
        with initramfs.Archive(path) as archive:
            early(archive, parts, os.path.join(FILES, "dom0-init"),
                  DOM0_MODULES)

    def _guest_initramfs(self, parts, params):
        """The guests' initramfs for each kernel, with the present modules and
        tools; and those of dom0."""
        artifacts.collect(build_folder(), recipes.kernel_version(
            parts["tools"]), os.path.join(self.share, "opt"),
                          recipes.xen_parts(params.xen)[0])
        for number, (tools, _) in enumerate(parts["kernels"]):
            opt = self._opt(number)
            artifacts.collect(build_folder(), recipes.kernel_version(tools),
                              opt, params.guest_suite)
            path = os.path.join(self.share, "boot",
                                domains.kernel_disk(number) + ".cpio")
            with initramfs.Archive(path + ".new") as archive:
                early(archive, dict(parts, tools=tools),
                      os.path.join(FILES, "guest-init"), GUEST_MODULES)
                self._guest_overlay(archive, tools, opt)
            os.rename(path + ".new", path)
        for number in range(1, max(params.guests, 8) + 1):
            self._write_config(f"guest{number}", params)

    def _opt(self, number):
        """What guests with that kernel have in /opt/xenvmc."""
        return os.path.join(self.share, "opt-" + domains.kernel_disk(number))

    def _guest_overlay(self, archive, tools, opt):
        """What is laid over the guests' disk."""
        top = "overlay/"
        version = recipes.kernel_version(tools)
        archive.folder(f"{top}usr/lib/modules/{version}")
        archive.folder(f"{top}etc/dropbear")
        archive.file(f"{top}etc/hosts", os.path.join(self.share, "hosts"))
        for inner, name in (("lab/guest-rc", "guest-rc"),
                            ("etc/inittab", "guest-inittab")):
            archive.file(top + inner, os.path.join(FILES, name))
        archive.folder(f"{top}root", 0o700)
        archive.folder(f"{top}root/.ssh", 0o700)
        with open(os.path.join(self.share, "key.pub"), "rb") as handle:
            archive.data(f"{top}root/.ssh/authorized_keys", handle.read(),
                         0o600)
        for name in ("poweroff", "reboot"):
            archive.link(f"{top}usr/sbin/{name}", "/bin/busybox")
        archive.tree(f"{top}opt/xenvmc", opt)
        for name in os.listdir(os.path.join(opt, "tools")):
            archive.link(f"{top}usr/bin/{name}", f"/opt/xenvmc/tools/{name}")

    def _write_config(self, name, params, more=""):
        path = os.path.join(self.share, "guests", f"{name}.cfg")
        with open(path, "w", encoding="utf-8") as handle:
            handle.write(domains.config(name, params) + more)

    def up(self, params=None):
        """Boot Xen, dom0 and the guests; return when all answer."""
        params = params or Params()
        qemu.check_paths(self.folder, cache.root())
        os.makedirs(self.folder, exist_ok=True)
        with self._locked():
            if self.running():
                raise LabError(f"lab {self.name} is up already")
            deadline.icount_room(params.icount)
            parts = self._collect(params)
            cache.remove_tree(self.share)
            self._fill_share(params, parts)
            self._guest_initramfs(parts, params)
            if not glob.glob(os.path.join(self._opt(0), "*.ko")):
                self.say("no modules are built: the guests have none "
                         "(lab build)")
            try:
                self._boot(params, parts)
                self._start_guests([f"guest{number + 1}"
                                    for number in range(params.guests)])
            except BaseException:
                self._down()
                raise
        self.say("up")

    def _boot(self, params, parts):
        names = ["dom0"] + [f"guest{number + 1}"
                            for number in range(max(params.guests, 8))]
        ports = dict(zip(names, qemu.free_ports(len(names))))
        argv = qemu.command(
            parts["qemu"].path, self.folder,
            {"xen": parts["dom0"].file("xen"),
             "kernel": parts["kernel"].file("vmlinux"),
             "initrd": os.path.join(self.folder, "dom0.cpio"),
             "disks": [parts["dom0"].file("dom0.ext4"),
                       parts["guest"].file("guest.ext4")]
                      + [linux.file("modules.ext4")
                         for _, linux in parts["kernels"]]},
            params, domains.NETWORK,
            {domains.address(name, params.host): port
             for name, port in ports.items()})
        log = os.path.join(self.folder, "qemu.log")
        open(log, "w", encoding="utf-8").close()
        self.say("starting the machine")
        process = qemu.Process.launch(argv, log)
        self._save_state({"pid": process.pid, "started": process.started,
                          "ports": ports, "params": params.as_dict(),
                          "versions": [recipes.kernel_version(tools)
                                       for tools, _ in parts["kernels"]],
                          "argv": argv})
        ready = os.path.join(self.share, "out", "dom0.ready")
        deadline.wait_until(lambda: os.path.exists(ready), 120,
                            "dom0 did not report ready", watch=self._boots)
        self.say("dom0 is ready")
        self._connect("dom0")

    def _boots(self):
        failed = os.path.join(self.share, "out", "dom0.failed")
        if os.path.exists(failed):
            with open(failed, encoding="utf-8") as handle:
                raise LabError(handle.read().strip())
        self.check()

    def down(self):
        """End the machine. Nothing of it stays but logs."""
        if not os.path.isdir(self.folder):
            return
        with self._locked():
            self._down()

    def _down(self):
        state = self.state()
        if not state:
            return
        for name in state["ports"]:
            if os.path.exists(os.path.join(self.folder, f"ssh-{name}")):
                self._channel(name).close()
        self.process().end()
        os.rename(self._state_path(),
                  os.path.join(self.folder, "state.last.json"))

    # -- commands ------------------------------------------------------------

    def _channel(self, name):
        ports = self._need_state()["ports"]
        name = domains.place(name)
        if name not in ports:
            raise LabError(f"{name}: this lab has {', '.join(ports)}")
        return ssh.Channel(self.folder, name, ports[name])

    def _connect(self, name, seconds=60):
        """Wait for the command channel of a domain."""
        channel = self._channel(name)
        mark = self.mark()
        deadline.wait_until(channel.open, seconds,
                            f"{name} does not answer",
                            watch=lambda: self.check(mark))
        return channel

    def exec(self, where, argv, input=None, timeout=60, check=False,
             text=True, watch=True):
        """Run a command in a domain and return its subprocess result.

        @argv: a list is passed exactly, a string is a shell command line.
        @timeout in seconds, scaled. A bad console line that appears
        meanwhile raises ConsoleFailure unless @watch is false. @check: a
        non-zero exit status raises CommandFailed.
        """
        # pylint: disable=redefined-builtin,too-many-arguments
        channel = self._connect(where)
        command = channel.command(argv)
        mark = self.mark()
        with _as_file(input) as stdin, \
                subprocess.Popen(command, cwd=self.folder, stdin=stdin,
                                 stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=text) as child:
            try:
                out, err = self._communicate(
                    child, deadline.Deadline(timeout),
                    mark if watch else None, f"{where}: {argv}")
            except BaseException:
                child.kill()
                raise
        result = Result(argv, child.returncode, out, err)
        if watch:
            self.check(mark)
        if check and result.returncode:
            raise CommandFailed(f"{where}: {argv} failed with status "
                                f"{result.returncode}: {err or out}".strip())
        return result

    def _communicate(self, child, limit, mark, what):
        while True:
            try:
                return child.communicate(timeout=min(0.5,
                                                     limit.left() + 0.01))
            except subprocess.TimeoutExpired:
                pass
            if mark is not None:
                self.check(mark)
            if limit.passed():
                raise Timeout(f"{what}: no end within {limit.seconds:.0f} s")

    def exec_through(self, where, argv, timeout=None, terminal=False):
        """Run a command on the caller's own stdin, stdout and stderr; return
        its exit status. Raises as exec() does."""
        channel = self._connect(where)
        mark = self.mark()
        limit = deadline.Deadline(timeout) if timeout else None
        with subprocess.Popen(channel.command(argv, terminal),
                              cwd=self.folder) as child:
            try:
                while True:
                    try:
                        status = child.wait(timeout=0.3)
                        break
                    except subprocess.TimeoutExpired:
                        self.check(mark)
                    if limit and limit.passed():
                        raise Timeout(f"{where}: no end within "
                                      f"{limit.seconds:.0f} s")
            except BaseException:
                child.kill()
                raise
        self.check(mark)
        return status

    def start(self, where, argv):
        """Start a command in a domain; returns its program.Program, which
        stands for it as long as the channel does."""
        channel = self._connect(where)
        mark = self.mark()
        return program.Program(channel.command(argv), f"{where}: {argv}",
                               self.folder, lambda: self.check(mark))

    # -- files ---------------------------------------------------------------

    def push(self, paths, target=None):
        """Copy files and folders to "WHERE:DIR", by default /root of dom0
        and of all running guests."""
        paths = [paths] if isinstance(paths, str) else list(paths)
        if target:
            where, _, folder = target.partition(":")
            targets = [(where, folder or "/root")]
        else:
            targets = [(name, "/root") for name in
                       ["dom0"] + self.guests_running()]
        pack = ["tar", "-c", "--owner=0", "--group=0"]
        for path in paths:
            if not os.path.exists(path):
                raise LabError(f"push: {path}: no such file")
            path = os.path.abspath(path)
            pack += ["-C", os.path.dirname(path), os.path.basename(path)]
        data = subprocess.run(pack, stdout=subprocess.PIPE, check=True).stdout
        for where, folder in targets:
            self.exec(where, 'mkdir -p "$1" && exec tar -x -C "$1"'.replace(
                "$1", folder), input=data, text=False, check=True,
                timeout=120)

    def pull(self, where, path, folder="."):
        """Copy a file or folder of a domain into a local folder."""
        parent, name = os.path.split(path.rstrip("/"))
        done = self.exec(where, ["tar", "-c", "-C", parent or "/", name],
                         text=False, check=True, timeout=120)
        subprocess.run(["tar", "-x", "--no-same-owner", "-C", folder],
                       input=done.stdout, check=True)

    # -- guests --------------------------------------------------------------

    def guests_running(self):
        """Names of the guests that Xen runs now."""
        done = self.exec("dom0", ["xl", "list"], check=True)
        names = [line.split()[0] for line in done.stdout.splitlines()[1:]]
        return sorted((name for name in names if name.startswith("guest")),
                      key=domains.guest_number)

    def domid(self, name):
        """The present domain id of a guest."""
        done = self.exec("dom0", ["xl", "domid", domains.place(name)],
                         check=True)
        return int(done.stdout)

    def guestctl(self, verb, names, seconds):
        """Have dom0's script do something to guests, see there."""
        done = self.exec("dom0", ["/lab/bin/guestctl", verb] + names,
                         timeout=seconds)
        if done.returncode:
            raise CommandFailed(f"guest {verb} {' '.join(names)} failed with "
                                f"status {done.returncode}: "
                                + (done.stderr or done.stdout).strip())

    def _start_guests(self, names):
        if not names:
            return
        self.guestctl("start", names, 60 + 30 * len(names))
        for name in names:
            self._connect(name)
        self.say("ready: " + ", ".join(names))

    def guest_start(self, *names, more=""):
        """Create guests and wait until each answers. @more: lines added to
        the xl configuration, for this start only."""
        names = [domains.place(name) for name in names]
        with self._locked():
            for name in names:
                self._channel(name).close()
                self._write_config(name, self.params(), more)
            self._start_guests(names)

    def guest_stop(self, name):
        """Ask a guest to power off and wait until it is gone."""
        with self._locked():
            self.guestctl("stop", [domains.place(name)], 60)
            self._channel(name).close()

    def guest_destroy(self, *names):
        """End guests at once; those that do not run are no error."""
        with self._locked():
            self._destroy([domains.place(name) for name in names])

    def _destroy(self, names):
        for name in names:
            self._channel(name).close()
        if names:
            self.guestctl("destroy", names, 60)

    def guest_save(self, name):
        """Save a guest to dom0's disk; it does not run any more then."""
        with self._locked():
            self.guestctl("save", [domains.place(name)], 60)

    def guest_restore(self, name):
        """Bring a saved guest back and wait until it answers."""
        with self._locked():
            self.guestctl("restore", [domains.place(name)], 90)
            self.await_answer(name)

    def await_answer(self, name):
        """Wait for a guest that was away. The command channel goes on with it,
        or is made anew, which ends all that was started through it, so not
        early: TCP waits twice as long from one attempt to the next, and the
        first ones come before the guest has its network back."""
        try:
            if self.exec(name, ["true"], timeout=120).returncode == 0:
                return
        except Timeout:
            pass
        self._channel(name).close()
        self._connect(name)

    def reload(self):
        """Rebuild modules and tools; have the guests as they are after their
        start, with the new ones.

        The first time they are started anew, and kept. To bring back what was
        kept takes a third of the time, and goes on while the build does.
        """
        params = self.params()
        with self._locked():
            names = sorted(
                {f"guest{number + 1}" for number in range(params.guests)}
                | set(self.guests_running()), key=domains.guest_number)
            state = self._need_state()
            if state.get("kept") == names:
                self._destroy(names)
                with concurrent.futures.ThreadPoolExecutor(1) as pool:
                    revived = pool.submit(self.guestctl, "revive", names,
                                          30 * len(names))
                    self._rebuild(params)
                revived.result()
                self._furnish(names)
                return
            self._rebuild(params)
            self._destroy(names)
            self._start_guests(names)
            # What dom0's disk has room for, of half of their memory
            if len(names) * params.guest_memory <= 1600:
                self._keep(names)
                self._save_state(dict(state, kept=names))
                self.say("kept for the next time")

    def _rebuild(self, params):
        self.build(params)
        self.say("built")
        self._guest_initramfs(self._collect(params), params)

    def _keep(self, names):
        """Keep guests without what is built: none comes back with the old."""
        for name in names:
            self.exec(name, "rm -rf /opt/xenvmc", check=True)
        self.guestctl("keep", names, 30 * len(names))
        self._furnish(names)

    def _furnish(self, names):
        """Give to guests that were kept what was built."""
        for name in names:
            opt = self._opt(self.params().kernel_number(name))
            new = [os.path.join(opt, item) for item in os.listdir(opt)]
            self._connect(name)
            self.push(new, f"{name}:/opt/xenvmc")
            self.exec(name, "ln -sf /opt/xenvmc/tools/* /usr/bin/", check=True)
        self.say("ready: " + ", ".join(names))

    # -- services ------------------------------------------------------------

    def start_server(self, where, argv, port, timeout=30, log=None):
        """Start a program in a domain in the background and wait until a
        socket listens on TCP @port there. Returns its process id."""
        log = log or f"/tmp/server-{port}.log"
        line = argv if isinstance(argv, str) else ssh.shlex.join(argv)
        start = f"setsid sh -c {ssh.shlex.quote('exec ' + line)} " \
                f"</dev/null >{log} 2>&1 & echo $!"
        pid = int(self.exec(where, start, check=True).stdout)
        pattern = f":{port:04X} 0*:0000 0A"
        ask = f"kill -0 {pid} && cat /proc/net/tcp /proc/net/tcp6 | " \
              f"grep -q ' [0-9A-F]*{pattern} '"

        def listening():
            done = self.exec(where, ask)
            if done.returncode and self.exec(
                    where, f"kill -0 {pid}").returncode:
                told = self.exec(where, ["cat", log]).stdout
                raise CommandFailed(f"{where}: {line} ended: {told.strip()}")
            return done.returncode == 0
        deadline.wait_until(listening, timeout,
                            f"{where}: no listener on port {port}")
        return pid


def _as_file(data):
    """@data as a file to read from: communicate() writes no more of its input
    once it has timed out."""
    if data is None:
        return open(os.devnull, "rb")
    handle = tempfile.TemporaryFile()
    handle.write(data.encode() if isinstance(data, str) else data)
    handle.seek(0)
    return handle


def early(archive, parts, init, names):
    """The part of an initramfs that all machines share: the file @init, a
    shell, and the modules that @names need, in an order that loads."""
    version = recipes.kernel_version(parts["tools"])
    modules = kernel.Modules(parts["tools"].file("usr/lib/modules", version))
    for folder in ("bin", "dev", "proc", "sys", "root", "lab"):
        archive.folder(folder)
    archive.device("dev/console", 5, 1)
    archive.file("bin/busybox", parts["dom0"].file("busybox"))
    archive.file("init", init)
    order = []
    for path in modules.closure(names):
        plain = os.path.basename(path).split(".ko")[0] + ".ko"
        archive.data("modules/" + plain, modules.read(path))
        order.append(plain + "\n")
    archive.data("modules/list", "".join(order).encode())
