#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""rules.py [FOLDER]: holds the rules that a machine can check. TAP.

Layers, words that do not belong, sizes, licences. What is excused stands with
its reason in the file "exceptions" beside this one. Each rule on words carries
an example of what it forbids, and is tried on it first.
"""
import dataclasses
import os
import re
import shutil
import subprocess
import sys

import surface

HERE = os.path.dirname(os.path.abspath(__file__))
KERNEL_C = r"net/xenvmc/.*\.[ch]"
SOURCE = r".*\.([chsS]|py|sh)|.*Makefile|.*Kbuild|.*Kconfig|SCRIPT"
XEN = r"(grant|evtchn|xenstore|trans_xen|discovery|migrate|halt)"
TRANSPORT = r"(grant|evtchn|xenstore|trans_xen|discovery|migrate|halt|" \
            r"trans_loop)"
FILE_LINES = 800
SHELL_LINES = 400
FUNCTION_LINES = 80
# Calls of the kernel's that take memory, or that it or Xen may refuse
CAN_FAIL = re.compile(
    r"\b([kv][a-z]*alloc\w*|k\w*dup\w*|kv?asprintf|(alloc|kthread)_\w+|"
    r"\w+_z?alloc|get_(zeroed|free)_pages?|(nl|genl)msg_new|skb_copy|"
    r"skb_clone|skb_store_bits|sk_alloc|sock_create\w*|task_work_add|"
    r"kernel_(bind|listen|accept|connect)|xa_(alloc|store|insert|reserve)\w*|"
    r"(\w*_)?register(_\w+)?|prepare_creds|bind_\w+_to_irq\w*|"
    r"request_(threaded_)?irq|gnttab_(grant|alloc|map|unmap)_\w+|"
    r"HYPERVISOR_\w+|xenbus_\w+)\s*\(")
FAILS = re.compile(r"\bxvmc_(should_fail|which_fails)\s*\(")
COLUMNS = 80


@dataclasses.dataclass
class Rule:
    """Lines of files @where, but not of @but, must not match @word."""
    name: str
    where: str
    but: str
    word: str
    example: str
    comments: bool = False      # also in comments


RULES = [
    Rule("xen-headers", KERNEL_C, r"net/xenvmc/" + XEN + r"\.[ch]",
         r"#\s*include\s*<(asm/)?xen/", "#include <xen/events.h>"),
    Rule("xenstore", KERNEL_C, r"net/xenvmc/xenstore\.c",
         r"\b((un)?register_)?xenbus_\w+\s*\(", "xenbus_scanf(XBT_NIL);"),
    Rule("shared-header", KERNEL_C, r"net/xenvmc/core/ring(_path)?\.[ch]",
         r"hdr->(prod|cons|start|stop|bell|magic|order|gref)",
         "n = ring->hdr->prod - cons;"),
    Rule("core-includes", r"net/xenvmc/core/.*\.[ch]",
         r"net/xenvmc/core/env\.h", r"#\s*include\s*[<]|#\s*include\s*\"\.\.",
         "#include <linux/slab.h>"),
    # Includes point downward: sockets, engine, transports
    Rule("hook-is-on-top", KERNEL_C, r"net/xenvmc/hook(_\w+)?\.[ch]",
         r"#\s*include\s*\"hook\.h\"", "#include \"hook.h\""),
    Rule("streams-are-on-top", KERNEL_C,
         r"net/xenvmc/(stream\w*|af_xenvmc|addr|table)\.[ch]",
         r"#\s*include\s*\"(stream|af_xenvmc)\.h\"", "#include \"stream.h\""),
    Rule("transports-below", r"net/xenvmc/" + TRANSPORT + r"\.[ch]", "",
         r"#\s*include\s*\"(conn|rings|stream|af_xenvmc|hook|tap)\.h\"",
         "#include \"conn.h\""),
    Rule("own-transport", KERNEL_C, r"net/xenvmc/" + XEN + r"\.[ch]",
         r"#\s*include\s*\"(grant|evtchn|xenstore|trans_xen)\.h\"",
         "#include \"grant.h\""),
    Rule("conn-state", KERNEL_C, r"net/xenvmc/(conn|control)\.c",
         r"\bconn->state\s*=[^=]|WRITE_ONCE\(conn->state",
         "conn->state = XVMC_CONN_UP;"),
    Rule("socket-tables", KERNEL_C, r"net/xenvmc/(hook\w*|af_xenvmc)\.c",
         r"->(sk_prot|sk_socket->ops)\s*(=[^=]|,)|\bsock->ops\s*(=[^=]|,)",
         "WRITE_ONCE(sk->sk_prot, &copy);"),
    Rule("no-bug", KERNEL_C, "", r"\b(BUG(_ON)?|panic)\s*\(", "BUG_ON(x);"),
    Rule("no-parameters", KERNEL_C, "", r"\bmodule_param", "module_param(x);"),
    Rule("no-kallsyms", KERNEL_C, "", r"kallsyms_lookup",
         "p = kallsyms_lookup_name(s);"),
    Rule("no-version", KERNEL_C + r"|.*Kbuild", r"net/xenvmc/compat.*",
         r"LINUX_VERSION|KERNEL_VERSION", "#if LINUX_VERSION_CODE > 1"),
    Rule("no-inline", r"net/xenvmc/.*\.c", "", r"^(static\s+)?inline\b",
         "static inline int f(void)"),
    Rule("no-busy-wait", KERNEL_C, "", r"\b[umn]delay\s*\(", "udelay(5);"),
    Rule("no-leftovers", SOURCE + r"|.*\.rst", r"selftests/check/rules\.py",
         r"\b(TODO|FIXME|XXX)\b", "/* TODO: check */", comments=True),
    Rule("no-kill-by-name", SOURCE, r"selftests/check/rules\.py",
         r"\b(killall|pkill)\b", "killall iperf3"),
    Rule("white-space", SOURCE, "", r"[ \t]$|^ +\t", "int x; ",
         comments=True),
]


def listed(folder):
    """The files of the project: known to git, or not ignored by it."""
    done = subprocess.run(
        ["git", "-C", folder, "ls-files", "-z", "-c", "-o",
         "--exclude-standard"], stdout=subprocess.PIPE, check=True)
    return sorted(name for name in done.stdout.decode().split("\0")
                  if name and os.path.isfile(os.path.join(folder, name)))


def strip_comments(text):
    """C without comments, line for line."""
    def blank(match):
        found = match.group(0)
        return found if found[0] in "\"'" else "\n" * found.count("\n") or " "
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
                  blank, text, flags=re.S)


class Tree:
    """The files of the project and what is excused in them."""

    def __init__(self, folder):
        self.folder = folder
        self.text = {}
        for name in listed(folder):
            with open(os.path.join(folder, name), "rb") as handle:
                data = handle.read()
            if b"\0" not in data:
                self.text[name] = data.decode("utf-8", "replace")
        self.excused = {}
        self.used = set()
        with open(os.path.join(HERE, "exceptions"),
                  encoding="utf-8") as handle:
            for line in handle:
                words = line.split(None, 2)
                if words and not line.startswith("#"):
                    self.excused[tuple(words[:2])] = words[2:]

    def is_excused(self, rule, name, what=""):
        """True if the exceptions name this finding; remembers its use."""
        for key in ((rule, name), (rule, f"{name}:{what}")):
            if key in self.excused:
                self.used.add(key)
                return True
        return False

    def files(self, pattern):
        """Names that match; scripts without an ending match "SCRIPT"."""
        for name, text in self.text.items():
            script = text.startswith("#!") and "." not in \
                os.path.basename(name)
            if re.fullmatch(pattern, name) or \
                    script and re.fullmatch(pattern, "SCRIPT"):
                yield name, text


def word_rule(tree, rule):
    """Lines that break a rule on words."""
    for name, text in tree.files(rule.where):
        if re.fullmatch(rule.but, name) or tree.is_excused(rule.name, name):
            continue
        if not rule.comments and re.search(r"\.[ch]$", name):
            text = strip_comments(text)
        for number, line in enumerate(text.split("\n"), 1):
            if re.search(rule.word, line):
                yield f"{name}:{number}: {line.strip()}"


def examples(_tree):
    """Rules on words that do not notice their own example."""
    for rule in RULES:
        if not re.search(rule.word, rule.example):
            yield f"{rule.name}: {rule.example}"


def functions(text):
    """(name, line, length) of C functions: braces in the first column."""
    begin = name = None
    for number, line in enumerate(text.split("\n"), 1):
        if re.match(r"[A-Za-z_].*\(", line) and begin is None:
            found = re.match(r"[^(]*?(\w+)\(", line)
            name = found.group(1) if found else "?"
        if line.startswith("{"):
            begin = number
        elif line.startswith("}") and begin is not None:
            yield name, begin, number - begin - 1
            begin = None


def function_size(tree):
    """Functions that are too long."""
    for name, text in tree.files(r".*\.[ch]"):
        for function, line, length in functions(text):
            if length > FUNCTION_LINES and \
                    not tree.is_excused("function-size", name, function):
                yield f"{name}:{line}: {function} has {length} lines"


def file_size(tree):
    """Files that are too long."""
    for name, text in tree.files(SOURCE):
        shell = re.match(r"#!.*\b(ba)?sh\b", text)
        limit = SHELL_LINES if shell else FILE_LINES
        lines = text.count("\n")
        if lines > limit and not tree.is_excused("file-size", name):
            yield f"{name}: {lines} lines, at most {limit}"


def columns(tree):
    """Lines of kernel code that are too wide."""
    for name, text in tree.files(KERNEL_C):
        for number, line in enumerate(text.split("\n"), 1):
            wide = len(line.expandtabs(8))
            # A message is not broken: it is searched for
            if wide > COLUMNS and not re.search(r'^\s*"', line) and \
                    not tree.is_excused("columns", name):
                yield f"{name}:{number}: {wide} columns"


def spdx(tree):
    """Sources that do not name their licence at the top."""
    for name, text in tree.files(SOURCE + r"|.*\.(rst|yaml|[1-8])"):
        head = "\n".join(text.split("\n", 3)[:3])
        if text and "SPDX-License-Identifier: " not in head and \
                not tree.is_excused("spdx", name):
            yield name


def shellcheck(tree):
    """What shellcheck says of the shell scripts."""
    if not shutil.which("shellcheck"):
        yield "shellcheck is not installed"
        return
    names = [name for name, text in tree.text.items()
             if re.match(r"#!.*\b(ba|da)?sh\b", text)
             and not tree.is_excused("shellcheck", name)]
    # sh is dash or busybox here, which know "-nt"
    done = subprocess.run(["shellcheck", "-f", "gcc", "-e", "SC2187,SC3013"]
                          + names,
                          cwd=tree.folder, stdout=subprocess.PIPE, text=True,
                          check=False)
    yield from done.stdout.splitlines()


def readme(tree):
    """Examples that stand in the README otherwise than in their files."""
    text = re.sub(r"(?m)^  ", "", tree.text["README.rst"])
    for name, source in tree.files(r"userspace/examples/.*\.c"):
        if source.strip() not in text:
            yield f"{name}: not what README.rst shows"


def fault_sites(tree):
    """Calls that can fail on purpose and that no test has fail."""
    sites = re.findall(r'X\(\w+,\s*"(\w+)"\)',
                       tree.text["net/xenvmc/fault.h"])
    tests = "".join(text for _, text in tree.files(
        r"selftests/(faults|debug)/.*\.py"))
    if not sites:
        yield "net/xenvmc/fault.h: no site was found"
    for site in sites:
        if f'"{site}"' not in tests:
            yield f"net/xenvmc/fault.h: {site} is in no test"


def fault_calls(tree):
    """Functions in which more calls can fail than fail on purpose."""
    if not CAN_FAIL.search("p = kzalloc(1, GFP_KERNEL);"):
        yield "does not notice its example"
    sources = {name: strip_comments(text)
               for name, text in tree.files(r"net/xenvmc/[^/]*\.c")}
    ours = {function for text in sources.values()
            for function, _, _ in functions(text)}
    for name, text in sources.items():
        lines = text.split("\n")
        for function, line, length in functions(text):
            body = "\n".join(lines[line:line + length])
            calls = [call[0] for call in CAN_FAIL.findall(body)
                     if call[0] not in ours]
            if len(calls) > len(FAILS.findall(body)) and \
                    not tree.is_excused("fault-calls", name, function):
                yield f"{name}:{line}: {function}: {' '.join(calls)}"


def stale(tree):
    """Exceptions that excuse nothing, or have no reason."""
    for key, reason in tree.excused.items():
        present = key[1].partition(":")[0] in tree.text
        if present and key not in tree.used:
            yield f"{' '.join(key)}: excuses nothing"
        if not reason:
            yield f"{' '.join(key)}: no reason given"


def main(folder):
    """Runs all rules; the number of the broken ones."""
    tree = Tree(folder)
    tests = [("rules notice their examples", examples)]
    tests += [(rule.name, lambda tree, rule=rule: word_rule(tree, rule))
              for rule in RULES]
    tests += [("file-size", file_size), ("function-size", function_size),
              ("columns", columns), ("spdx", spdx),
              ("shellcheck", shellcheck), ("readme-examples", readme),
              ("fault-sites", fault_sites), ("fault-calls", fault_calls),
              ("transparency", surface.check),
              ("transparency has all options", surface.headers),
              ("exceptions are in use", stale)]
    print("TAP version 13")
    print(f"1..{len(tests)}")
    broken = 0
    for number, (name, test) in enumerate(tests, 1):
        findings = list(test(tree))
        for finding in findings:
            print(f"# {finding}")
        print(f"{'not ok' if findings else 'ok'} {number} {name}", flush=True)
        broken += bool(findings)
    return broken


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1] if len(sys.argv) > 1
                       else os.path.join(HERE, "../.."))))
