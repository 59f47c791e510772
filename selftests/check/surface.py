# SPDX-License-Identifier: GPL-2.0
"""Documentation/transparency.rst names tests, options and reasons that exist,
and all options that a kernel's headers name."""
import os
import re

import docutils.core
import docutils.nodes

PAGE = "Documentation/transparency.rst"
OPTIONS = "selftests/loop/options.c"
# Tries each option of the table in OPTIONS
EACH_OPTION = "option_answers_as_tcp_does"
LEVELS = {"SOCK": "SOL_SOCKET", "TCP": "SOL_TCP", "IP": "SOL_IP",
          "IPV6": "SOL_IPV6"}
# Header of a kernel: levels of its options, which names they have, and which of
# these are not options but what options say
HEADERS = {
    "asm-generic/socket.h": (("SOL_SOCKET",), r"SO_\w+", r"$"),
    "linux/tcp.h": (
        ("SOL_TCP",), r"TCP_\w+",
        r"TCP_(MSS_(DEFAULT|DESIRED)|REPAIR_(ON|OFF|OFF_NO_WP)|"
        r"(MD5SIG|AO)_MAXKEYLEN|MD5SIG_FLAG_\w+|AO_KEYF_\w+|ACCECN_\w+|"
        r"RECEIVE_ZEROCOPY_FLAG_\w+)"),
    "linux/in.h": (("SOL_IP",), r"IP_\w+",
                   r"IP_(PMTUDISC_\w+|DEFAULT_MULTICAST_\w+)"),
    "linux/in6.h": (
        ("SOL_IPV6",), r"IPV6_\w+",
        r"IPV6_(FL_[AFS]_\w+|FLOWINFO_(FLOWLABEL|PRIORITY)|PRIORITY_\w+|"
        r"TLV_\w+|PMTUDISC_\w+|PREFER_SRC_\w+)"),
    # Of both levels
    "linux/in.h MCAST": (("SOL_IP", "SOL_IPV6"), r"MCAST_\w+",
                         r"MCAST_(EX|IN)CLUDE"),
    "linux/netfilter_ipv4.h": (("SOL_IP",), r"SO_\w+", r"$"),
    "linux/netfilter_ipv6/ip6_tables.h": (("SOL_IPV6",), r"IP6T_SO_ORIG\w+",
                                          r"$"),
    # The others are of devices, addresses and routes, and asked of any socket
    "linux/sockios.h": (("ioctl",), r"SIOC(?:INQ|OUTQ|OUTQNSD|GSTAMP|GSKNS)\w*",
                        r"$"),
    "asm-generic/sockios.h": (("ioctl",), r"(?:SIO|FIO)\w+", r"$"),
    "asm-generic/ioctls.h": (("ioctl",), r"(?:FIO|TIOCOUTQ)\w*", r"$"),
}
DEFINED = r"(?m)^#\s*define[ \t]+(%s)[ \t]+(\S+)"


def tests(text):
    """Names of all tests of @text, a dict of files: cases of the library check
    that are registered, and of selftests/hook those with a decorator."""
    names = set()
    for name, content in text.items():
        if re.fullmatch(r"selftests/loop/.*\.c", name):
            names |= set(re.findall(r"START_TEST\((\w+)\)", content)) & \
                set(re.findall(r"tcase_add_\w*test\(tc, (\w+)", content))
        elif re.fullmatch(r"selftests/hook/.*\.py", name):
            names |= set(re.findall(r"(?m)^@case.*\n(?:class|def) (\w+)",
                                    content))
    return names


def options(text):
    """(level, name) of options that are tried, and whether they take a
    connection back."""
    found = re.findall(r"(?m)^\t\{ (SOCK|TCP|IP|IPV6)\((\w+)\)([^{\n]*)",
                       text[OPTIONS])
    return {(LEVELS[level], name): bool(re.search(r"\bBACK\b", flags))
            for level, name, flags in found}


def level_of(row):
    """What the section that a row is in is about, by the last word of its
    title."""
    while not isinstance(row, docutils.nodes.section):
        row = row.parent
    return row.next_node(docutils.nodes.title).astext().split()[-1]


def rows(text):
    """(level, names, verdict, tests) of each row of the page."""
    tree = docutils.core.publish_doctree(
        text[PAGE], settings_overrides={"report_level": 5})
    for row in tree.findall(docutils.nodes.row):
        cells = list(row.findall(docutils.nodes.entry))
        if isinstance(row.parent, docutils.nodes.thead):
            continue
        words = [[node.astext() for node in
                  cell.findall(docutils.nodes.literal)] for cell in cells]
        yield level_of(row), words[0], cells[1].astext(), words[-1]


def option_row(level, names, back, known, seen):
    """What is wrong with a row of options. Those that are seen by others stand
    in another section than that of their level."""
    for name in names:
        keys = [key for key in known if key[1] == name]
        key = (level, name) if (level, name) in known or len(keys) != 1 \
            else keys[0]
        if key not in known:
            yield f"{name} is not tried by {OPTIONS}"
        elif known[key] != back:
            yield f"{name}: {OPTIONS} has it the other way"
        if key in seen:
            yield f"{name} is there twice"
        seen.add(key)


def listed(text):
    """(level, name) of all options and requests that the page has a row of."""
    names = set(options(text))
    for level, words, _, _ in rows(text):
        names |= {(level, name) for word in words for name in word.split()}
    return names


def defined(header, name, not_options):
    """Names of options in the text of a header: aliases are what they stand for,
    and of two sizes of a time the older one has the option's plain name."""
    values = dict(re.findall(DEFINED % name, header))
    for found, value in values.items():
        if not re.fullmatch(not_options, found) and value not in values and \
                value != found:
            yield found.removesuffix("_OLD")


def unlisted(text, include):
    """Options that the headers below the folder @include name, and the page does
    not."""
    known = listed(text)
    for entry, (levels, name, not_options) in HEADERS.items():
        file = os.path.join(include, entry.split()[0])
        with open(file, encoding="utf-8") as handle:
            found = set(defined(handle.read(), name, not_options))
        if not found:
            yield f"{file}: no option was found"
        for missing in sorted((level, option) for level in levels
                              for option in found
                              if (level, option) not in known):
            yield f"{PAGE}: {' '.join(missing)} is missing"


def headers(tree):
    """The same, of the headers that programs are built with here."""
    yield from unlisted(tree.text, "/usr/include")


def check(tree):
    """What the page says and the tests do not bear out."""
    known, tried = tests(tree.text), options(tree.text)
    reasons = set(re.findall(r"XENVMC_REASON_(\w+)",
                             tree.text["include/uapi/linux/xenvmc.h"]))
    seen = set()
    for level, names, verdict, shown in rows(tree.text):
        what = f"{PAGE}: {', '.join(names) or '(no name)'}"
        kind = re.fullmatch(r"same|back: (\w+)|differs: .+", verdict, re.S)
        if not kind:
            yield f"{what}: neither same nor back nor differs"
        elif kind.group(1) and kind.group(1) not in reasons:
            yield f"{what}: no reason {kind.group(1)}"
        if not names or not shown:
            yield f"{what}: nothing shows it"
        for test in shown:
            if test not in known:
                yield f"{what}: no test {test}"
        if EACH_OPTION in shown:
            yield from option_row(level, names, verdict.startswith("back"),
                                  tried, seen)
    for missing in sorted(set(tried) - seen):
        yield f"{PAGE}: {' '.join(missing)} is missing"
