# SPDX-License-Identifier: GPL-2.0
"""The benchmark's course: two guests, all ways between two programs in turn."""
from xenlab import domains, family
from xenlab.errors import LabError

import figures
import trace

CLIENT, SERVER = "guest1", "guest2"
GUESTS = (CLIENT, SERVER)
PROGRAM = f"{family.OPT}/tools/xvbench"
PORTS = {"inet": 7820, "xenvmc": 7822}
BETWEEN = ("tcp", "moved", "af_xenvmc")     # guests; the others are in one

KIB, MIB = 1 << 10, 1 << 20
# Bytes for each size of write: many times what a ring holds
STREAMS = {64: 2 * MIB, 1 * KIB: 8 * MIB, 16 * KIB: 24 * MIB, 64 * KIB: 32 * MIB}
# Messages there and back, for each of their sizes
ROUND_TRIPS = {1: 1000, 64: 500, 1 * KIB: 500, 16 * KIB: 300, 64 * KIB: 100}
MANY, MANY_TRIPS = 50, 40
# What a trace is taken of, and of so many times as much: what else happens in
# dom0 meanwhile must be little beside the difference
CONNECTS = 100
TRACED = {64: MIB, 1 * KIB: 16 * MIB, 16 * KIB: 64 * MIB, 64 * KIB: 64 * MIB}
TIMES = 5
ON_RINGS = 4    # times as much again, for it costs so little


def items():
    """What xvbench is to do on each path."""
    return [f"stream:{conns}:{size}:{amount}" for conns in (1, MANY)
            for size, amount in STREAMS.items()] + \
           [f"rtt:1:{size}:{count}" for size, count in ROUND_TRIPS.items()] + \
           [f"rtt:{MANY}:1:{MANY_TRIPS}"]


def prove_hooked(lines, grown):
    """So it would be of connections that the hook left alone. @grown: how many
    it took, in each guest."""
    need = sum(line["amount"] + line["warm"] for line in lines
               if line["what"] == "connect")
    if min(grown) < need:
        raise LabError(f"moved: {need} connections were opened and only "
                       f"{min(grown)} of them had a hook")


def prove(path, lines, grown):
    """A figure of bytes that went another way would be a lie. @grown: bytes by
    which the rings' counters of each guest went up."""
    if path in ("moved", "af_xenvmc"):
        need = figures.moved_bytes(lines)
        if min(grown) < need:
            raise LabError(f"{path}: {need} bytes were measured and only "
                           f"{min(grown)} of them went over rings")
    elif any(grown):
        raise LabError(f"{path}: {max(grown)} bytes went over rings")


class Course:
    """The lab with everything running."""

    def __init__(self, lab):
        self.lab = lab
        self.hook = None    # its state, if it is known
        self.arguments = {"unix": ["unix"], "pipe": ["pipe"],
                          "memcpy": ["memcpy"]}

    def prepare(self):
        """The daemon, the modules and the servers."""
        lab = self.lab
        family.start(lab, GUESTS)
        for where in GUESTS:
            for name, port in PORTS.items():
                self._serve(where, name, port)
        inet = ["inet", domains.address(SERVER), str(PORTS["inet"])]
        self.arguments.update(
            tcp=inet, moved=inet,
            lo_tcp=["inet", "127.0.0.1", str(PORTS["inet"])],
            af_xenvmc=["xenvmc", str(lab.domid(SERVER)),
                       str(PORTS["xenvmc"])])

    def _serve(self, where, name, port):
        log = f"/run/xvbench-{name}"
        self.lab.exec(where, f"setsid {PROGRAM} serve {name} {port} "
                      f"</dev/null >{log} 2>&1 & "
                      f"until [ $(wc -l <{log}) = 2 ]; do "
                      f"kill -0 $! || {{ cat {log}; exit 1; }}; sleep 0.1; "
                      "done", check=True)

    def versions(self):
        """Of what is measured."""
        return {"xen": self.lab.exec("dom0", ["xl", "info", "xen_version"],
                                     check=True).stdout.strip(),
                "kernel": self.lab.exec(CLIENT, ["uname", "-r"],
                                        check=True).stdout.strip()}

    def _switch(self, path):
        """Hook on or off, as @path needs it."""
        state = "off" if path == "tcp" else "on"
        if state != self.hook:
            family.hook(self.lab, GUESTS, state)
            self.hook = state

    def _counters(self):
        """Of each guest: bytes that went over rings, connections with a hook."""
        counters = [family.counters(self.lab, where) for where in GUESTS]
        return ([c["rx_bytes"] + c["tx_bytes"] for c in counters],
                [c["hook_candidates"] for c in counters])

    def run(self, path, work):
        """Returns what xvbench says of each item of @work, as dictionaries."""
        self._switch(path)
        before = self._counters()
        done = self.lab.exec(CLIENT, [PROGRAM, "run"] + self.arguments[path]
                             + work, timeout=600, check=True)
        lines = figures.parse(done.stdout)
        if len(lines) != len(work):
            raise LabError(f"{path}: {len(lines)} answers to {len(work)} items")
        grown, hooked = ([new - old for old, new in zip(*two)]
                         for two in zip(before, self._counters()))
        prove(path, lines, grown)
        if path == "moved":
            prove_hooked(lines, hooked)
        return lines

    def rounds(self, paths, count):
        """All @paths in turn, @count times: {(path, conns, size, what):
        values}. Once more before that: rings and caches are new then."""
        found = {}
        for number in range(count + 1):
            for path in paths:
                self.lab.say(f"round {number} of {count}: {path}")
                for line in self.run(path, items()):
                    if number:
                        key = (path, line["conns"], line["size"], line["what"])
                        found.setdefault(key, []).append(figures.value(line))
        return found

    # ---- what a byte and a connection cost, by Xen's trace -----------------

    def _traced(self, path, item):
        self._switch(path)
        kicks = sum(family.counters(self.lab, g)["kicks"] for g in GUESTS)
        trace.start(self.lab)
        line, = self.run(path, [item])
        found = trace.stop(self.lab)
        kicks = sum(family.counters(self.lab, g)["kicks"] for g in GUESTS) - kicks
        return line, found, kicks

    def _difference(self, path, form, amount):
        """Cost of work of @form: what TIMES @amount cost more than @amount.
        Returns it by domain, with the amount and the door bells."""
        line, once, kicks = self._traced(path, form.format(amount))
        more, often, more_kicks = self._traced(path,
                                               form.format(TIMES * amount))
        done = sum(more[x] - line[x] for x in ("amount", "warm"))
        cost = {domid: {name: often[domid][name] - once[domid][name]
                        for name in often[domid]} for domid in often}
        return done, cost, more_kicks - kicks

    def byte_costs(self, paths=BETWEEN):
        """Rows of what a MiB costs besides time."""
        found = []
        for path in paths:
            for size, amount in TRACED.items():
                self.lab.say(f"trace: {path}, writes of {size} B")
                if path != "tcp":
                    amount *= ON_RINGS
                done, cost, kicks = self._difference(
                    path, f"stream:1:{size}:{{}}", amount)
                cycles = sum(c["cycles"] for c in cost.values())
                calls = sum(c["hypercalls"] for c in cost.values())
                mib = done / MIB
                found.append({"path": path, "size": size,
                              "instructions_per_mib": cycles / mib,
                              "dom0_percent": 100 * cost[0]["cycles"] / cycles,
                              "hypercalls_per_mib": calls / mib,
                              "doorbells_per_mib": kicks / mib})
        return found

    def connection_costs(self, paths=BETWEEN):
        """Rows of what connect, accept and close cost, in all domains."""
        found = []
        for path in paths:
            self.lab.say(f"trace: {path}, connections")
            done, cost, _ = self._difference(path, "connect:1:1:{}", CONNECTS)
            found.append({"path": path,
                          "instructions": sum(c["cycles"]
                                              for c in cost.values()) / done,
                          "hypercalls": sum(c["hypercalls"]
                                            for c in cost.values()) / done})
        return found
