# SPDX-License-Identifier: GPL-2.0
"""What the modules cost connections that cannot move: make bench-tax.

Two guests, the modules in the first one only, so that nothing of it can move:
neither its connections to itself nor those to the other. Loaded and not loaded
alternate, and so does which of them is first.
"""
from xenlab import domains, family
from xenlab.errors import LabError

import figures

PAYER, OTHER = "guest1", "guest2"
PORT = "7820"
PROGRAM = f"{family.OPT}/tools/xvbench"
MODULES = ("xenvmc", "xenvmc_inet")
# Where connections go, how many of their ends pay, and how much is done. The
# way within a guest is the shortest, so a tax shows there most.
PATHS = {
    "within": ("127.0.0.1", 2, ("connect:1:1:400", "rtt:1:1:3000",
                                "rtt:1:64:3000")),
    "between": (domains.address(OTHER), 1, ("connect:1:1:200", "rtt:1:1:1000",
                                            "rtt:1:64:1000")),
}


def connections(lines):
    """How many connections xvbench has opened for its @lines."""
    return sum(line["amount"] + line["warm"] if line["what"] == "connect"
               else line["conns"] for line in lines)


class Tax:
    """The lab, with servers everywhere and dom0's directory."""

    def __init__(self, lab):
        self.lab = lab
        self.loaded = False
        self.lookups = {}

    def prepare(self):
        """The daemon and the servers."""
        self.lab.exec("dom0", f"setsid {family.OPT}/tools/xenvmcd </dev/null "
                      ">/run/xenvmcd.log 2>&1 &", check=True)
        for where in (PAYER, OTHER):
            self.lab.exec(where, f"setsid {PROGRAM} serve inet {PORT} "
                          "</dev/null >/run/xvbench 2>&1 & "
                          "until [ $(wc -l </run/xvbench) = 2 ]; do "
                          "kill -0 $! || { cat /run/xvbench; exit 1; }; "
                          "sleep 0.1; done", check=True)

    def switch(self, load):
        """Modules loaded, or none."""
        if load == self.loaded:
            return
        if load:
            command = " && ".join(f"insmod {family.OPT}/{name}.ko"
                                  for name in MODULES)
        else:
            command = "rmmod " + " ".join(reversed(MODULES))
        self.lab.exec(PAYER, command, check=True)
        self.loaded = load

    def prove(self, path, lines, before):
        """One lookup for each end of a connection, and nothing moved."""
        after = family.counters(self.lab, PAYER)
        grown = {name: after[name] - before[name] for name in after}
        want = connections(lines) * PATHS[path][1]
        if grown["hook_lookups"] != want:
            raise LabError(f"{path}: {grown['hook_lookups']} lookups for "
                           f"{want} ends of connections")
        if grown["hook_candidates"] or grown["tx_bytes"]:
            raise LabError(f"{path}: something has moved")
        self.lookups[path] = {"ends": want, "lookups": grown["hook_lookups"]}

    def measure(self, path, load):
        """{(path, what, size): microseconds of one}."""
        self.switch(load)
        before = family.counters(self.lab, PAYER) if load else None
        address, _, items = PATHS[path]
        done = self.lab.exec(PAYER, [PROGRAM, "run", "inet", address, PORT,
                                     *items], timeout=600, check=True)
        lines = figures.parse(done.stdout)
        if len(lines) != len(items):
            raise LabError(f"{path}: {len(lines)} answers to {len(items)}")
        if load:
            self.prove(path, lines, before)
        return {(path, line["what"], line["size"]): figures.value(line)
                for line in lines}

    def pairs(self, count):
        """{(path, what, size): [(not loaded, loaded)]}, after one pair that
        does not count."""
        found = {}
        for number in range(count + 1):
            self.lab.say(f"pair {number} of {count}")
            two = {}
            for load in ((False, True), (True, False))[number % 2]:
                two[load] = {}
                for path in PATHS:
                    two[load].update(self.measure(path, load))
            for key in two[True] if number else ():
                found.setdefault(key, []).append((two[False][key],
                                                  two[True][key]))
        return found
