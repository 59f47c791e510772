# SPDX-License-Identifier: GPL-2.0
"""A program that runs beside its caller, and the lines it has said so far."""
import subprocess
import threading

from . import deadline
from .errors import CommandFailed, Timeout


class Program:
    """A local command, often that of a channel into a domain.

    Its standard input is an open pipe: end_input() is how to ask a program to
    end that takes this for a request. Lines that it prints, to either stream,
    are in the list .lines as soon as they are here.
    """

    def __init__(self, command, what, folder=None, watch=None):
        self.what = what
        self.lines = []
        self.over = False
        self._watch = watch or (lambda: None)
        self._news = threading.Condition()
        # pylint: disable=consider-using-with
        self._child = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._child.stdout:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self.over = True
            self._news.notify_all()

    def until(self, condition, what, seconds=60):
        """Wait until condition(), which looks at .lines, is true; returns its
        value. Raises Timeout, or CommandFailed if the program ends first."""
        limit = deadline.Deadline(seconds)
        with self._news:
            while True:
                over = self.over
                value = condition()
                if value:
                    return value
                if over:
                    said = self.lines[-1] if self.lines else "nothing"
                    raise CommandFailed(f"{self.what} ended before {what}, "
                                        f"and said last: {said}")
                self._watch()
                if limit.passed():
                    raise Timeout(f"{self.what}: {what}: not within "
                                  f"{limit.seconds:.0f} s")
                self._news.wait(min(0.5, limit.left() + 0.01))

    def end_input(self):
        """The program reads the end of its standard input."""
        self._child.stdin.close()

    def wait(self, seconds=60):
        """Wait for its end; returns its exit status."""
        try:
            return self._child.wait(deadline.scaled(seconds))
        except subprocess.TimeoutExpired:
            raise Timeout(f"{self.what}: no end within "
                          f"{deadline.scaled(seconds):.0f} s") from None

    def drop(self):
        """End the local command; what it reached may be gone already."""
        self._child.kill()
        self._child.wait()
        self._child.stdin.close()
        self._reader.join()
        self._child.stdout.close()
