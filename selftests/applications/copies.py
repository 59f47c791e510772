# SPDX-License-Identifier: GPL-2.0
"""Programs that copy trees of files: scp, rsync, NFS, iSCSI."""
import time

from pair import CLIENT, SERVER, Program, Run, same
from xenlab import deadline

TREE = "/root/tree"
# Names, kinds, modes and contents
SUM = "cd {} && {{ find . -type f -print0 | sort -z | xargs -0 sha256sum; " \
      "find . -printf '%P %y %m %l\\n' | sort; }} | sha256sum"
MAKE = f"""
import os, random
rnd = random.Random(3)
for k in range(240):
    folder = "{TREE}/%d/%d" % (k % 5, k % 12)
    os.makedirs(folder, exist_ok=True)
    name = "%s/%d" % (folder, k)
    with open(name, "wb") as file:
        file.write(rnd.randbytes(rnd.choice((0, 1, 900, 20000, 65536, 90000))))
    os.chmod(name, rnd.choice((0o644, 0o600, 0o755)))
    if k % 9 == 0:
        os.symlink(str(k), name + ".link")
with open("{TREE}/large", "wb") as file:
    file.write(rnd.randbytes(4 << 20))
"""
SSHD = "/usr/sbin/sshd -D -e -p 2222 -o UsePAM=no -o PidFile=none " \
       "-o AuthorizedKeysFile=/root/.ssh/apps"
OPTIONS = "-i /root/.ssh/apps -o StrictHostKeyChecking=accept-new " \
          "-o BatchMode=yes -o HostKeyAlias=server"


class Copy(Program):
    """A tree on the client, and how it is told from another."""
    unit = "MB/s"

    def prepare(self, pair):
        pair.lab.exec(CLIENT, ["python3", "-c", f"import os\n"
                               f"if not os.path.exists('{TREE}'):\n"
                               f"    exec({MAKE!r})"], timeout=120, check=True)
        self.sum = self.sum_of(pair, CLIENT, TREE)
        self.mega = int(pair.sh(CLIENT, f"du -sb {TREE}").split()[0]) / 1e6

    @staticmethod
    def sum_of(pair, where, folder):
        """One checksum of a tree."""
        return pair.sh(where, SUM.format(folder)).split()[0]

    def timed(self, pair, command):
        """MB/s of a command that copies the tree."""
        begin = time.monotonic()
        pair.sh(CLIENT, command, timeout=600)
        return self.mega / (time.monotonic() - begin)

    def is_there(self, pair, where, folder):
        """The copy is what the tree is."""
        same(self.sum_of(pair, where, folder), self.sum, folder)


class Ssh(Copy):
    """A server of OpenSSH; that of the lab is another program."""
    packages = ("openssh-server", "openssh-client")

    def prepare(self, pair):
        super().prepare(pair)
        self.keys(pair)

    @staticmethod
    def keys(pair):
        """The server's, and the client's, which the server knows."""
        pair.sh(CLIENT, "[ -e .ssh/apps ] || ssh-keygen -q -t ed25519 -N '' "
                "-f .ssh/apps")
        pair.write(SERVER, "/root/.ssh/apps",
                   pair.sh(CLIENT, "cat .ssh/apps.pub"))
        pair.sh(SERVER, "ssh-keygen -A && mkdir -p -m 755 /run/sshd")

    def finish(self, pair):
        pair.sh(SERVER, "rm -rf /root/copy")


class Scp(Ssh):
    """There, and back."""
    what = "scp -r of 270 files, 12 MB, there and back; checksum of names, " \
           "modes and contents at both ends"

    def run(self, pair):
        # scp -r follows links: what they lead to is copied
        pair.serve(SERVER, SSHD, 2222)
        pair.sh(SERVER, "rm -rf /root/copy && mkdir /root/copy")
        scp = f"scp -q -p -r -P 2222 {OPTIONS}"
        plain = f"{TREE}.plain"
        pair.sh(CLIENT, f"[ -e {plain} ] || cp -rLp {TREE} {plain}")
        wanted = self.sum_of(pair, CLIENT, plain)
        figure = self.timed(pair, f"{scp} {plain} root@{pair.host}:copy/tree")
        same(self.sum_of(pair, SERVER, "/root/copy/tree"), wanted, "there")
        pair.sh(CLIENT, f"rm -rf back && {scp} root@{pair.host}:copy/tree "
                "back", timeout=600)
        same(self.sum_of(pair, CLIENT, "/root/back"), wanted, "back")
        pair.sh(CLIENT, "rm -rf back")
        return Run(figure, {"tree": wanted})


class Rsync(Ssh):
    """A copy, then one of what has changed there."""
    packages = ("rsync",) + Ssh.packages
    what = "rsync -a of the same tree over ssh; again with --checksum and " \
           "--delete after damage to the copy; from its daemon, without ssh"
    DAEMON = "[tree]\npath = /root/copy\nuid = root\ngid = root\n" \
             "use chroot = no\n"

    def run(self, pair):
        pair.serve(SERVER, SSHD, 2222)
        pair.write(SERVER, "/root/rsyncd.conf", self.DAEMON)
        pair.serve(SERVER, "rsync --daemon --no-detach --port 8730 "
                   "--config /root/rsyncd.conf", 8730)
        pair.sh(SERVER, "rm -rf /root/copy && mkdir /root/copy")
        rsync = f"rsync -a -e 'ssh -p 2222 {OPTIONS}'"
        target = f"{TREE}/ root@{pair.host}:copy/"
        figure = self.timed(pair, f"{rsync} {target}")
        self.is_there(pair, SERVER, "/root/copy")
        # Same size, same time: only the checksum tells
        pair.sh(SERVER, "cd /root/copy && touch -r large time && "
                "printf x | dd of=large bs=1 seek=3000000 conv=notrunc "
                "2>/dev/null && touch -r time large && rm -r 3")
        pair.sh(CLIENT, f"{rsync} --checksum --delete {target}", timeout=600)
        self.is_there(pair, SERVER, "/root/copy")
        pair.sh(CLIENT, f"rm -rf back && rsync -a "
                f"rsync://{pair.host}:8730/tree/ back/", timeout=600)
        self.is_there(pair, CLIENT, "/root/back")
        pair.sh(CLIENT, "rm -rf back")
        return Run(figure, {"tree": self.sum})


class Nfs(Copy):
    """A server and a client that are the kernel's: never touched."""
    packages = ("nfs-kernel-server", "nfs-common")
    what = "NFS 4.2 over TCP, server and client of the kernel: the tree is " \
           "copied there, compared from both ends, read back after umount"
    moves = False
    reasons = frozenset({"kernel"})
    EXPORT = "/srv/nfs"

    def prepare(self, pair):
        super().prepare(pair)
        pair.write(SERVER, "/etc/exports", f"{self.EXPORT} "
                   "*(rw,fsid=0,no_root_squash,no_subtree_check,insecure)\n")
        pair.sh(SERVER, f"""mkdir -p {self.EXPORT} &&
mount -t tmpfs nfs {self.EXPORT} && modprobe nfsd &&
mount -t nfsd nfsd /proc/fs/nfsd && exportfs -ra && rpc.mountd -N 3 &&
echo 10 >/proc/fs/nfsd/nfsv4leasetime &&
echo 10 >/proc/fs/nfsd/nfsv4gracetime""")
        pair.sh(CLIENT, "modprobe nfsv4 && mkdir -p /mnt")

    def run(self, pair):
        try:
            pair.sh(SERVER, "rpc.nfsd -N 3 -t 4 && "
                    "echo Y >/proc/fs/nfsd/v4_end_grace")
            return self.mounted(pair)
        finally:
            pair.sh(CLIENT, "! mountpoint -q /mnt || umount /mnt")
            pair.sh(SERVER, "[ $(cat /proc/fs/nfsd/threads) = 0 ] || "
                    "rpc.nfsd 0")

    def mounted(self, pair):
        """The run, while the server runs."""
        mount = "mount -t nfs4 -o vers=4.2,proto=tcp,soft,timeo=600 " \
                f"{pair.host}:/ /mnt"
        pair.sh(SERVER, f"rm -rf {self.EXPORT}/*")
        pair.sh(CLIENT, mount)
        figure = self.timed(pair, f"cp -a {TREE} /mnt/ && sync -f /mnt")
        self.is_there(pair, SERVER, f"{self.EXPORT}/tree")
        shown = pair.sh(CLIENT, "xenvmc conn show dport 2049") + \
            pair.sh(SERVER, "xenvmc conn show sport 2049")
        same(shown.strip(), "", "connections that have a hook")
        pair.sh(CLIENT, f"umount /mnt && {mount}")
        self.is_there(pair, CLIENT, "/mnt/tree")
        return Run(figure, {"tree": self.sum})

    def finish(self, pair):
        pair.sh(SERVER, "kill $(pidof rpc.mountd); "
                f"umount /proc/fs/nfsd; umount {self.EXPORT}")


class Iscsi(Copy):
    """The daemon logs in by a connection that has moved, and then gives it to
    the kernel's driver."""
    packages = ("tgt", "open-iscsi")
    what = "an archive of the tree, 12 MB, written to a disk by iSCSI, past " \
           "the cache; read from the target's file, and from the disk again"
    reasons = frozenset({"kernel", "peer_left"})
    DISK = "/srv/disk"
    ARCHIVE = "/root/tree.tar"
    TARGET = ("--op new --mode target --tid 1 -T iqn.2026-11.org.xenvmc:disk",
              f"--op new --mode logicalunit --tid 1 --lun 1 -b {DISK}",
              "--op bind --mode target --tid 1 -I ALL")
    FOUND = "/sys/class/iscsi_session/session*/device/target*/*:1/block/*"

    def prepare(self, pair):
        super().prepare(pair)
        pair.sh(CLIENT, f"tar -C {TREE} --sort=name -cf {self.ARCHIVE} . && "
                "modprobe -a iscsi_tcp sd_mod && mkdir -p /run/lock/iscsi && "
                "echo InitiatorName=iqn.2026-11.org.xenvmc:client "
                ">/etc/iscsi/initiatorname.iscsi")
        pair.sh(SERVER, "mkdir -p /srv /run/tgtd && "
                f"truncate -s 32M {self.DISK}")
        self.size = int(pair.sh(CLIENT, f"stat -c %s {self.ARCHIVE}"))
        self.mega = self.size / 1e6
        self.sum = pair.hash_of(CLIENT, self.ARCHIVE)

    def run(self, pair):
        pair.serve(SERVER, "tgtd -f", 3260)
        for words in self.TARGET:
            pair.sh(SERVER, f"tgtadm --lld iscsi {words}")
        pair.sh(CLIENT, "iscsid")
        try:
            pair.sh(CLIENT, "iscsiadm -m discovery -t sendtargets "
                    f"-p {pair.host}:3260 && iscsiadm -m node -L all")
            return self.attached(pair)
        finally:
            pair.sh(CLIENT, "iscsiadm -m node -U all; "
                    "iscsiadm -m node -o delete; iscsiadm -k 0")
            pair.sh(SERVER, "tgtadm --lld iscsi --op delete --force "
                    "--mode target --tid 1")

    def attached(self, pair):
        """The run, while there is a disk."""
        disk = pair.sh(CLIENT, f"timeout {deadline.scaled(60):.0f} sh -c "
                       f"'until ls -d {self.FOUND}; do sleep 0.1; done' "
                       "2>/dev/null").split()
        disk = "/dev/" + disk[0].rpartition("/")[2]
        figure = self.timed(pair, f"dd if={self.ARCHIVE} of={disk} bs=64k "
                            "oflag=direct conv=fsync 2>/dev/null")
        cut = f"head -c {self.size} {{}} | sha256sum"
        for where, what in ((SERVER, self.DISK), (CLIENT, disk)):
            same(pair.sh(where, cut.format(what)).split()[0], self.sum, what)
        return Run(figure, {"archive": self.sum})

    def finish(self, pair):
        pair.sh(SERVER, f"rm -f {self.DISK}")
        pair.sh(CLIENT, f"rm -f {self.ARCHIVE}")


PROGRAMS = {"scp": Scp, "rsync": Rsync, "nfs": Nfs, "iscsi": Iscsi}
