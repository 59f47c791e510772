# SPDX-License-Identifier: GPL-2.0
"""The emulated machine: its command line, its process, its network ports."""
import math
import os
import signal
import socket
import subprocess

from . import deadline
from .errors import LabError

# eager-fpu: with Xen's lazy FPU switching the emulator corrupts vector
# registers, and with them every copy and comparison in the guests.
XEN_OPTIONS = ("console=com1 com1=115200,8n1 dom0_max_vcpus=1 "
               "loglvl=warning guest_loglvl=warning conring_size=1M "
               "spec-ctrl=eager-fpu")

# With ERMS and FSRM kernels copy by "rep movsb", which is emulated by byte.
CPU = "max,-erms,-fsrm"

# Counting instructions, one is one nanosecond for all inside. With x2APIC in
# the CPU or in Xen the emulator ends there with "Bad icount read".
ICOUNT_CPU = CPU + ",-x2apic"
ICOUNT_XEN = "x2apic=0"


def free_ports(count, kind=socket.SOCK_STREAM):
    """@count local ports that were free a moment ago."""
    held = [socket.socket(type=kind) for _ in range(count)]
    try:
        for item in held:
            item.bind(("127.0.0.1", 0))
        return [item.getsockname()[1] for item in held]
    finally:
        for item in held:
            item.close()


def _clock(icount):
    """How processors run: by the host's clock, or counting instructions."""
    if not icount:
        return ["-cpu", CPU, "-accel", "tcg,thread=multi,tb-size=1024"]
    return ["-cpu", ICOUNT_CPU, "-icount", "shift=0,sleep=off",
            "-accel", "tcg,thread=single,tb-size=1024"]


def _machine(root, cpus, memory, disks, icount=False):
    """What all machines have in common. @root: the unpacked QEMU."""
    libraries = os.path.join(root, "usr/lib/x86_64-linux-gnu")
    argv = [os.path.join(root, "usr/lib64/ld-linux-x86-64.so.2"),
            "--library-path", libraries,
            os.path.join(root, "usr/bin/qemu-system-x86_64"),
            "-L", os.path.join(root, "usr/share/qemu"),
            "-L", os.path.join(root, "usr/share/seabios"),
            "-name", "xenvmc-lab",
            "-machine", "q35", "-smp", str(cpus)] + _clock(icount) + [
            "-m", str(memory), "-nodefaults", "-no-reboot",
            "-display", "none", "-monitor", "none"]
    for disk in disks:
        argv += ["-drive",
                 f"file={disk},if=virtio,format=raw,snapshot=on,cache=unsafe"]
    return argv


def bare(root, kernel, initrd, disks):
    """The command line of a machine without Xen, its console on stdout. Words
    that a kernel does not know are its first process's environment."""
    return _machine(root, 2, 512, disks) + [
        "-serial", "stdio", "-kernel", kernel, "-initrd", initrd,
        "-append", "console=ttyS0 loglevel=5 rdinit=/init "
                   f"{deadline.watchdogs()}"
                   f"XENVMC_DEADLINE_FACTOR={math.ceil(deadline.factor())}"]


def command(root, folder, images, parameters, network, ports):
    """The command line. @root: the unpacked QEMU, @folder: the lab's own,
    @images: {xen, kernel, initrd, disks}, @ports: {address: local port}."""
    # Nothing shares a processor with dom0: see domains._pin()
    pin = "dom0_vcpus_pin " if parameters.guest_type == "pvh" else ""
    forwards = "".join(f",hostfwd=tcp:127.0.0.1:{port}-{address}:22"
                       for address, port in ports.items())
    # A comma separates modules in -initrd; one in a word must be doubled.
    dom0 = parameters.dom0_options.replace(",", ",,")
    counting = f"{ICOUNT_XEN} " if parameters.icount else ""
    argv = _machine(root, parameters.cpus, parameters.memory, images["disks"],
                    parameters.icount)
    argv += ["-serial", f"file:{folder}/share/console/xen.log",
             "-kernel", images["xen"],
             "-append", f"{XEN_OPTIONS} {counting}{pin}"
                        f"dom0_mem={parameters.dom0_memory}M,"
                        f"max:{parameters.dom0_memory}M "
                        f"{parameters.xen_options}".strip(),
             "-initrd", f"{images['kernel']} console=hvc0 loglevel=5 "
                        f"rdinit=/init net.ifnames=0 {deadline.watchdogs()}"
                        f"{dom0}".strip()
                        + f",{images['initrd']}",
             "-virtfs", f"local,path={folder}/share,mount_tag=lab,"
                        "security_model=none,id=lab,multidevs=remap",
             "-netdev", f"user,id=n0,restrict=on,net={network},"
                        f"{_own_addresses(parameters.host)}{forwards}",
             "-device", "virtio-net-pci,netdev=n0,romfile=,"
                        f"mac=52:54:00:77:00:{parameters.host:02x}"]
    return argv + _link(parameters)


def _own_addresses(host):
    """What the emulator answers for itself: all hosts share one segment."""
    return f"host=10.77.0.{2 * host},dns=10.77.0.{2 * host + 1}"


def _link(parameters):
    """The segment that two hosts share."""
    if not parameters.link:
        return []
    own, other = parameters.link
    ends = (("local", own), ("remote", other))
    return ["-netdev", "dgram,id=n1," + ",".join(
                f"{end}.type=inet,{end}.host=127.0.0.1,{end}.port={port}"
                for end, port in ends),
            "-device", "virtio-net-pci,netdev=n1,romfile=,"
                       f"mac=52:54:00:77:01:{parameters.host:02x}"]


class Process:
    """A process known by its number and start time: a number is reused."""

    def __init__(self, pid, started):
        self.pid = pid
        self.started = started

    @staticmethod
    def start_time(pid):
        """When the kernel started @pid, in its ticks; None if it is gone."""
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8",
                      errors="replace") as handle:
                fields = handle.read().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] == "Z" else int(fields[19])

    @classmethod
    def launch(cls, argv, log):
        """Start @argv apart from the caller's terminal and session."""
        environment = dict(os.environ, TMPDIR=os.path.dirname(log))
        with open(log, "ab") as handle:
            child = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                     stdout=handle, stderr=handle,
                                     env=environment, start_new_session=True)
        return cls(child.pid, cls.start_time(child.pid))

    def alive(self):
        """Whether it is still that process that runs."""
        return self.started is not None \
            and self.start_time(self.pid) == self.started

    def end(self):
        """End it and wait until it is gone."""
        if not self.alive():
            return
        os.kill(self.pid, signal.SIGKILL)
        deadline.wait_until(lambda: not self.alive(), 20,
                            f"end of process {self.pid}", 0.02)


def check_paths(*paths):
    """QEMU's options are separated by commas and spaces: refuse such paths."""
    for path in paths:
        if set(path) & set(", \t\n"):
            raise LabError(f"{path}: the lab's folders may hold neither "
                           "commas nor blanks in their names")
