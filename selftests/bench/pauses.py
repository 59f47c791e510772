# SPDX-License-Identifier: GPL-2.0
"""What a guest's absence costs its connections: make bench-migrate.

Two guests with fifty busy connections; one of them is saved and at once
restored, in turn without the modules and with them. The other guest's programs
say how long nothing came; the kernel of the one that was away says when it did
what, on its own clock, which stands still while it is not there.
"""
import re
import statistics

from xenlab import deadline, domains, family
from xenlab.errors import LabError

HERE, AWAY = "guest1", "guest2"
STAMP = f"{family.OPT}/tools/stamp"
PORT, CONNS = 7801, 50
GAP, PERIOD = 100, 20   # milliseconds between writes, and between reports
STEADY = 2000       # milliseconds of traffic in front of it, and behind it
BIN = 100           # milliseconds of the plot
LARGE = 1000        # bytes of a packet that has some of the stream
ADDED, ARRIVAL = 0.05, 1000             # the floors: a part, milliseconds
TRACE = "/sys/kernel/tracing/instances/pause"
SAVED = "/var/lib/xen/save/pause"

PLACE = re.compile(r"at sent=\d+ received=\d+ all=(\d+) ms=(\d+)")
EVENT = re.compile(r" (\d+\.\d+): (?:xenvmc_)?(\w+): (.*)$", re.M)


def places(lines):
    """[(milliseconds, bytes received so far)] out of what stamp said."""
    return [(int(ms), int(received)) for received, ms in
            (m.groups() for m in map(PLACE.match, lines) if m)]


def pause(points):
    """(when it began, how long): the longest time in which nothing came."""
    news = points[:1] + [new for old, new in zip(points, points[1:])
                         if new[1] > old[1]]
    if len(news) < 2:
        raise LabError("nothing came at all")
    return max(((old[0], new[0] - old[0]) for old, new in zip(news, news[1:])),
               key=lambda found: found[1])


def curve(points):
    """Rows of {"s", "mbps"}: seconds since the pause began, megabytes a second
    in each BIN."""
    begin, _ = pause(points)
    found = {}
    for old, new in zip(points, points[1:]):
        slot = (new[0] - begin) // BIN
        found[slot] = found.get(slot, 0) + new[1] - old[1]
    return [{"s": slot * BIN / 1000, "mbps": found.get(slot, 0) / BIN / 1000}
            for slot in range(min(found), max(found) + 1)]


def moments(text):
    """Milliseconds out of the trace of the guest that was away: from the
    request to the last peer's word, and from its return on to the first bytes
    by TCP, to the first ring in use and to the last."""
    events = [(float(at) * 1000, name, words)
              for at, name, words in EVENT.findall(text)]
    at = {words: when for when, name, words in events if name == "suspend"}
    if not {"freeze", "frozen", "restore"} <= set(at):
        raise LabError(f"the trace of {AWAY} lacks a moment: {at}")
    back = at["restore"]
    tcp = [when - back for when, name, _ in events
           if name == "net_dev_xmit" and when > back]
    rings = [when - back for when, name, words in events
             if name == "switch" and "tx start" in words and when > back]
    if not tcp or len(rings) < CONNS:
        raise LabError(f"{AWAY}: {len(tcp)} packets and {len(rings)} rings "
                       "after its return")
    return {"let_go_ms": at["frozen"] - at["freeze"], "tcp_ms": tcp[0],
            "ring_ms": rings[0], "all_rings_ms": rings[CONNS - 1]}


def verdict(pairs, passes):
    """(lines, whether all floors are reached). @pairs: [(ms off, ms on)];
    @passes: moments of each pass with the modules."""
    added = statistics.median(on / off - 1 for off, on in pairs)
    arrival = statistics.median(one["ring_ms"] for one in passes)
    found = ((added <= ADDED, f"the pause: {added:+.1%} with the modules, "
              f"floor {ADDED:+.0%}"),
             (arrival <= ARRIVAL, f"return to first ring: {arrival:.0f} ms, "
              f"floor {ARRIVAL} ms"))
    return ([f"{'ok' if good else 'MISSED':>8}  {text}" for good, text in found],
            all(good for good, _ in found))


def middle(values):
    """A median with its spread."""
    return {"median": statistics.median(values), "min": min(values),
            "max": max(values)}


class Pauses:
    """The lab, with dom0's directory."""

    def __init__(self, lab):
        self.lab = lab
        self.curves = {}    # of the last pass: {"off": rows, "on": rows}

    def prepare(self):
        """The daemon, the serving end and the folder of events."""
        lab = self.lab
        lab.exec("dom0", f"setsid {family.OPT}/tools/xenvmcd </dev/null "
                 ">/run/xenvmcd.log 2>&1 &", check=True)
        for where in (HERE, AWAY):
            lab.exec(where, "mountpoint -q /sys/kernel/tracing || "
                     "mount -t tracefs t /sys/kernel/tracing", check=True)
        self.server = lab.start(AWAY, f"exec {STAMP} serve inet {PORT}")
        self.server.until(lambda: self.server.lines, "it listens")

    def _load(self, loaded):
        for where in (HERE, AWAY):
            self.lab.exec(where, " && ".join(
                f"insmod {family.OPT}/{name}.ko" for name in
                ("xenvmc", "xenvmc_inet")) if loaded else
                "rmmod xenvmc_inet && rmmod xenvmc", check=True)
        if loaded:
            for where in (HERE, AWAY):
                deadline.wait_until(
                    lambda w=where: family.peers(self.lab, w) == 1, 60,
                    f"{where}: the other guest", 0.3)

    def _trace(self):
        """Few events: the ring of the trace keeps the first ones."""
        self.lab.exec(AWAY, f"mkdir -p {TRACE} && cd {TRACE} && >trace && "
                      "echo 0 >options/overwrite && echo 16384 >buffer_size_kb "
                      "&& echo 1 >events/xenvmc/xenvmc_suspend/enable && "
                      "echo 'on == 1 && rx == 0' "
                      ">events/xenvmc/xenvmc_switch/filter && "
                      "echo 1 >events/xenvmc/xenvmc_switch/enable && "
                      f"echo 'len > {LARGE}' >events/net/net_dev_xmit/filter "
                      "&& echo 1 >events/net/net_dev_xmit/enable", check=True)

    def _end_trace(self):
        text = self.lab.exec(AWAY, f"cat {TRACE}/trace", timeout=120,
                             check=True).stdout
        self.lab.exec(AWAY, f"rmdir {TRACE}", check=True)
        return text

    def _steady(self, flow, since):
        """Bytes have come for a while since the line of number @since."""
        def said():
            points = places(flow.lines[since:])
            return points and points[-1][0] - points[0][0] >= STEADY \
                and points[-1][1] > points[0][1]
        flow.until(said, "bytes come", 300)

    def _on_rings(self):
        conns = self.lab.exec(HERE, [family.TOOL, "conn", "show"],
                              check=True).stdout
        return conns.count("state up") >= CONNS

    def measure(self, loaded):
        """One pass: (milliseconds of the pause, moments or None)."""
        lab = self.lab
        if loaded:
            self._load(True)
        flow = lab.start(HERE, f"exec {STAMP} run inet {domains.address(AWAY)} "
                         f"{PORT} 0 {GAP} {CONNS} {PERIOD}")
        self._steady(flow, 0)
        if loaded:
            deadline.wait_until(self._on_rings, 120,
                                f"{CONNS} connections on rings", 0.3)
            self._trace()
        first = len(flow.lines)
        self._steady(flow, first)
        lab.exec("dom0", f"mkdir -p $(dirname {SAVED}) && "
                 f"xl save {AWAY} {SAVED} && xl restore {SAVED} && "
                 f"rm {SAVED}", timeout=600, check=True)
        self._steady(flow, len(flow.lines))
        lab.await_answer(AWAY)
        found = moments(self._end_trace()) if loaded else None
        points = places(flow.lines[first:])
        self.curves["on" if loaded else "off"] = curve(points)
        flow.end_input()
        flow.until(lambda: sum("end=exact" in line for line in flow.lines)
                   == CONNS, "all are exact", 300)
        if loaded:
            self._load(False)
        return pause(points)[1], found

    def pairs(self, count):
        """[(off, on)] milliseconds, and the moments of each pass that had the
        modules; which is first changes from pair to pair. One more pair is
        in front, for the first save of all is the shortest by far."""
        found, passes = [], []
        for number in range(count + 1):
            two = {}
            for loaded in ((False, True), (True, False))[number % 2]:
                two[loaded], seen = self.measure(loaded)
                self.lab.say(f"pair {number} of {count}: {two[loaded]} ms "
                             f"{'with' if loaded else 'without'} the modules")
                if seen and number:
                    passes.append(seen)
            if number:
                found.append((two[False], two[True]))
        return found, passes
