#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""bare: boots the guests' kernel and userland on a machine without Xen, and
prints what the file bare-tests says there."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.join(HERE, "../..")
sys.path.insert(0, os.path.join(TOP, "selftests/xen"))

from xenlab import artifacts, console, deadline, initramfs  # noqa: E402
from xenlab import qemu, recipes  # noqa: E402
from xenlab.lab import Lab, build_folder, early  # noqa: E402

MODULES = ["virtio_blk", "virtio_pci", "crc32c_generic?", "ext4", "overlay",
           "kcm"]
SECONDS = 500


def make_initramfs(parts, folder):
    """The archive that the machine boots from; returns its path."""
    opt = os.path.join(folder, "opt")
    artifacts.collect(build_folder(), recipes.kernel_version(parts["tools"]),
                      opt)
    path = os.path.join(folder, "bare.cpio")
    with initramfs.Archive(path) as archive:
        early(archive, parts, os.path.join(HERE, "bare-init"), MODULES)
        archive.tree("overlay/opt/xenvmc", opt)
        for name in ("selftests/guests/bare-tests", "selftests/hook/pair.py",
                     "selftests/hook/path.py", "selftests/hook/rules.py",
                     "selftests/hook/waits.py",
                     "selftests/hook/nbd.py", "selftests/hook/cgroups.py",
                     "selftests/netlink/views.py",
                     "selftests/netlink/netlink_test.py",
                     "userspace/examples/check.sh"):
            archive.file("overlay/opt/" + os.path.basename(name),
                         os.path.join(TOP, name))
    return path


def run(argv):
    """Pass the machine's console on. Returns whether all was well."""
    done = False
    bad = []
    limit = int(deadline.scaled(SECONDS))
    with subprocess.Popen(["timeout", str(limit)] + argv, text=True,
                          stdin=subprocess.DEVNULL, errors="replace",
                          stdout=subprocess.PIPE) as machine:
        for line in machine.stdout:
            line = line.strip()
            if console.bad_line(line):
                bad.append(line)
            done = done or line == "bare-tests: status 0"
            # The firmware and the kernel speak before the tests do
            print(line if line.startswith(("TAP", "ok", "not ok", "1..", "#"))
                  else "# " + line, flush=True)
    for line in bad:
        print(f"Bail out! {line}")
    return done and not bad


def main():
    lab = Lab("bare", quiet=True)
    os.makedirs(lab.folder, exist_ok=True)
    qemu.check_paths(lab.folder)
    lab.build()
    parts = lab.prepare()
    argv = qemu.bare(parts["qemu"].path, parts["kernel"].file("vmlinux"),
                     make_initramfs(parts, lab.folder),
                     [parts["guest"].file("guest.ext4"),
                      parts["kernel"].file("modules.ext4")])
    return 0 if run(argv) else 1


if __name__ == "__main__":
    sys.exit(main())
