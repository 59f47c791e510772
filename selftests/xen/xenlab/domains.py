# SPDX-License-Identifier: GPL-2.0
"""Names, addresses and xl configuration of the domains of a lab."""
import re

from . import deadline, recipes
from .errors import LabError

NETWORK = "10.77.0.0/24"
MAX_GUESTS = 32


def guest_number(name):
    """The K of "guestK" or "K"; a LabError for anything else."""
    match = re.fullmatch(r"(?:guest)?([1-9][0-9]?)", str(name))
    if not match or int(match.group(1)) > MAX_GUESTS:
        raise LabError(f"{name}: expected guestK with K from 1 to "
                       f"{MAX_GUESTS}")
    return int(match.group(1))


def place(name):
    """"dom0" or "guestK", checked."""
    return name if name == "dom0" else f"guest{guest_number(name)}"


def address(name, host=1):
    """The fixed IPv4 address of a domain. @host: of two, dom0's."""
    if name == "dom0":
        return f"10.77.0.{9 + host}"
    return f"10.77.0.{100 + guest_number(name)}"


def address6(name):
    """The fixed IPv6 address of a guest."""
    return f"fd77::{100 + guest_number(name)}"


def mac(name):
    """The fixed MAC address of a guest."""
    return f"00:16:3e:77:00:{guest_number(name):02x}"


def hosts(count, host=1):
    """/etc/hosts of every domain."""
    names = ["dom0"] + [f"guest{k}" for k in range(1, count + 1)]
    return "127.0.0.1 localhost\n" + "".join(
        f"{address(name, host)} {name}\n" for name in names)


def kernel_disk(number):
    """dom0's name for the disk of a kernel with its modules. The first two are
    dom0's own and that of the guests' userland."""
    return f"vd{chr(ord('c') + number)}"


def _pin(number, pvh, cpus):
    """The processor of a guest. Without pinning Xen may run two guests on the
    same one. The first is dom0's: a PVH guest beside it, under the emulator,
    now and then finds its IDT unmapped when Xen injects an event (a triple
    fault with CR2 in the IDT, once in some ten thousand exits)."""
    if pvh and cpus > 1:
        return 1 + (number - 1) % (cpus - 1)
    return number % cpus


def _witness(name, parameters):
    """A word for a guest that can tell who holds its memory (held.py). The
    sanitizer kernel can by itself: it has kmemleak, but no probes."""
    if not parameters.witness or \
            parameters.guest_kernels.get(place(name)) == recipes.DEBUG:
        return ""
    return "lab.witness "


def config(name, parameters):
    """The xl configuration of a guest.

    tsc_mode: The emulated processor does not say that its TSC is invariant, so
    Xen would emulate RDTSC for the guests, with which each system call ends
    (the kernel stack's offset): a third of the path of a short one. In a PVH
    guest RDTSCP dies besides. dom0 has the TSC itself, and so have guests on
    hardware.
    extra: without the crypto self-tests and with short grace periods, until
    init runs, a boot takes two seconds less.
    """
    number = guest_number(name)
    pvh = parameters.guest_type == "pvh"
    disk = kernel_disk(parameters.kernel_number(f"guest{number}"))
    lines = [f'name = "{name}"',
             f'type = "{parameters.guest_type}"',
             f'kernel = "/run/boot/{disk}/vmlinux"',
             f'ramdisk = "/run/boot/{disk}.cpio"',
             f'memory = {parameters.guest_memory}',
             f'vcpus = {parameters.guest_cpus}',
             'tsc_mode = "native"',
             'on_crash = "destroy"',
             'on_reboot = "destroy"',
             f'vif = ["mac={mac(name)},ip={address(name)},bridge=xenbr0,'
             'script=/lab/bin/vif"]',
             'disk = ["format=raw,vdev=xvda,access=ro,script=/lab/bin/block,'
             'target=/dev/vdb", "format=raw,vdev=xvdb,access=ro,'
             f'script=/lab/bin/block,target=/dev/{disk}"]',
             f'extra = "console=hvc0 loglevel=5 rdinit=/init net.ifnames=0 '
             'cryptomgr.notests rcupdate.rcu_expedited=1 '
             'rcupdate.rcu_normal_after_boot=1 '
             f'lab.name={name} lab.ip={address(name)} '
             f'lab.ip6={address6(name)} {_witness(name, parameters)}'
             f'{deadline.watchdogs()}'
             f'{parameters.guest_options}"']
    if parameters.guest_cpus == 1:
        lines.append(f'cpus = "{_pin(number, pvh, parameters.cpus)}"')
    return "\n".join(lines) + "\n"
