#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""churn.py COUNT: so many connections of each family, opened, used and closed
one after another, leave no memory. TAP.

Runs on the sanitizer kernel, between the network namespaces a and b for TCP, in
a for AF_XENVMC.
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../xen"))

from xenlab import memory  # noqa: E402

# Of each family: the serving end's namespace, its address, its port
SELF = str(0x7ff0)      # XENVMC_DOMID_SELF
ENDS = {"inet": ("b", "10.9.0.2", "7803"), "xenvmc": ("a", SELF, "7804")}
WARM = 200


def there(where, *command):
    """The words of a command in a network namespace."""
    return ["ip", "netns", "exec", where, *command]


def serve(family):
    """The serving end, which listens when this returns."""
    where, _, port = ENDS[family]
    child = subprocess.Popen(there(where, "churn", "serve", family, port),
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdout.readline()
    return child


def run(family, count):
    """The connections. False if one of them went wrong."""
    _, host, port = ENDS[family]
    return not subprocess.run(there("a", "churn", "run", family, host, port,
                                    str(count)), check=False,
                              stdout=subprocess.DEVNULL).returncode


def now():
    """Memory in use."""
    return memory.used()


def main():
    count = int(sys.argv[1])
    for where in ("a", "b"):
        # A closed TCP connection would be remembered for a minute
        subprocess.run(there(where, "sysctl", "-q",
                             "net.ipv4.tcp_max_tw_buckets=0"), check=True)
    print(f"TAP version 13\n1..{len(ENDS)}", flush=True)
    failed = 0
    for number, family in enumerate(ENDS, 1):
        server = serve(family)
        good = run(family, WARM)
        before = now()
        good = good and run(family, count)
        left = memory.grown(before, now(), count)
        server.stdin.close()
        good = not server.wait() and good and not left
        if left:
            print(f"# left: {left}")
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} {count} connections of "
              f"{family} leave no memory", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
