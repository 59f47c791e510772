# SPDX-License-Identifier: GPL-2.0
"""Debian trees and disk images of them, made without leaving root-owned files.

As root, mmdebstrap works directly; as anybody else, in a user namespace. In
both cases everything in the unpacked tree belongs to the caller, and whoever
looks at it through a user namespace (enter(), the image maker) sees root.
"""
import os
import subprocess

from . import mirror
from .errors import CommandFailed, LabError

# Sets up the mounts of a tree and runs a command there. $1: tree, $2: folder
# to run in, $3: folders to make visible, one a line, then the command.
ENTER = r"""
tree=$1 folder=$2 visible=$3
shift 3
mount --rbind /dev "$tree/dev" && mount --rbind /proc "$tree/proc" || exit 125
mount -t tmpfs tmpfs "$tree/tmp" || exit 125
printf '%s\n' "$visible" | while read -r dir; do
        mkdir -p "$tree$dir" && mount --rbind "$dir" "$tree$dir" || exit 1
done || exit 125
exec chroot "$tree" /usr/bin/env -i HOME=/tmp LC_ALL=C.UTF-8 \
        PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        sh -c 'cd "$0" && exec "$@"' "$folder" "$@"
"""


def as_root():
    """Words to put before a command that must see itself as root."""
    return [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]


def run(argv, log, **kwargs):
    """Run a command with its output in the file @log; failure is an error."""
    with open(log, "ab") as handle:
        done = subprocess.run(argv, stdout=handle, stderr=handle,
                              stdin=subprocess.DEVNULL, check=False, **kwargs)
    if done.returncode:
        raise CommandFailed(f"{argv[0]} failed, see {log}:\n{tail(log)}")


def tail(log, lines=15):
    """The last lines of a log."""
    with open(log, encoding="utf-8", errors="replace") as handle:
        return "".join(handle.readlines()[-lines:]).rstrip()


def bootstrap(folder, suite, packages, log):
    """Unpack a minimal Debian @suite with @packages into @folder."""
    base = suite.removesuffix("-backports")
    mode = "root" if os.geteuid() == 0 else "unshare"
    make = ["mmdebstrap", f"--mode={mode}", "--variant=minbase",
            "--format=tar", "--skip=output/dev",
            "--aptopt=APT::Install-Recommends \"false\"",
            "--dpkgopt=force-unsafe-io",
            "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
            # Java's packages fail without the folder
            "--essential-hook=mkdir -p \"$1/usr/share/man/man1\"",
            "--include=" + ",".join(packages)]
    if suite != base:
        make.append(f"--aptopt=APT::Default-Release \"{suite}\"")
    make += [base, "-"] + mirror.sources(suite)
    unpack = ["tar", "-x", "--no-same-owner", "--exclude=./dev/*",
              "-C", folder]
    environment = dict(os.environ, INITRD="No")
    with open(log, "ab") as handle:
        with subprocess.Popen(make, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=handle,
                              env=environment) as maker:
            done = subprocess.run(unpack, stdin=maker.stdout, stderr=handle,
                                  check=False)
            maker.stdout.close()
    if maker.returncode or done.returncode:
        raise CommandFailed(f"mmdebstrap {suite} failed, see {log}:\n"
                            + tail(log))
    os.makedirs(os.path.join(folder, "dev"), exist_ok=True)


def image(folder, path, room_mib, log):
    """Make an ext4 image of @folder with @room_mib free at @path."""
    used = subprocess.run(["du", "-sm", "--apparent-size", folder],
                          stdout=subprocess.PIPE, text=True, check=True)
    inodes = sum(len(d) + len(f) for _, d, f in os.walk(folder))
    size = int(int(used.stdout.split()[0]) * 1.1) + inodes // 256 + 32
    run(as_root() + ["mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal",
                     "-N", str(inodes + 20000), "-d", folder, path,
                     f"{size + room_mib}M"], log)


def add_to_image(path, source, name, log):
    """Write the file @source as @name into the top of the ext4 image."""
    run(["debugfs", "-w", "-R", f"write {source} {name}", path], log)


def unpack_packages(folder, suite, packages, log):
    """Unpack @packages and all that they need into @folder; install nothing.

    An apt of its own (state, lists, no installed packages) resolves and
    downloads, so that the machine's own configuration stays as it is.
    """
    apt = os.path.join(folder, ".apt")
    for part in ("state/lists/partial", "cache/archives/partial", "etc"):
        os.makedirs(os.path.join(apt, part))
    for name, lines in (("status", []), ("sources", mirror.sources(suite))):
        with open(os.path.join(apt, name), "w", encoding="utf-8") as handle:
            handle.writelines(line + "\n" for line in lines)
    options = {"Dir::State": f"{apt}/state", "Dir::Cache": f"{apt}/cache",
               "Dir::State::status": f"{apt}/status",
               "Dir::Etc::sourcelist": f"{apt}/sources",
               "Dir::Etc::sourceparts": f"{apt}/etc",
               "APT::Install-Recommends": "false",
               "APT::Sandbox::User": "",
               "Acquire::Languages": "none",
               "Debug::NoLocking": "true"}
    get = ["apt-get", "-q", "-y"]
    for name, value in options.items():
        get += ["-o", f"{name}={value}"]
    run(get + ["update"], log)
    run(get + ["install", "--download-only", "-t", suite] + list(packages),
        log)
    archives = os.path.join(apt, "cache", "archives")
    found = [name for name in os.listdir(archives) if name.endswith(".deb")]
    if not found:
        raise LabError(f"apt downloaded nothing for {packages}, see {log}")
    for name in sorted(found):
        unpacker = f"dpkg-deb --fsys-tarfile {archives}/{name} | " \
                   f"tar -x --no-same-owner -C {folder}"
        run(["bash", "-o", "pipefail", "-c", unpacker], log)
    run(["rm", "-rf", apt], log)


def enter(tree, argv, cwd, visible):
    """The command that runs @argv in @tree, with the folders @visible."""
    start = ["unshare", "--mount"]
    if os.geteuid() != 0:
        start = ["unshare", "--map-root-user", "--mount"]
    return start + ["sh", "-c", ENTER, "enter", tree, cwd,
                    "\n".join(visible)] + list(argv)
