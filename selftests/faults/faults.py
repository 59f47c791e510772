#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""faults.py MODULES [PATH[:SITE[+SITE...]]...]: each call that can fail does so.
TAP.

Runs on the sanitizer kernel, as root, with the modules of a test build. A path
is walked with the first call of a site failing, then the second, until none of
that site fails. effects.py says what each failure may be seen by. Each time:
nothing hangs, no byte is wrong, no connection stays, the path can be walked again,
the modules can be unloaded, and the bytes of another connection go on. After each
path, no memory may be lost. The kernel's complaints are looked for by who runs
this. "planted" and "pages" are tests of other kinds.
"""
import contextlib
import ctypes
import errno
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import traceback

import walk
from effects import EFFECTS, SOUND, VARIES
from walk import Wrong, check

FACTOR = float(os.environ.get("XENVMC_DEADLINE_FACTOR", "1"))
DEADLINE = int(30 * FACTOR)     # of one walk
SELF, PORT, PORT_BESIDE = 0x7ff0, 7900, 7901
SERVER = "10.9.0.2"
SIZE = 40000
TCP_ULP, TCP_INQ = 31, 36
SHOWS = (2, 3)          # of site ulp, at the hook's end: one for each family
CARRY_PORT, LISTENS = 22614, "0A"
TAKER = "/sys/module/taker/parameters/socket"
LIBC = ctypes.CDLL(None, use_errno=True)
WORDS = sys.argv[1:]


class Hang(BaseException):
    """The deadline has passed."""


def hang(_signo, _frame):
    raise Hang(f"no end after {DEADLINE} s")


def insmod(name, *words):
    return walk.insmod(WORDS[0], name, *words)


class Now:      # pylint: disable=too-few-public-methods
    """The walk that is under way."""
    site, nth = "", 0       # what fails
    wanted = ()             # the effects that are right
    sound = ()              # and without a failure
    before = {}             # counters when it began
    calls = {}              # of each site, until the path was walked
    standing = 0            # connections that stay
    other = None            # walk.Beside: what must not notice
    planted = 0             # a bug in what fails: see fault.c

    @classmethod
    def begin(cls):
        """What fails, fails from here on."""
        cls.before, cls.calls = walk.stats(), {}
        walk.arm(cls.nth, cls.site)

    @classmethod
    def end(cls):
        """And nothing from here on."""
        cls.calls = cls.calls or walk.calls()
        walk.arm(0)

    @classmethod
    def effect(cls):
        return walk.effect(cls.before, walk.stats())


# ---- paths -----------------------------------------------------------------

def call(function, sock, name):
    if function(sock.fileno(), name, len(name)):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def accept(listener):
    """Python's own knows not what an address of the family looks like."""
    if not select.select([listener], [], [], DEADLINE / 4)[0]:
        raise TimeoutError(errno.ETIMEDOUT, "nothing to accept")
    child = LIBC.accept(listener.fileno(), None, None)
    if child < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return socket.socket(walk.AF_XENVMC, socket.SOCK_STREAM, 0, child)


def ends(port):
    """Those of a new connection of AF_XENVMC."""
    client = socket.socket(walk.AF_XENVMC, socket.SOCK_STREAM)
    with socket.socket(walk.AF_XENVMC, socket.SOCK_STREAM) as listener:
        call(LIBC.bind, listener, walk.named(walk.ANY, port))
        listener.listen(8)
        call(LIBC.connect, client, walk.named(SELF, port))
        return client, accept(listener)


def stream():
    """A connection of AF_XENVMC from socket() to close()."""
    opened = []

    def new():
        opened.append(socket.socket(walk.AF_XENVMC, socket.SOCK_STREAM))
        opened[-1].settimeout(DEADLINE / 2)
        return opened[-1]
    Now.begin()
    try:
        listener = new()
        call(LIBC.bind, listener, walk.named(walk.ANY, PORT))
        listener.listen(8)
        client = new()
        client.setblocking(True)
        call(LIBC.connect, client, walk.named(SELF, PORT))
        client.settimeout(DEADLINE / 2)
        child = accept(listener)
        opened.append(child)
        child.settimeout(DEADLINE / 2)
        walk.exchange(client, child, SIZE)
    finally:
        close(*reversed(opened))


def channel(state):
    """The loopback's goes, or comes: then an error is that of one attempt."""
    for attempt in range(2):
        try:
            with open(f"{walk.PARAMETERS}/loopback", "w",
                      encoding="ascii") as knob:
                knob.write(state)
            return
        except OSError:
            if attempt:
                raise


def park():
    """A connection of AF_XENVMC with unread bytes outlives a suspend."""
    client, child = ends(PORT)
    with client, child:
        child.settimeout(DEADLINE / 2)
        client.settimeout(DEADLINE / 2)
        client.sendall(walk.block(5, SIZE // 4))
        # Those that wait for long would be carried by TCP
        with open("/proc/sys/net/xenvmc/carry", "w",
                  encoding="ascii") as file:
            file.write("0")
        Now.begin()
        channel("2")
        channel("1")
        walk.take(child, walk.block(5, SIZE // 4))
        walk.exchange(client, child, SIZE)


def within(space, function):
    """Call it in another network namespace."""
    with open("/proc/thread-self/ns/net", "rb") as home:
        with open(f"/run/netns/{space}", "rb") as there:
            os.setns(there.fileno(), os.CLONE_NEWNET)
        try:
            return function()
        finally:
            os.setns(home.fileno(), os.CLONE_NEWNET)


def tcp():
    """The ends of a new TCP connection between the two namespaces."""
    listener = within("b", lambda: socket.create_server((SERVER, 0)))
    with listener:
        client = within("a", lambda: socket.create_connection(
            listener.getsockname(), DEADLINE / 2))
        child = listener.accept()[0]
    child.settimeout(DEADLINE / 2)
    return client, child


def settle(client, child):
    """Until the connection is moved, both ways, and users are told no more
    than that, or what they have to be if a call has failed. True: moved."""
    first = time.monotonic()
    while time.monotonic() < first + DEADLINE / 3:
        for _ in range(10):
            walk.carry(client, child, b"?")
            walk.carry(child, client, b"!")
        now = walk.stats()
        moved = now["ring_starts"] >= Now.before["ring_starts"] + 2
        told = walk.effect(Now.before, now)
        to_come = walk.parameter("fault_nth")
        if (told if moved else f"{told} tcp") in \
                (Now.sound if to_come else Now.wanted):
            break
    return moved


def close(*socks):
    for sock in socks:
        sock.close()


def moved_and(then, begin=lambda: None, before=lambda: None):
    """A TCP connection is moved; @then is what follows. It must not fail."""
    client, child = tcp()
    try:
        before()
        moved = settle(client, child)
        begin()
        then(client, child)
    except OSError as err:
        raise Wrong(f"TCP failed: {err}") from err
    finally:
        close(client, child)
    return "" if moved else "tcp"


def port_is_open():
    """That of the greeting. Who comes by IPv6 has to find it, too."""
    found = []
    for table in ("tcp", "tcp6"):
        with open(f"/proc/net/{table}", encoding="ascii") as file:
            found += [table for line in file
                      if line.split()[3] == LISTENS and
                      line.split()[1].endswith(f":{CARRY_PORT:04X}")]
    check("tcp" not in found, "the port is open for IPv4 alone")
    return bool(found)


def carry():
    """TCP carries a connection of AF_XENVMC whose ends are apart."""
    client, child = ends(PORT)
    with client, child:
        child.settimeout(DEADLINE / 2)
        client.settimeout(DEADLINE / 2)
        client.sendall(walk.block(5, SIZE // 4))
        Now.begin()
        channel("2")
        try:
            walk.take(child, walk.block(5, SIZE // 4))
            walk.until(lambda: port_is_open() or walk.stats()["conn_carried"] >
                       Now.before["conn_carried"], "it is carried",
                       DEADLINE / 2)
            walk.carry(client, child, walk.block(6, SIZE))
            walk.carry(child, client, walk.block(7, SIZE))
        finally:
            channel("1")
        walk.exchange(client, child, SIZE)


def hook():
    """A TCP connection, moved, from connect() to close()."""
    Now.begin()
    return moved_and(lambda *ends: walk.exchange(*ends, SIZE))


def switch(on):
    """The hook of both network namespaces, over the loopback, too."""
    value = bytes([on])
    for space in ("a", "b"):
        within(space, lambda: walk.Netlink().do(
            walk.HOOK_SET, walk.attr(walk.ENABLED, value) +
            walk.attr(walk.LOOPBACK, value)))


def late():
    """A TCP connection is moved that was there before the hook was on."""
    def on():
        Now.begin()
        switch(True)
    switch(False)
    return moved_and(lambda *ends: walk.exchange(*ends, SIZE), before=on)


def moved_back(take_back):
    """Failures begin when a connection has moved."""
    Now.before, wanted, Now.wanted = walk.stats(), Now.wanted, [""]

    def begin():
        Now.wanted = wanted
        Now.begin()
    check(not moved_and(take_back, begin), "a connection has not moved")


def back():
    """An option takes a connection with unread bytes back to TCP."""
    told = []

    def take_back(client, child):
        client.sendall(walk.block(3, SIZE))
        try:
            child.setsockopt(socket.IPPROTO_TCP, TCP_INQ, 1)
        except OSError as err:
            told.append(errno.errorcode[err.errno])
        walk.take(child, walk.block(3, SIZE))
        walk.exchange(client, child, SIZE)
    moved_back(take_back)
    return "".join(told)


def unload():
    """The hook is unloaded under a connection with unread bytes."""
    def take_back(client, child):
        client.sendall(walk.block(4, SIZE))
        walk.rmmod("xenvmc_inet")
        walk.take(child, walk.block(4, SIZE))
        walk.exchange(client, child, SIZE)
    try:
        moved_back(take_back)
    finally:
        Now.end()
        insmod("xenvmc_inet")


def ulp():
    """kTLS takes a connection with unread bytes, after TCP has it again."""
    def take_back(client, child):
        client.sendall(walk.block(6, SIZE))
        child.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
        walk.take(child, walk.block(6, SIZE))
        walk.exchange(client, child, SIZE)
    moved_back(take_back)


def taken():
    """A driver takes the socket of a connection with unread bytes."""
    def owner(number):
        with open(TAKER, "w", encoding="ascii") as file:
            file.write(str(number))

    def take(client, child):
        client.sendall(walk.block(7, SIZE))
        owner(child.fileno())
        try:
            walk.take(child, walk.block(7, SIZE))
            walk.exchange(client, child, SIZE)
        finally:
            owner(-1)
    moved_back(take)


def mon_dropped():
    """Packets that the capture device of namespace "a" has not shown."""
    done = subprocess.run(["ip", "-n", "a", "-j", "-s", "link", "show", "mon"],
                          check=True, stdout=subprocess.PIPE)
    link, = json.loads(done.stdout)
    return link["stats64"]["tx"]["dropped"]


def tap():
    """Bytes of a moved connection are shown to a capture."""
    told = []

    def capture(client, child):
        if not insmod("xenvmc_tap"):
            told.append("not loaded")
            return
        for words in ("add mon type xenvmcmon", "set mon up"):
            subprocess.run(["ip", "-n", "a", "link", *words.split()],
                           check=True)
        walk.carry(client, child, walk.block(8, 100))
        walk.carry(child, client, walk.block(9, 100))
        told.append("dropped" * mon_dropped())
        walk.rmmod("xenvmc_tap")
    moved_back(capture)
    return "".join(told)


def ask():
    """Counters and hook are asked for, and a listener is told of events."""
    told, link, listener = [], walk.Netlink(), walk.Listener()

    def switch_loopback(value):
        link.do(walk.HOOK_SET, walk.attr(walk.LOOPBACK, value))
    switch_loopback(b"\1")
    Now.begin()
    for question in (walk.STAT_GET, walk.HOOK_GET):
        try:
            link.do(question)
        except walk.Refused as err:
            told.append(errno.errorcode[err.number])
    switch_loopback(b"\0")
    switch_loopback(b"\1")
    Now.end()
    # What was not told shows in the number of the next
    switch_loopback(b"\0")
    events = listener.events()
    lost = walk.stats()["monitor_lost"] - Now.before["monitor_lost"]
    check(walk.gaps(events) == lost, f"{lost} are lost, and not so told")
    check(len(events) + lost == 4, f"{len(events)} events, {lost} lost")
    return "".join(told)


def netns():
    """A network namespace comes and goes."""
    Now.begin()
    if subprocess.run(["ip", "netns", "add", "c"], check=False,
                      stderr=subprocess.DEVNULL).returncode:
        subprocess.run(["ip", "netns", "del", "c"], check=False,
                       stderr=subprocess.DEVNULL)
        return "no namespace"
    subprocess.run(["ip", "netns", "del", "c"], check=True)
    return ""


def attach():
    """xenvmc_inet.ko is loaded and unloaded."""
    Now.begin()
    if not insmod("xenvmc_inet"):
        return "not loaded"
    walk.rmmod("xenvmc_inet")
    if Now.site == "ulp" and Now.nth in SHOWS:
        check(walk.calls()["ulp"] > 1 + max(SHOWS),
              "kTLS was not shown all of TCP's tables")
    return ""


def refuse():
    """A connection of AF_XENVMC to a port where nobody listens."""
    Now.begin()
    with socket.socket(walk.AF_XENVMC, socket.SOCK_STREAM) as client:
        call(LIBC.connect, client, walk.named(SELF, PORT))


def load():
    """xenvmc.ko is loaded and unloaded."""
    if not insmod("xenvmc", f"fault_site={Now.site}", f"fault_nth={Now.nth}",
                  f"fault_planted={Now.planted}"):
        return "not loaded"
    Now.calls = walk.calls()
    walk.rmmod("xenvmc")
    return ""


BOTH = ("xenvmc", "xenvmc_inet")
# Path, the modules that it needs
PATHS = {load: (), attach: ("xenvmc",), netns: ("xenvmc",),
         refuse: ("xenvmc",), ask: ("xenvmc",), stream: ("xenvmc",),
         park: ("xenvmc",), carry: ("xenvmc",), hook: BOTH, late: BOTH,
         back: BOTH, ulp: BOTH, taken: (*BOTH, "taker"), tap: BOTH, unload: BOTH}


# Sites of paths whose failure is ignored for once, by a planted bug
PLANTED = ((load, "stats"), (attach, "tables"), (stream, "sock"),
           (hook, "rx_ring"))


def prepare(path):
    for name in PATHS[path]:
        check(insmod(name), f"{name}.ko is not loaded")


def hook_on(path):
    """Last before the walk: the hook looks for connections a while later, too,
    and what failed to move may do so then."""
    if "xenvmc_inet" in PATHS[path]:
        switch(True)


def beside_by_tcp():
    listener = socket.create_server(("127.0.0.1", 0))
    with listener:
        client = socket.create_connection(listener.getsockname())
        return walk.Beside(client, listener.accept()[0], DEADLINE / 2)


def beside(path):
    """A connection that must not notice what fails. It is one of AF_XENVMC, if
    the module and the loopback's channel are there all the time."""
    if path in (load, park, carry):
        return beside_by_tcp()
    both = walk.Beside(*ends(PORT_BESIDE), DEADLINE / 2)
    both.moves()
    return both


def once(path):
    """Walk the path. What users are told of it."""
    try:
        told = path() or ""
    except OSError as err:
        told = errno.errorcode.get(err.errno, str(err))
    if walk.loaded():
        Now.end()
        walk.until(lambda: walk.connections() == Now.standing,
                   "no connection is left", DEADLINE / 2)
        told = f"{Now.effect()} {told}" if path is not load else told
    return told.strip()




@contextlib.contextmanager
def ready(path, other=None):
    """All that the path needs is there, and another connection beside it."""
    signal.alarm(DEADLINE)
    prepare(path)
    Now.other = other() if other else beside(path)
    yield
    signal.alarm(DEADLINE)
    Now.other.stop()
    for name in reversed(PATHS[path]):
        walk.rmmod(name)
    signal.alarm(0)


def failing(path, site, nth, log):
    """Walk with the @nth call of @site failing, then without. What users are
    told of it, or None if it did not fail."""
    Now.sound = sound = SOUND.get(path.__name__, "").split("|")
    signal.alarm(DEADLINE)
    rights = EFFECTS[path.__name__][site] if site else ["|".join(sound)]
    right = rights[min(nth, len(rights)) - 1]
    Now.site, Now.nth, Now.wanted = site, nth, right.split("|")
    hook_on(path)
    Now.standing = walk.connections() if walk.loaded() else 0
    log.sites()
    told = once(path)
    failed = log.sites()
    check(len(failed) <= 1, f"failed more than once: {failed}")
    check(not failed or told in Now.wanted,
          f"seen by \"{told}\", expected: \"{right}\"")
    Now.other.moves()
    Now.site, Now.nth, Now.wanted = "", 0, sound
    if failed:
        again = once(path)
        check(again in sound, f"the next walk is not as without failure: "
              f"\"{again}\", expected: {sound}")
    return told if failed else None


def planted(log):
    """A failure that its site ignores is seen, on paths of each kind. Returns
    how many."""
    for path, site in PLANTED:
        with ready(path):
            Now.planted = 1
            if walk.loaded():
                walk.turn("fault_planted", 1)
            try:
                failing(path, site, 1, log)
            except Wrong as err:
                check("seen by" in str(err), f"{path.__name__}: {err}")
                print(f"# {path.__name__}, {site}: {err}", flush=True)
            else:
                raise Wrong(f"{path.__name__}, {site}: not seen")
            Now.planted = 0
            if walk.loaded():
                walk.turn("fault_planted", 0)
    return len(PLANTED)


def pages(log):
    """A connection of AF_XENVMC: of the rings that are tried for it, the first
    page is missing, then the second, until there is a whole one. Returns how
    many."""
    # One of AF_XENVMC would lend it rings
    with ready(stream, beside_by_tcp):
        log.sites()
        walk.turn("fault_site", "ring_page")
        walk.turn("fault_page", 0)
        Now.site, Now.nth, Now.standing = "ring_page", 0, 0
        told = once(stream)
        tried = walk.parameter("fault_page")
        walk.turn("fault_page", -1)
        failed = log.sites()
        check(not told, f"seen by \"{told}\"")
        check(set(failed) == {"ring_page"}, f"failed: {failed}")
        check(2 < len(failed) < tried, f"{len(failed)} of {tried} rings failed")
        Now.other.moves()
    return len(failed)


def each_call(path, site, log):
    """The calls of @site on a path fail, one after another. Returns how many
    have."""
    nth, told = 0, ""
    while told is not None:
        nth += 1
        start = time.monotonic()
        try:
            # Modules that are new: rings that are there do not fail again
            with ready(path):
                told = failing(path, site, nth, log)
        except (Wrong, Hang) as err:
            raise Wrong(f"{site}, call {nth}: {err}") from err
        if told is not None:
            print(f"# {site}, call {nth}: {told or 'not seen'} "
                  f"({time.monotonic() - start:.1f} s)", flush=True)
    return nth - (told is None)


def every(path, log, only):
    """All failures of a path; @only: of these sites, if some are named. Returns
    how many."""
    with ready(path):
        failing(path, "", 0, log)
    name = path.__name__
    met, sites = set(Now.calls), EFFECTS[name]
    if path is not ask:
        # The walk asks
        met -= {"answer"}
    check(met <= set(sites), f"not in effects.py: {met - set(sites)}")
    count = 0
    for site, rights in sites.items():
        if not rights or only and site not in only.split("+"):
            continue
        check(site in met, f"{site} was not met")
        failed = each_call(path, site, log)
        check(failed, f"{site} never failed")
        check(failed == len(rights) or
              {site, f"{name}:{site}", f"{name}:*"} & set(VARIES),
              f"{site} failed {failed} times, expected {len(rights)}")
        count += failed
    return count


def main():
    signal.signal(signal.SIGALRM, hang)
    named = dict(word.partition(":")[::2] for word in WORDS[1:])
    tests = [t for t in (planted, *PATHS, pages)
             if not named or t.__name__ in named]
    print(f"TAP version 13\n1..{len(tests)}", flush=True)
    log = walk.Log()
    for number, test in enumerate(tests, 1):
        name = test.__name__
        start = time.monotonic()
        try:
            count = every(test, log, named.get(name, "")) \
                if test in PATHS else test(log)
            walk.check_memory()
        except Exception:  # pylint: disable=broad-except
            print("# " + "\n# ".join(traceback.format_exc().splitlines()))
            # What is loaded now is in no known state
            print(f"not ok {number} {name}", flush=True)
            return 1
        print(f"ok {number} {name}: {count} calls failed in turn "
              f"# time={time.monotonic() - start:.1f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
