#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""walks.py [NAME...]: connections that are looked for, and for whom. TAP.

As late.py, whose helpers it uses.
"""
import subprocess
import sys
import time

import late
from late import connect, hook, moved, stat
from pair import check

SWITCHES = 50


def another_namespace_has_no_part_in_it():
    """Its root may switch the hook as often as he likes: of a connection that
    one end does not want to move nobody is asked again for it."""
    hook("off")
    client, server = connect()
    before = stat("hook_candidates")
    subprocess.run(["ip", "netns", "add", "c"], check=True)
    try:
        # The lower end asks, and the other one says no
        subprocess.run(["ip", "netns", "exec", "a", "xenvmc", "hook", "on",
                        "loopback"], check=True)
        late.until(lambda: stat("hook_candidates") > before,
                   "it is looked for")
        before = stat("hook_candidates")
        for _ in range(SWITCHES):
            for words in (["on", "loopback"], ["off"]):
                subprocess.run(["ip", "netns", "exec", "c", "xenvmc", "hook",
                                *words], check=True)
            time.sleep(0.05)
        check(stat("hook_candidates") - before <= 2,
              f"{stat('hook_candidates') - before} times")
    finally:
        subprocess.run(["ip", "netns", "del", "c"], check=True)
        hook("on", "loopback")
    moved(client)
    for sock in (client, server):
        sock.close()


late.CASES = (another_namespace_has_no_part_in_it,)

if __name__ == "__main__":
    sys.exit(late.main())
