# SPDX-License-Identifier: GPL-2.0
"""Two guests as programs see them, and what a program has to say of itself.

A program is a class derived from Program. Its run() is called with the hook off
and on in turn, and must return the same each time but for the figure.
"""
import dataclasses

from xenlab import deadline
from xenlab.ssh import shlex

CLIENT, SERVER = "guest1", "guest2"


@dataclasses.dataclass
class Run:
    """One run: its speed, and what has to be the same, hook off and on."""
    figure: float
    facts: dict


class Pair:
    """The guests of a lab: commands, files, servers.

    @host is whom a client asks: the server, or, when a test puts somebody in
    between, another name.
    """

    def __init__(self, lab):
        self.lab = lab
        self.host = SERVER
        self.servers = []       # (where, process id)

    def sh(self, where, command, timeout=300):
        """Standard output of a shell command that must succeed."""
        return self.lab.exec(where, command, timeout=timeout,
                             check=True).stdout

    def write(self, where, path, text):
        """A small file."""
        self.lab.exec(where, f"mkdir -p $(dirname {path}) && cat >{path}",
                      input=text, check=True)

    def serve(self, where, command, port, timeout=60):
        """Start a server; it ends with the program's run, or by stop()."""
        pid = self.lab.start_server(where, command, port, timeout)
        self.servers.append((where, pid))
        return pid

    def stop(self):
        """Ask all servers to end, the last one first, and wait until they
        have. A server is a session: its children count."""
        while self.servers:
            where, pid = self.servers.pop()
            self.sh(where, f"kill {pid} 2>/dev/null; timeout "
                    f"{deadline.scaled(60):.0f} sh -c 'while pgrep -s {pid} "
                    ">/dev/null; do sleep 0.1; done'")

    def hash_of(self, where, path):
        """Checksum of a file."""
        return self.sh(where, f"sha256sum <{path}").split()[0]

    def version(self, where, package):
        """Of a Debian package, as dpkg says it."""
        return self.sh(where, ["dpkg-query", "-W", "-f", "${Version}",
                               package]).strip()


class Program:
    """What there is to know of a program. One object serves all its runs.

    @packages: of Debian, whose versions are told
    @what: what is run, for the table
    @unit, @less: of the figure; @less if a smaller one is better
    @moves: with the hook on, its connections go by rings
    @reasons: why, with the hook on, some may be on TCP all the same
    """
    packages = ()
    what = ""
    unit = "1/s"
    less = False
    moves = True
    reasons = frozenset()

    def prepare(self, pair):
        """Once, before the first run: files and data."""

    def run(self, pair):
        """One run: returns a Run. An AssertionError is a wrong result."""
        raise NotImplementedError

    def finish(self, pair):
        """Once, after the last run, also a failed one: free what is large."""


def same(got, expected, what):
    """An AssertionError that shows both unless they are equal."""
    if got != expected:
        raise AssertionError(f"{what}: {shlex.quote(str(got))} instead of "
                             f"{shlex.quote(str(expected))}")
