# SPDX-License-Identifier: GPL-2.0
"""What the guests of a lab hold: counted, and compared with a time before.

Three witnesses are heard. Xen says what one guest grants to another, how much
of it is mapped, and which event channels there are (selftests/census); a guest's
kernel says what memory the modules hold (held.py); they say how many rings they
have. What Xen or the kernel knows of and no module does is left over, also while
modules are loaded and keep rings for later. XenStore's nodes and watches, sockets
and connections are counted as they are, and so are dom0's event channels with
guests and the files that xenvmcd has open.
"""
import concurrent.futures
import json
import re

from . import deadline, held, memory
from .errors import LabError

CENSUS = "/opt/xenvmc/tools/census"
TOOL = "/opt/xenvmc/tools/xenvmc"

# Pages of a ring: its header and its data (core/wire.h, net/xenvmc/pool.c)
CONTROL = 1 + 2
# Up to so many rings of a channel are of so many pages
TIERS = ((16, 1 + 128), (80, 1 + 32), (256, 1 + 4))
# What a ring takes that a guest grants, or that it maps, by whose code has asked
# for it: of the ring itself, and of the transport's; and whose pages it is of
OWN = {"xen": {"chan": 1, "grant": 2}, "loop": {"chan": 1, "loop": 1}}
MAPPED = {"xen": {"control": 1, "grant": 4}, "loop": {"control": 1}}
PAGES = {"xen": "grant", "loop": "loop"}

SOCKETS = "cat /proc/net/sockstat /proc/net/protocols"

# Xen's view of all guests, XenStore's of each and of dom0 where our nodes may be,
# dom0's own. A program takes a quarter of a second to start there: the fewer the
# better
DOM0 = f"""all=$(xl list) || exit 1
echo guests; ids=
while read -r name domid rest; do case $name in
	guest*) echo $name $domid; ids="$ids $domid"
esac; done <<end
$all
end
echo shared; {CENSUS} 0 $ids || exit 1
echo files; for pid in $(pidof xenvmcd); do
	for file in /proc/$pid/fd/*; do echo $file; done; done
echo nodes; for domid in 0 $ids; do for part in data xenvmc; do
	xenstore-ls -f /local/domain/$domid/$part 2>/dev/null; done; done
echo watches; for domid in 0 $ids; do xenstore-control quota $domid; done
echo sockets; {SOCKETS}"""

GUEST = f"""if [ -d /sys/module/xenvmc ]; then {TOOL} -j peer show; else echo []; fi
{SOCKETS}
{held.SCRIPT}"""


def memory_of(lab, where):
    """What memory.used() says there, without the pages of the rings that the
    module keeps for later: one more or less is no leak."""
    with open(memory.__file__, encoding="utf-8") as file:
        used = json.loads(lab.exec(where, ["python3", "-c", file.read()],
                                   check=True).stdout)
    peers = told_by(lab, where)[0]
    used["pages"] -= sum(pages(peer.get("rx_rings", 0)) for peer in peers
                         if peer["transport"] == "xen")
    return used


def pages(rings):
    """Of so many data rings."""
    found, before = 0, 0
    for limit, size in TIERS:
        found += size * (min(rings, limit) - min(rings, before))
        before = limit
    return found


def parts(text):
    """The lines of each part of what dom0 said, by the part's name."""
    found, name = {}, None
    for line in text.splitlines():
        if line in ("guests", "shared", "files", "nodes", "watches",
                    "sockets"):
            name = found.setdefault(line, [])
        else:
            name.append(line)
    return found


def shared_counts(lines, names):
    """Counts of the census. @names: of domain ids."""
    counts = {}
    for line in lines:
        word = line.split()
        one, other = (names.get(int(x), f"domain {x}") for x in word[:2])
        for key, value in zip(word[2::2], word[3::2]):
            counts[f"{one}: {key} to {other}"] = int(value)
    return counts


def store_counts(found, names):
    """Counts of XenStore nodes that are ours, and of watches, for each of the
    domains @names, by their ids. A LabError if xenstored does not say.

    Of two guests, the one with the lower domain id has the node of the offer.
    After a restart it may be the other one, so those of all are one number.
    """
    counts = {"XenStore offers": 0}
    watches = watch_counts(found["watches"])
    for domid, name in names.items():
        ours = [line for line in found["nodes"] if
                re.match(rf"/local/domain/{domid}/(\S+/)?xenvmc[/ ]", line)]
        offers = sum(bool(re.match(r"\S+/offer ", line)) for line in ours)
        counts["XenStore offers"] += offers
        counts[f"{name}: XenStore nodes"] = len(ours) - offers
        if domid not in watches:
            raise LabError(f"xenstored does not say what {name} has")
        counts[f"{name}: XenStore watches"] = watches[domid]
    return counts


def watch_counts(lines):
    """Numbers of watches by domain id, of what xenstored says of quotas."""
    counts, domid = {}, None
    for line in lines:
        if found := re.fullmatch(r"Domain (\d+):", line):
            domid = int(found.group(1))
        elif found := re.match(r"watches *: *(\d+)", line):
            counts[domid] = int(found.group(1))
    return counts


def ring_counts(name, peers, names):
    """What a guest's module says that the census must have seen, and the
    connections. The part of the pages that the peer grants is under its name.
    """
    counts = {}
    for peer in peers:
        other = names.get(peer["domid"])
        if not other or peer["transport"] != "xen" or "conns" not in peer:
            continue
        counts[f"{name}: granted to {other}"] = \
            CONTROL + pages(peer["rx_rings"])
        counts[f"{other}: mapped to {name}"] = \
            CONTROL + pages(peer["tx_rings"])
        counts[f"{name}: ports to {other}"] = 1
        counts[f"{name}: connections with {other}"] = -peer["conns"]
    return counts


def memory_of_rings(peers):
    """What the module's rings take of what held.counts() says."""
    counts = {}

    def add(what, number):
        counts[what] = counts.get(what, 0) + number
    for peer in peers:
        kind = peer["transport"]
        rx, tx = peer.get("rx_rings", 0), peer.get("tx_rings", 0)
        add(f"pages of xenvmc: {PAGES[kind]}", pages(rx))
        if kind == "loop":
            # The loopback's other end is not listed: its rings are the same
            add(f"pages of xenvmc: {PAGES[kind]}", pages(tx))
            rx = tx = rx + tx
        for rings, objects in ((rx, OWN[kind]), (tx, MAPPED[kind])):
            for who, number in objects.items():
                add(f"objects of xenvmc: {who}", number * rings)
    return counts


def socket_counts(name, lines):
    """Sockets of TCP, without those in TIME_WAIT, and of AF_XENVMC."""
    counts = {f"{name}: sockets of AF_XENVMC": 0}
    for line in lines:
        word = line.split() or [""]
        if word[0] == "TCP:":
            counts[f"{name}: sockets of TCP"] = int(word[word.index("alloc")
                                                         + 1])
        elif word[0] == "XENVMC":
            counts[f"{name}: sockets of AF_XENVMC"] = int(word[2])
    return counts


def told_by(lab, name):
    """What a guest says of itself: (peers that its module knows, lines about
    sockets, lines of the witness or None)."""
    done = lab.exec(name, GUEST, check=True)
    told, _, rest = done.stdout.partition("\n")
    lines = rest.splitlines()
    # The tool's array may span lines
    while lines and not lines[0].startswith("sockets:"):
        told += lines.pop(0)
    where = lines.index(held.MARK) if held.MARK in lines else None
    return (json.loads(told), lines[:where],
            None if where is None else lines[where + 1:])


def guest_counts(lab, name, names):
    """Of a guest: (what its module says that others know of, and connections;
    sockets and memory)."""
    peers, lines, memory_lines = told_by(lab, name)
    counts = socket_counts(name, lines)
    if memory_lines is not None:
        kept = memory_of_rings(peers)
        found = held.counts(memory_lines)
        counts.update({f"{name}: {what}":
                       found.get(what, 0) - kept.get(what, 0)
                       for what in {*found, *kept}})
    return ring_counts(name, peers, names), counts


def count(lab):
    """Numbers by name; equal ones mean that nothing was left in between.

    A ring that is made or ended while they are taken is a difference as well,
    so who compares them counts until they are equal.
    """
    done = lab.exec("dom0", DOM0, check=True)
    found = parts(done.stdout)
    names = {int(line.split()[1]): line.split()[0] for line in found["guests"]}
    counts = shared_counts(found["shared"], {0: "dom0", **names})
    counts["dom0: open files of xenvmcd"] = len(found["files"])
    counts.update(store_counts(found, {0: "dom0", **names}))
    counts.update(socket_counts("dom0", found["sockets"]))
    with concurrent.futures.ThreadPoolExecutor(len(names) or 1) as pool:
        for rings, more in pool.map(
                lambda name: guest_counts(lab, name, names), names.values()):
            counts.update(more)
            for name, number in rings.items():
                counts[name] = counts.get(name, 0) - number
    return {name: number for name, number in counts.items() if number}


def differences(before, after):
    """Lines that name what is not as before."""
    return [f"{name}: {before.get(name, 0)} before, {after.get(name, 0)} now"
            for name in sorted({*before, *after})
            if before.get(name, 0) != after.get(name, 0)]


def check(lab, before, seconds=30):
    """Wait until everything is as in @before, a result of count(); a LabError
    names what is left if that does not come."""
    left = []

    def same():
        left[:] = differences(before, count(lab))
        return not left
    try:
        deadline.wait_until(same, seconds, "nothing is left over", 0.5)
    except LabError as error:
        raise LabError("; ".join(left) or str(error)) from None
