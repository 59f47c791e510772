# SPDX-License-Identifier: GPL-2.0
"""The parameters of a lab: what is booted and with what in it."""
import dataclasses

from . import domains, recipes
from .errors import LabError


@dataclasses.dataclass
class Params:  # pylint: disable=too-many-instance-attributes
    """Everything a user may choose; the defaults are what the tests use."""
    guests: int = 2
    guest_type: str = "pv"
    guest_memory: int = 256
    guest_cpus: int = 1
    guest_suite: str = "trixie"
    guest_options: str = ""     # more words on the guests' command line
    kernel: str = "trixie"      # SUITE or SUITE/PACKAGE
    # {guest: kernel} where it is another than dom0's; also recipes.DEBUG
    guest_kernels: dict = dataclasses.field(default_factory=dict)
    xen: str = "trixie"         # SUITE or SUITE/VERSION
    xen_options: str = ""
    dom0_options: str = ""
    dom0_memory: int = 768
    packages: tuple = ()        # more Debian packages in the guests
    host: int = 1               # which of two, whose bridges are one
    link: tuple = ()            # local UDP ports of it: (own, the other's)
    icount: bool = False        # a clock that counts instructions
    witness: bool = True        # guests know who holds their memory (held.py)
    cpus: int = 0               # of the emulated machine; 0: 2, 1 if icount
    memory: int = 0             # of the emulated machine, MiB; 0: as needed

    def __post_init__(self):
        self.packages = tuple(sorted(set(self.packages)))
        self.link = tuple(self.link)
        self.guest_kernels = {domains.place(name): kernel for name, kernel
                              in self.guest_kernels.items()}
        if not 0 <= self.guests <= domains.MAX_GUESTS:
            raise LabError(f"--guests {self.guests}: expected 0 to "
                           f"{domains.MAX_GUESTS}")
        if self.guest_type not in ("pv", "pvh"):
            raise LabError(f"--guest-type {self.guest_type}: "
                           "expected pv or pvh")
        if self.guest_memory < 128:
            raise LabError(f"--guest-memory {self.guest_memory}: "
                           "expected 128 MiB or more")
        if self.icount and self.guest_type != "pv":
            raise LabError("--icount: expected guests of type pv")
        # Nothing but the work is counted
        self.witness = self.witness and not self.icount
        if self.kernel == recipes.DEBUG:
            raise LabError(f"--kernel {self.kernel}: for guests only")
        if not self.cpus:
            self.cpus = 1 if self.icount else 2
        if not 1 <= self.cpus <= 16:
            raise LabError(f"--cpus {self.cpus}: expected 1 to 16")
        if not self.memory:
            # Room for restored guests beside those that run.
            self.memory = 512 + self.dom0_memory \
                + (max(self.guests, 2) + 1) * (self.guest_memory + 32)

    def kernels(self):
        """All kernels in use, dom0's first."""
        return list(dict.fromkeys([self.kernel]
                                  + sorted(self.guest_kernels.values())))

    def kernel_number(self, name):
        """The place in kernels() of a guest's kernel."""
        return self.kernels().index(self.guest_kernels.get(name, self.kernel))

    def as_dict(self):
        """The same as plain JSON types."""
        return dict(dataclasses.asdict(self), packages=list(self.packages),
                    link=list(self.link))
