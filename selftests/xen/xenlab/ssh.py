# SPDX-License-Identifier: GPL-2.0
"""The command channel: one shared ssh connection per domain.

The handshake is dear under emulation, so a master connection is opened once
and each command is a channel of it. The sockets of the masters are named
relative to the lab's folder, because socket names must be short.
"""
import os
import shlex
import subprocess

from . import cache, deadline
from .errors import LabError


class Channel:
    """Commands in one domain, reached at a local port."""

    def __init__(self, folder, name, port):
        self.folder = folder
        self.name = name
        self.options = [
            "-F", "none", "-S", f"ssh-{name}", "-p", str(port),
            "-i", "key", "-o", "IdentitiesOnly=yes",
            "-o", "BatchMode=yes", "-o", "LogLevel=ERROR",
            "-o", "StrictHostKeyChecking=no",
            "-o", "UserKnownHostsFile=/dev/null",
            "-o", "KexAlgorithms=curve25519-sha256",
            "-o", f"ConnectTimeout={int(deadline.scaled(30)) + 1}",
            "-o", f"ServerAliveInterval={int(deadline.scaled(20)) + 1}",
            "-o", "ServerAliveCountMax=6"]

    def _ssh(self, *words):
        return subprocess.run(["ssh"] + self.options + list(words),
                              cwd=self.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False)

    def alive(self):
        """Whether the shared connection stands."""
        if not os.path.exists(os.path.join(self.folder, f"ssh-{self.name}")):
            return False
        return self._ssh("-O", "check", "lab").returncode == 0

    def open(self):
        """Open the shared connection if it does not stand; True if it does."""
        if self.alive():
            return True
        with cache.locked(os.path.join(self.folder, f"ssh-{self.name}.lock")):
            if self.alive():
                return True
            # Of a master that was killed: the next one would not replace it
            self._unlink()
            done = self._ssh("-o", "ControlMaster=yes", "-f", "-N",
                             "root@127.0.0.1")
        return done.returncode == 0

    def close(self):
        """Close the shared connection: its domain is gone or going."""
        self._ssh("-O", "exit", "lab")
        self._unlink()

    def _unlink(self):
        try:
            os.unlink(os.path.join(self.folder, f"ssh-{self.name}"))
        except FileNotFoundError:
            pass

    def command(self, argv, terminal=False):
        """The local command that runs @argv there: a list is passed exactly,
        a string is a shell command line."""
        line = argv if isinstance(argv, str) else shlex.join(argv)
        return ["ssh"] + self.options + (["-tt"] if terminal else ["-T"]) \
            + ["root@127.0.0.1", line]


def make_key(folder):
    """A key pair for this lab alone: files key and key.pub in @folder."""
    if os.path.exists(os.path.join(folder, "key.pub")):
        return
    done = subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "",
                           "-C", "xenvmc-lab", "-f", "key"], cwd=folder,
                          stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise LabError("ssh-keygen failed: is openssh-client installed?")
