# SPDX-License-Identifier: GPL-2.0
"""Two hosts: labs whose bridges are one segment, and guests that go from one to
the other.

All guests are started on the first host, which has their keys: commands reach
them by its machine wherever they are.
"""
import concurrent.futures
import dataclasses
import os
import socket

from . import domains, qemu
from .errors import LabError
from .lab import Lab
from .params import Params

PORT = 8000     # and the guest's number: dom0's, for a guest that arrives
SAVED = "/var/lib/xen/save"


class Host:
    """One of the two, as what takes a lab sees it: its own dom0, and guests
    by their way."""

    def __init__(self, pair, number):
        self.number = number
        self.lab = pair.labs[number - 1]
        self._home = pair.labs[0]

    def exec(self, where, *args, **more):
        """As Lab.exec()."""
        lab = self.lab if where == "dom0" else self._home
        return lab.exec(where, *args, **more)


class Pair:
    """Two labs, NAME-1 and NAME-2. As a lab it is the first, with all guests
    wherever they are; "dom0-2" is the second one's dom0."""

    def __init__(self, name=None, quiet=False):
        name = name or os.environ.get("XENVMC_LAB") or "default"
        self.labs = [Lab(f"{name}-{number}", quiet) for number in (1, 2)]
        self.hosts = [Host(self, number) for number in (1, 2)]

    def __getattr__(self, name):
        return getattr(self.labs[0], name)

    def up(self, params=None):
        """Boot both; the guests are on the first."""
        params = params or Params()
        ports = qemu.free_ports(2, socket.SOCK_DGRAM)
        # With as much memory: all guests may come
        hosts = [dataclasses.replace(params, link=ports),
                 dataclasses.replace(params, link=ports[::-1], host=2,
                                     guests=0)]
        try:
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                list(pool.map(Lab.up, self.labs, hosts))
        except BaseException:
            self.down()
            raise

    def exec(self, where, *args, **more):
        """As Lab.exec()."""
        lab, where = (self.labs[1], "dom0") if where == "dom0-2" \
            else (self.labs[0], where)
        return lab.exec(where, *args, **more)

    def down(self):
        """End both."""
        for lab in self.labs:
            lab.down()

    def check(self):
        """As Lab.check(), of both."""
        for lab in self.labs:
            lab.check()

    def where(self, guest):
        """The host on which a guest runs."""
        for host in self.hosts:
            if domains.place(guest) in host.lab.guests_running():
                return host
        raise LabError(f"{guest} runs nowhere")

    def domid(self, guest):
        """The domain id that a guest has where it is."""
        return self.where(guest).lab.domid(guest)

    def guests_running(self):
        """Names of all guests, wherever they are."""
        return sorted((name for lab in self.labs
                       for name in lab.guests_running()),
                      key=domains.guest_number)

    def migrate(self, guest, to=None):
        """Have a guest go to the other host, and wait until it answers there.
        PV guests are saved, carried and restored, for Debian's Xen cannot log
        what they write; PVH guests go live. @to: the number of that host."""
        guest = domains.place(guest)
        source = self.where(guest)
        if source.number == to:
            raise LabError(f"{guest} is on host {to}")
        target = self.hosts[2 - source.number]
        go = self._live if source.lab.params().guest_type == "pvh" \
            else self._carry
        go(guest, source, target)
        self.labs[0].await_answer(guest)

    @staticmethod
    def _address(host):
        return domains.address("dom0", host.number)

    @staticmethod
    def _carry(guest, source, target):
        source.lab.guest_save(guest)
        # By the shares: the segment is slow, and xl cannot write to a share
        away, home = f"/lab/out/{guest}", f"{SAVED}/{guest}"
        copy = "mkdir -p {0} && dd bs=480k if={1} of={2} && rm {1}"
        source.exec("dom0", copy.format(SAVED, home, away), timeout=120,
                    check=True)
        os.rename(*(os.path.join(host.lab.share, "out", guest)
                    for host in (source, target)))
        target.exec("dom0", copy.format(SAVED, away, home), timeout=120,
                    check=True)
        target.lab.guestctl("restore", [guest], 120)

    def _live(self, guest, source, target):
        port = PORT + domains.guest_number(guest)
        target.lab.start_server(
            "dom0", f"/lab/bin/listen {port} xl migrate-receive", port)
        source.exec("dom0", ["xl", "migrate", "-s", "", guest, "exec nc "
                             f"{self._address(target)} {port}"],
                    timeout=600, check=True)
