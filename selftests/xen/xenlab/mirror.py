# SPDX-License-Identifier: GPL-2.0
"""Where this machine gets Debian's packages from, asked of apt at run time.

No address of a registry stands in the tree: the machine's own configuration
names one, and every suite of the lab comes from there.
"""
import subprocess

from .errors import LabError

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def debian():
    """The Debian archive that the machine's apt uses."""
    done = subprocess.run(
        ["apt-get", "indextargets", "--format",
         "$(ORIGIN) $(SUITE) $(CODENAME) $(COMPONENT) $(REPO_URI)"],
        stdout=subprocess.PIPE, text=True, check=False)
    for line in done.stdout.splitlines():
        fields = line.split()
        if fields[:1] == ["Debian"] and "main" in fields \
                and not fields[2].endswith("-security"):
            return fields[-1]
    raise LabError("apt knows no Debian archive: run 'apt-get update' first")


def sources(suite):
    """sources.list lines for @suite; a backports suite needs its base too."""
    base = suite.removesuffix("-backports")
    return [f"deb [signed-by={KEYRING}] {debian()} {name} main"
            for name in dict.fromkeys([base, suite])]
