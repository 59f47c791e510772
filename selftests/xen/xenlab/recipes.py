# SPDX-License-Identifier: GPL-2.0
"""What the lab is made of: the recipes of its trees and images.

Each function returns a finished cache entry, making it if needed:
  qemu   an emulator newer than the host's own, unpacked, never installed
  build  compiler and kernel headers, and that very kernel with its modules;
         the kernel is a package, or for DEBUG one with sanitizers
  kernel the kernel as an ELF file and a disk image of its modules
  dom0   a disk image with Xen's tools, and the hypervisor beside it
  guest  a disk image with the programs that tests run between guests
"""
import glob
import gzip
import os
import shutil

from . import cache, tree
from . import kernel as linux
from .errors import LabError

QEMU_SUITE = "trixie"
QEMU = ["qemu-system-x86", "seabios", "libc-bin"]

BUILD = ["bc", "check", "g++", "gcc", "kmod", "libc6-dev", "libcmocka-dev",
         "libjson-c-dev", "libmnl-dev", "libsubunit-dev", "liburing-dev",
         "libxen-dev", "make", "perl", "pkgconf", "sparse"]

# The kernel of this name is built here, for guests only
DEBUG = "debug"
DEBUG_SUITE = "trixie"
DEBUG_SOURCE = "linux-source-6.12"
DEBUG_FILES = os.path.realpath(os.path.join(os.path.dirname(__file__),
                                            "../../debug"))

USERLAND = ["busybox-static", "dropbear-bin", "iproute2", "kmod",
            "libjson-c5", "libmnl0", "netcat-openbsd", "openssh-sftp-server",
            "procps", "psmisc", "python3-minimal", "strace", "tcpdump",
            "xenstore-utils"]

GUEST = USERLAND + ["curl", "ethtool", "iperf3", "iputils-ping",
                    "iptables", "nftables", "nginx-light", "python3", "qperf",
                    "redis-server", "redis-tools", "sockperf", "socat"]


def _log(folder):
    return folder.removesuffix(".partial") + ".log"


def qemu(say):
    """QEMU, unpacked with all its libraries."""
    def make(folder):
        tree.unpack_packages(folder, QEMU_SUITE, QEMU, _log(folder))
    entry = cache.Entry("qemu", [QEMU_SUITE, QEMU])
    entry.get(make, say)
    return entry


def kernel_package(choice):
    """(suite, image package) of a --kernel value SUITE[/PACKAGE]."""
    suite, _, package = choice.partition("/")
    package = package or "linux-image-amd64"
    if not package.startswith("linux-image-"):
        raise LabError(f"--kernel {choice}: expected SUITE or "
                       "SUITE/linux-image-...")
    return suite, package


def _text(name):
    with open(os.path.join(DEBUG_FILES, name), encoding="utf-8") as handle:
        return handle.read()


def _build_debug(say):
    """The same as build() has, with the sanitizer kernel."""
    packages = BUILD + ["bison", "flex", "libelf-dev", "xz-utils",
                        DEBUG_SOURCE]
    files = ("build-guest-kernel", "guest-config", "config")
    script, *configs = [os.path.join(DEBUG_FILES, name) for name in files]

    def make(folder):
        log = _log(folder)
        tree.bootstrap(folder, DEBUG_SUITE, packages, log)
        source = f"/usr/src/{DEBUG_SOURCE}.tar.xz"
        tree.run(tree.enter(folder, [script, source, *configs,
                                     "/usr/src/linux"],
                            "/", [DEBUG_FILES]), log)
        os.unlink(folder + source)
    entry = cache.Entry("build-debug", [DEBUG_SUITE, packages,
                                        [_text(name) for name in files]])
    entry.get(make, say)
    return entry


def build(choice, say):
    """Compiler, headers, kernel and modules for a --kernel value."""
    if choice == DEBUG:
        return _build_debug(say)
    suite, package = kernel_package(choice)
    headers = package.replace("linux-image-", "linux-headers-", 1)
    packages = BUILD + [package, headers.replace("-unsigned", "")]

    def make(folder):
        tree.bootstrap(folder, suite, packages, _log(folder))
    entry = cache.Entry(f"build-{suite}", [suite, packages])
    entry.get(make, say)
    return entry


def kernel_version(entry):
    """The release of the kernel in a build tree."""
    images = glob.glob(entry.file("boot", "vmlinuz-*"))
    if len(images) != 1:
        raise LabError(f"{entry.path}: expected one kernel, found {images}")
    return os.path.basename(images[0]).removeprefix("vmlinuz-")


def kernel(tools, say):
    """vmlinux and modules.ext4 of the kernel in the build tree @tools.

    The image holds vmlinux too: dom0 reads a disk far faster than the share.
    """
    version = kernel_version(tools)

    def make(folder):
        linux.vmlinux(tools.file("boot", "vmlinuz-" + version),
                      os.path.join(folder, "vmlinux"))
        disk = os.path.join(folder, "modules.ext4")
        tree.image(tools.file("usr/lib/modules", version), disk, 96,
                   _log(folder))
        tree.add_to_image(disk, os.path.join(folder, "vmlinux"), "vmlinux",
                          _log(folder))
    entry = cache.Entry(f"kernel-{version}", [tools.path, "with vmlinux"])
    entry.get(make, say)
    return entry


def xen_parts(xen):
    """(suite, version) of a --xen value SUITE[/VERSION]."""
    suite, _, version = xen.partition("/")
    version = version or {"bookworm": "4.17", "trixie": "4.20"}.get(suite)
    if not version:
        raise LabError(f"--xen {xen}: expected SUITE/VERSION, "
                       "as in trixie/4.20")
    return suite, version


def dom0(xen, say):
    """dom0.ext4 and the hypervisor's ELF file xen, for a --xen value."""
    suite, version = xen_parts(xen)
    packages = USERLAND + [f"xen-utils-{version}",
                           f"xen-hypervisor-{version}-amd64"]

    def make(folder):
        log = _log(folder)
        root = os.path.join(folder, "root")
        os.makedirs(root)
        tree.bootstrap(root, suite, packages, log)
        found = glob.glob(f"{root}/boot/xen-{version}*-amd64.gz")
        if not found:
            raise LabError(f"no hypervisor in {packages}, see {log}")
        with gzip.open(found[0]) as packed, \
                open(os.path.join(folder, "xen"), "wb") as plain:
            shutil.copyfileobj(packed, plain)
        shutil.copy2(f"{root}/bin/busybox", folder)
        tree.image(root, os.path.join(folder, "dom0.ext4"), 1024, log)
        cache.remove_tree(root)
    entry = cache.Entry(f"dom0-{suite}-{version}", [suite, packages])
    entry.get(make, say)
    return entry


def guest(suite, extra, say):
    """guest.ext4: the guests' userland with @extra packages."""
    packages = sorted(set(GUEST) | set(extra))

    def make(folder):
        log = _log(folder)
        root = os.path.join(folder, "root")
        os.makedirs(root)
        tree.bootstrap(root, suite, packages, log)
        shutil.copy2(f"{root}/bin/busybox", folder)
        tree.image(root, os.path.join(folder, "guest.ext4"), 16, log)
        cache.remove_tree(root)
    entry = cache.Entry(f"guest-{suite}", [suite, packages])
    entry.get(make, say)
    return entry
