# SPDX-License-Identifier: GPL-2.0
"""What happens to packets from the network namespace a to b."""
import contextlib
import subprocess


@contextlib.contextmanager
def netem(*words):
    qdisc = ["ip", "netns", "exec", "a", "tc", "qdisc"]
    subprocess.run([*qdisc, "add", "dev", "va", "root", "netem", *words],
                   check=True)
    try:
        yield
    finally:
        subprocess.run([*qdisc, "del", "dev", "va", "root"], check=True)


def nothing_arrives():
    """The network between the two loses all packets."""
    return netem("loss", "100%")


def packets_take(seconds):
    """Each is so long on its way."""
    return netem("delay", f"{seconds}s")
