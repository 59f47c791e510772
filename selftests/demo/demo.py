#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""demo: unmodified programs between two Xen guests, hook off and on.

Boots Xen, dom0 and two guests under emulation, starts xenvmcd, loads the
modules, and runs each program alternately with the hook off and on. The figures
of one row were taken in one boot, minutes apart at most; on an emulated machine
only their ratio means something.

The verdict is "pass" if every case was intact, moved by rings with the hook on,
and stayed off them with the hook off. Speed is shown, not judged.
"""
import argparse
import csv
import dataclasses
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../xen"))

from xenlab import ending, results  # noqa: E402
from xenlab.errors import LabError  # noqa: E402
from xenlab.lab import Lab  # noqa: E402
from xenlab.moving import Moving, grown, ring_bytes  # noqa: E402
from xenlab.params import Params  # noqa: E402

CLIENT, SERVER = "guest1", "guest2"
BLOB, BLOB_MIB = "/srv/blob", 64
# Counters that tell why something did not move
TELLING = ("hook_", "fallback_", "channels_", "violations")
NGINX = """
worker_processes 1; error_log /dev/null; pid /run/demo-nginx.pid;
events { worker_connections 64; }
http { access_log off; sendfile on; server { listen 8080; root /srv; } }
"""


@dataclasses.dataclass
class Measure:
    """One run of one case."""
    value: float
    intact: bool


class Demo:
    """The lab with everything running, and how to ask it things."""

    def __init__(self, lab):
        self.lab = lab
        self.moving = Moving(lab, CLIENT, SERVER)
        self.blob = None    # checksum of the file

    def run(self, where, command, timeout=120):
        """Standard output of a shell command that must succeed."""
        return self.lab.exec(where, command, timeout=timeout,
                             check=True).stdout

    def server(self, command, port):
        self.lab.start_server(SERVER, command, port)

    def checksum(self, where, path):
        return self.run(where, f"sha256sum < {path}").split()[0]


# ---- cases: each returns a Measure -----------------------------------------

def iperf(size):
    def case(demo):
        out = demo.run(CLIENT, f"iperf3 -c {SERVER} -l {size} -t 2 -J")
        end = json.loads(out)["end"]
        # iperf3 checks no byte. The same writes once more, to a program that
        # answers with the checksum of what it got
        told = demo.run(CLIENT, f"socat -t 60 -b {size} - TCP:{SERVER}:5202 "
                        "</root/sample").split()
        return Measure(end["sum_received"]["bits_per_second"] / 8e6,
                       told[:1] == [demo.checksum(CLIENT, "/root/sample")])
    return case


def latency(demo):
    out = demo.run(CLIENT, f"sockperf ping-pong --tcp -i $(getent hosts "
                   f"{SERVER} | cut -d' ' -f1) -p 11111 -m 14 -t 3 "
                   "--data-integrity 2>&1")
    line = next(x for x in out.splitlines() if "avg-latency=" in x)
    value = float(line.split("avg-latency=")[1].split()[0])
    # A wrong byte ends sockperf with an error; what is missing it counts.
    # It gives one way; a round trip is what an application waits for
    return Measure(2 * value, "dropped messages = 0; # duplicated messages = "
                   "0; # out-of-order messages = 0" in out)


def redis(name):
    def case(demo):
        out = demo.run(CLIENT, f"redis-benchmark -h {SERVER} -n 1000 -c 8 "
                       f"-t {name} --csv")
        row = next(r for r in csv.reader(out.splitlines())
                   if r[0].lower() == name)
        set_, get = (f"redis-cli -h {SERVER} {words}" for words in
                     ("-x set demo </root/sample >/dev/null",
                      "--raw get demo | head -c $(stat -c %s /root/sample) "
                      "| cmp - /root/sample"))
        done = demo.lab.exec(CLIENT, f"{set_} && {get}", timeout=120)
        return Measure(float(row[1]), done.returncode == 0)
    return case


def file(demo):
    out = demo.run(CLIENT, f"curl -s -o /root/blob -w '%{{speed_download}}' "
                   f"http://{SERVER}:8080/blob")
    return Measure(float(out) / 1e6,
                   demo.checksum(CLIENT, "/root/blob") == demo.blob)


@dataclasses.dataclass
class Case:
    """@floor is the ratio that the project promises on two CPUs."""
    name: str
    unit: str
    run: object
    floor: float
    less: bool = False          # a smaller value is better


CASES = [
    Case("iperf3, 64 KiB writes", "MB/s", iperf(65536), 3),
    Case("iperf3, 1 KiB writes", "MB/s", iperf(1024), 1),
    Case("sockperf, round trip", "us", latency, 1.5, less=True),
    Case("redis SET", "1/s", redis("set"), 1.5),
    Case("redis GET", "1/s", redis("get"), 1.5),
    Case(f"nginx, file of {BLOB_MIB} MiB", "MB/s", file, 2),
]


# ---- the course ------------------------------------------------------------

def prepare(demo):
    """dom0's daemon, the modules, the servers; returns when all is there."""
    lab = demo.lab
    lab.say("starting xenvmcd, loading the modules")
    demo.moving.start()
    lab.say("the guests have found each other; starting the servers")
    lab.exec(SERVER, "cat > /root/nginx.conf", input=NGINX, check=True)
    demo.run(SERVER, f"dd if=/dev/urandom of={BLOB} bs=1M count={BLOB_MIB} "
             "2>/dev/null")
    demo.run(CLIENT, "dd if=/dev/urandom of=/root/sample bs=1M count=2 "
             "2>/dev/null")
    demo.blob = demo.checksum(SERVER, BLOB)
    demo.server("iperf3 -s", 5201)
    demo.server("socat TCP-LISTEN:5202,fork,reuseaddr EXEC:sha256sum", 5202)
    demo.server("sockperf server --tcp -p 11111", 11111)
    demo.server("redis-server --save '' --protected-mode no", 6379)
    demo.server("nginx -c /root/nginx.conf -g 'daemon off;'", 8080)


def measure(demo, case, rounds):
    """Off and on in turn. Returns the row of results.json."""
    values = {"off": [], "on": []}
    moved = {"off": [0, 0], "on": [0, 0]}
    told = []
    intact = True
    for _ in range(rounds):
        for state in ("off", "on"):
            before = demo.moving.counters(state)
            got = case.run(demo)
            counted = list(map(grown, before, demo.moving.counters()))
            for i in (0, 1):
                moved[state][i] += ring_bytes(counted[i])
            if state == "on":
                told.append([{name: n for name, n in guest.items()
                              if name.startswith(TELLING)}
                             for guest in counted])
            values[state].append(got.value)
            intact = intact and got.intact
    return {"name": case.name, "unit": case.unit,
            **results.row(values, case.less), "ring_bytes": moved["on"],
            "intact": intact, "floor": case.floor,
            "ring_bytes_off": moved["off"], "told": told}


def proven(row):
    """Moved when on, at both ends; not when off; and nothing was damaged."""
    return row["intact"] and min(row["ring_bytes"]) > 0 and \
        not any(row["ring_bytes_off"])


def table(rows, out=sys.stdout):
    line = "{:<24} {:>5} {:>10} {:>10} {:>7}  {:>21}  {}"
    print(line.format("case", "unit", "TCP", "XenVMC", "ratio",
                      "MiB by ring, 1 and 2", "intact"), file=out)
    for row in rows:
        ring = ", ".join(f"{n / 2**20:.1f}" for n in row["ring_bytes"])
        slow = "" if row["ratio"] >= row["floor"] else \
            f"   below {row['floor']}x"
        print(line.format(row["name"], row["unit"], row["off"], row["on"],
                          f"{row['ratio']}x", ring,
                          ("yes" if row["intact"] else "NO") + slow), file=out)
        if not proven(row):
            print(f"    counted in guests 1 and 2, by round: {row['told']}",
                  file=out)
    print("TCP: plain, over netfront. The same programs, the same boot, "
          "alternately; medians.", file=out)


def verdict(rows):
    return "pass" if rows and all(map(proven, rows)) else "fail"


def course(lab, args):
    lab.build()
    lab.up(Params(witness=False))
    demo = Demo(lab)
    prepare(demo)
    rows = []
    for case in CASES:
        lab.say(f"{case.name}, hook off and on, {args.rounds} times")
        rows.append(measure(demo, case, args.rounds))
        lab.say(f"{case.name}: {rows[-1]['off']} -> {rows[-1]['on']} "
                f"{case.unit}")
    lab.check()
    return {**results.about(lab, CLIENT), "cases": rows,
            "verdict": verdict(rows)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2,
                        help="times off and on of each case (default 2)")
    parser.add_argument("--keep", action="store_true",
                        help="leave the machine running for the lab's verbs")
    args = parser.parse_args()
    ending.on_signals()
    lab = Lab("demo")
    begin = time.monotonic()
    try:
        lab.down()
        found = course(lab, args)
    except LabError as err:
        print(f"demo: {err}", file=sys.stderr)
        results.write("demo", {"cases": [], "verdict": "fail",
                               "error": str(err)})
        return 1
    finally:
        if not args.keep:
            lab.down()
    path = results.write("demo", found)
    print(f"\nXen {found['xen']}, Linux {found['kernel']}, "
          f"{found['machine']}; {time.monotonic() - begin:.0f} s\n")
    table(found["cases"])
    print(f"\nverdict: {found['verdict']}   (figures: {path})")
    return found["verdict"] != "pass"


if __name__ == "__main__":
    sys.exit(main())
