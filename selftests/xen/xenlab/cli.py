# SPDX-License-Identifier: GPL-2.0
"""The command line of the lab: verbs, options, exit status.

Exit status: that of the command for exec and run, else 0; 1 for a failure of
the lab, 2 for wrong usage, 124 for a timeout, 125 when a console shows a
panic, oops, warning or the like.
"""
import argparse
import dataclasses
import json
import os
import shutil
import subprocess
import sys

from . import console, domains, ending, leaks
from .errors import ConsoleFailure, LabError, Timeout
from .lab import Lab
from .pair import Pair
from .params import Params

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LAB = os.path.join(HERE, "lab")


def _guest_kernels(text):
    """{guest: kernel} of "guest1=trixie,guest2=bookworm"."""
    pairs = [item.partition("=") for item in text.split(",")]
    if not all(name and kernel for name, _, kernel in pairs):
        raise argparse.ArgumentTypeError(f"{text}: expected GUEST=KERNEL,...")
    return {name: kernel for name, _, kernel in pairs}


def _parameters(parser):
    group = parser.add_argument_group("parameters")
    add = group.add_argument
    add("--guests", type=int, metavar="N", help="number of guests (2)")
    add("--guest-type", choices=["pv", "pvh"], help="kind of guests (pv)")
    add("--guest-memory", type=int, metavar="MIB", help="of each guest (256)")
    add("--guest-cpus", type=int, metavar="N", help="of each guest (1)")
    add("--guest-suite", metavar="SUITE", help="guest userland (trixie)")
    add("--guest-options", metavar="WORDS", help="guest kernel command line")
    add("--kernel", metavar="SUITE[/PACKAGE]",
        help="kernel of dom0 and guests (trixie/linux-image-amd64)")
    add("--guest-kernel", metavar="GUEST=KERNEL,...", type=_guest_kernels,
        dest="guest_kernels", help="of guests that have another than dom0")
    add("--xen", metavar="SUITE[/VERSION]", help="hypervisor (trixie/4.20)")
    add("--xen-options", metavar="WORDS", help="Xen's command line")
    add("--dom0-options", metavar="WORDS", help="dom0 kernel command line")
    add("--dom0-memory", type=int, metavar="MIB", help="of dom0 (768)")
    add("--packages", metavar="A,B", help="more Debian packages in guests",
        type=lambda text: [name for name in text.split(",") if name])
    add("--cpus", type=int, metavar="N",
        help="of the machine (2; 1 with --icount)")
    add("--icount", action="store_true", default=None,
        help="count instructions: one is a nanosecond of guest time")
    add("--no-witness", action="store_false", default=None, dest="witness",
        help="guests need not know who holds their memory: for figures")
    add("--memory", type=int, metavar="MIB", help="of the machine")


def _params(arguments):
    names = [field.name for field in dataclasses.fields(Params)]
    given = {name: getattr(arguments, name) for name in names
             if getattr(arguments, name, None) is not None}
    return Params(**given)


def parser():
    """The argument parser."""
    main_parser = argparse.ArgumentParser(
        prog="lab", description=sys.modules["xenlab"].__doc__)
    main_parser.add_argument("--name", help="which lab (default, or "
                             "$XENVMC_LAB)")
    main_parser.add_argument("-q", "--quiet", action="store_true",
                             help="no progress messages")
    verbs = main_parser.add_subparsers(dest="verb", required=True,
                                       metavar="VERB")

    def verb(name, text, parameters=False):
        sub = verbs.add_parser(name, help=text, description=text)
        if parameters:
            _parameters(sub)
        return sub

    verb("prepare", "make the trees and images; boot nothing", True)
    verb("build", "build modules and tools for the guests", True)
    sub = verb("up", "boot Xen, dom0 and the guests", True)
    sub.add_argument("--hosts", type=int, choices=[1, 2], default=1,
                     help="with 2, labs NAME-1 and NAME-2 on one segment")
    verb("down", "end the machine, or both")
    verb("status", "say what runs")
    verb("check", "look for failures in all consoles")
    sub = verb("leaks", "count what the guests hold")
    sub.add_argument("--since", metavar="FILE",
                     help="what was printed before: wait until it is so again")
    verb("reload", "rebuild modules and tools, restart the guests")
    sub = verb("exec", "run a command: a single word is a shell command line")
    sub.add_argument("--timeout", type=float, metavar="S")
    sub.add_argument("-t", dest="terminal", action="store_true",
                     help="give it a terminal")
    sub.add_argument("where", metavar="dom0|guestK")
    sub.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- CMD")
    sub = verb("shell", "a shell with a terminal")
    sub.add_argument("where", metavar="dom0|guestK")
    sub = verb("push", "copy files into domains (default: /root everywhere)")
    sub.add_argument("files", nargs="+", metavar="FILE")
    sub = verb("pull", "copy a file or folder out of a domain")
    sub.add_argument("source", metavar="dom0|guestK:PATH")
    sub.add_argument("folder", nargs="?", default=".")
    sub = verb("console", "print a console")
    sub.add_argument("where", nargs="?", default="xen",
                     metavar="xen|dom0|guestK")
    sub.add_argument("-f", dest="follow", action="store_true",
                     help="follow it")
    sub.add_argument("-i", dest="interactive", action="store_true",
                     help="a guest's console to type on (leave with Ctrl-])")
    sub = verb("guest", "start, stop, destroy, save, restore or migrate a guest")
    sub.add_argument("action", choices=["start", "stop", "destroy", "save",
                                        "restore", "migrate"])
    sub.add_argument("--to", type=int, choices=[1, 2],
                     help="migrate: the host (the other one)")
    sub.add_argument("guests", nargs="+", metavar="K")
    sub = verb("run", "boot if needed, run a script that may use $LAB, "
               "tear down", True)
    sub.add_argument("--fresh", action="store_true",
                     help="end a lab of that name that is up")
    sub.add_argument("script")
    sub.add_argument("arguments", nargs=argparse.REMAINDER)
    return main_parser


def _status(lab):
    if not lab.running():
        print(f"lab {lab.name}: down")
        return 1
    params = lab.params()
    guests = ", ".join(f"{name} (domain {lab.domid(name)})"
                       for name in lab.guests_running())
    print(f"lab {lab.name}: up, Xen {params.xen}, kernel "
          f"{', '.join(lab.state()['versions'])}, guests: {guests or 'none'}")
    return 0


def _check(lab):
    found = lab.findings()
    for finding in found:
        print(console.describe(finding))
    if not found:
        lab.check()
    return 125 if found else 0


def _leaks(lab, arguments):
    if arguments.since:
        with open(arguments.since, encoding="utf-8") as handle:
            leaks.check(lab, json.load(handle))
    else:
        json.dump(leaks.count(lab), sys.stdout, indent=1)
    return 0


def _exec(lab, arguments):
    argv = arguments.argv
    if argv[:1] == ["--"]:
        argv = argv[1:]
    if not argv:
        raise LabError("exec: no command given")
    return lab.exec_through(arguments.where,
                            argv[0] if len(argv) == 1 else argv,
                            arguments.timeout, arguments.terminal)


def _push(lab, arguments):
    files, target = arguments.files, None
    if ":" in files[-1] and not os.path.exists(files[-1]):
        files, target = files[:-1], files[-1]
    if not files:
        raise LabError("push: no file given")
    lab.push(files, target)
    return 0


def _pull(lab, arguments):
    where, colon, path = arguments.source.partition(":")
    if not colon or not path:
        raise LabError(f"pull: {arguments.source}: expected dom0:PATH or "
                       "guestK:PATH")
    lab.pull(where, path, arguments.folder)
    return 0


def _console(lab, arguments):
    where = arguments.where
    if arguments.interactive:
        return lab.exec_through("dom0", ["xl", "console",
                                         domains.place(where)],
                                terminal=True)
    name = "xen" if where in ("xen", "dom0") else \
        "guest-" + domains.place(where)
    path = os.path.join(lab.consoles.folder, name + ".log")
    if not os.path.exists(path):
        raise LabError(f"{where}: no console yet")
    if arguments.follow:
        os.execvp("tail", ["tail", "-n", "+1", "-f", path])
    with open(path, "rb") as handle:
        shutil.copyfileobj(handle, sys.stdout.buffer)
    return 0


def _guest(lab, arguments):
    names = [domains.place(name) for name in arguments.guests]
    if arguments.action == "migrate":
        for name in names:
            Pair(lab.name, lab.quiet).migrate(name, arguments.to)
    elif arguments.action in ("start", "destroy"):
        getattr(lab, "guest_" + arguments.action)(*names)
    else:
        for name in names:
            getattr(lab, "guest_" + arguments.action)(name)
    return 0


def _fits(lab, params):
    """One that is up is used as it is: the options must not say otherwise."""
    if params not in (Params(), lab.params()):
        raise LabError(f"lab {lab.name} is up with other options (lab down, or "
                       "run --fresh)")
    lab.say(f"{lab.name} is up: with the modules that its guests have")


def _run(lab, arguments):
    params = _params(arguments)
    if arguments.fresh:
        lab.down()
    mine = not lab.running()
    if mine:
        lab.up(params)
    else:
        _fits(lab, params)
    mark = {} if mine else lab.mark()
    try:
        environment = dict(os.environ, LAB=LAB, XENVMC_LAB=lab.name)
        script = arguments.script
        if os.path.exists(script):
            script = os.path.abspath(script)
        with subprocess.Popen([script] + arguments.arguments,
                              env=environment) as child:
            try:
                status = child.wait()
            except BaseException:
                child.terminate()
                raise
        lab.check(mark)
    finally:
        if mine:
            lab.down()
    return status if status >= 0 else 128 - status


def _dispatch(lab, arguments):
    def two():
        return Pair(lab.name, lab.quiet)
    simple = {"down": lambda: (lab.down(), two().down()),
              "reload": lab.reload,
              "up": lambda: (two() if arguments.hosts == 2 else lab).up(
                  _params(arguments)),
              "prepare": lambda: lab.prepare(_params(arguments)),
              "build": lambda: lab.build(_params(arguments))}
    if arguments.verb in simple:
        simple[arguments.verb]()
        return 0
    if arguments.verb == "shell":
        return lab.exec_through(arguments.where, "exec bash -l",
                                terminal=True)
    with_arguments = {"exec": _exec, "push": _push, "pull": _pull,
                      "console": _console, "guest": _guest, "run": _run,
                      "leaks": _leaks}
    if arguments.verb in with_arguments:
        return with_arguments[arguments.verb](lab, arguments)
    return {"status": _status, "check": _check}[arguments.verb](lab)


def main(argv=None):
    """Run the command line; return the exit status."""
    arguments = parser().parse_args(argv)
    ending.on_signals()
    try:
        return _dispatch(Lab(arguments.name, arguments.quiet), arguments)
    except ConsoleFailure as error:
        print(f"lab: {error}", file=sys.stderr)
        return 125
    except Timeout as error:
        print(f"lab: {error}", file=sys.stderr)
        return 124
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
