# SPDX-License-Identifier: GPL-2.0
"""Kernel memory that XenVMC's modules hold in a guest.

selftests/witness says so, which hears the kernel's allocators, not the modules:
so what a module has forgotten is counted as well.
"""
import re

from .errors import LabError

WITNESS = "/sys/kernel/debug/xenvmc-witness"
# Guests that have one say so on their command line. Another part of what is
# asked in a guest may be in front of it
MARK = "held"
SCRIPT = f"""if grep -qw lab.witness /proc/cmdline; then
	echo {MARK}; cat {WITNESS} || exit 1; fi"""

LINE = re.compile(r"(?P<number>\d+) (?P<what>objects|pages) "
                  r"_*(?:xvmc_)?(?P<word>[a-z0-9]+)\S* \[(?P<module>\w+)\]"
                  r"(?P<gone> unloaded)?")


def counts(lines):
    """Numbers by name, of what the witness says: "objects of xenvmc: chan" are
    of chan_...() or xvmc_chan_...() there.

    Which function it is may depend on what the compiler puts into which other
    one. Their first word is the same in a file. A LabError if there is a line
    that nobody knows, or if the witness has not seen all.
    """
    if not lines or not re.fullmatch(r"0 unseen", lines[-1]):
        raise LabError(f"no word, or not of all memory: {lines[-1:]}")
    sums = {}
    for line in lines[:-1]:
        found = LINE.fullmatch(line)
        if not found:
            raise LabError(f"what memory is that: {line}")
        name = "{what} of {module}{gone}: {word}".format_map(dict(
            found.groupdict(), gone=", unloaded" if found["gone"] else ""))
        sums[name] = sums.get(name, 0) + int(found["number"])
    return sums
