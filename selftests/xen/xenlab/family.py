# SPDX-License-Identifier: GPL-2.0
"""XenVMC in a lab: the daemon in dom0, the modules in guests, their counters."""
import json

from . import deadline

OPT = "/opt/xenvmc"
TOOL = f"{OPT}/tools/xenvmc"


def start(lab, guests):
    """dom0's daemon, the modules in @guests; returns when each of them has
    found the others."""
    lab.exec("dom0", f"setsid {OPT}/tools/xenvmcd </dev/null "
             ">/run/xenvmcd.log 2>&1 &", check=True)
    for where in guests:
        lab.exec(where, f"insmod {OPT}/xenvmc.ko && "
                 f"insmod {OPT}/xenvmc_inet.ko", check=True)
    for where in guests:
        deadline.wait_until(lambda: peers(lab, where) == len(guests) - 1, 60,
                            f"{where}: the other guests", 0.3)


def peers(lab, where):
    """How many guests @where has a channel with."""
    done = lab.exec(where, [TOOL, "-j", "peer", "show"], check=True)
    return sum(peer["state"] == "connected" and peer["transport"] == "xen"
               for peer in json.loads(done.stdout))


def hook(lab, guests, state):
    """Turn the hook "on" or "off"."""
    for where in guests:
        lab.exec(where, [TOOL, "hook", state], check=True)


def counters(lab, where):
    """All counters of the module in @where, by name."""
    done = lab.exec(where, [TOOL, "-j", "stat", "show", "zero"], check=True)
    return json.loads(done.stdout)
