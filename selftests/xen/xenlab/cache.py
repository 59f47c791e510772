# SPDX-License-Identifier: GPL-2.0
"""The cache: folders named by a hash of their recipe, made once, complete or absent.

An entry is built in a temporary folder beside its place and renamed when
complete, so that an interrupted build leaves nothing that looks finished.
A lock file per entry keeps two builders of the same entry apart; the lock is
the kernel's and ends with its holder.
"""
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess

from .errors import LabError


def root():
    """The cache folder (XENVMC_CACHE, ~/.cache/xenvmc)."""
    path = os.environ.get("XENVMC_CACHE") or "~/.cache/xenvmc"
    return os.path.abspath(os.path.expanduser(path))


def key(recipe):
    """A short name for a recipe: anything that JSON can write."""
    text = json.dumps(recipe, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def remove_tree(path):
    """Delete a tree, also one whose folders forbid writing."""
    def allow(function, name, _error):
        os.chmod(os.path.dirname(name), 0o700)
        os.chmod(name, 0o700)
        function(name)
    if os.path.lexists(path):
        shutil.rmtree(path, onerror=allow)


@contextlib.contextmanager
def locked(path):
    """Hold an exclusive lock on the file @path, made if absent."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "a", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


class Entry:
    """One folder of the cache: a name for people and a recipe."""

    def __init__(self, name, recipe):
        self.name = name
        self.path = os.path.join(root(), f"{name}-{key([name, recipe])}")

    def file(self, *parts):
        """The path of a file in the entry."""
        return os.path.join(self.path, *parts)

    def ready(self):
        """Whether the entry is complete."""
        return os.path.isdir(self.path)

    def get(self, build, say=lambda text: None):
        """The entry's path; build(folder) fills it if it is absent."""
        if self.ready():
            return self.path
        with locked(self.path + ".lock"):
            if self.ready():
                return self.path
            partial = self.path + ".partial"
            remove_tree(partial)
            os.makedirs(partial)
            say(f"making {os.path.basename(self.path)}")
            try:
                build(partial)
                os.rename(partial, self.path)
            except (OSError, subprocess.SubprocessError) as error:
                raise LabError(f"cannot make {self.name}: {error}") from error
            say(f"made {os.path.basename(self.path)}")
        return self.path
