# SPDX-License-Identifier: GPL-2.0
"""Documentation/transparency.rst names tests, options and reasons that exist."""
import re

import docutils.core
import docutils.nodes

PAGE = "Documentation/transparency.rst"
OPTIONS = "selftests/loop/options.c"
# Tries each option of the table in OPTIONS
EACH_OPTION = "option_answers_as_tcp_does"


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
    """Options that are tried, and whether they take a connection back."""
    found = re.findall(r"(?m)^\t\{ (?:SOCK|TCP|IP|IPV6)\((\w+)\)([^{\n]*)",
                       text[OPTIONS])
    return {name: bool(re.search(r"\bBACK\b", flags))
            for name, flags in found}


def rows(text):
    """(names, verdict, tests, line) of each row of the page."""
    tree = docutils.core.publish_doctree(
        text[PAGE], settings_overrides={"report_level": 5})
    for row in tree.findall(docutils.nodes.row):
        cells = list(row.findall(docutils.nodes.entry))
        if isinstance(row.parent, docutils.nodes.thead):
            continue
        words = [[node.astext() for node in
                  cell.findall(docutils.nodes.literal)] for cell in cells]
        yield words[0], cells[1].astext(), words[-1]


def option_row(names, back, known, seen):
    """What is wrong with a row of options."""
    for name in names:
        if name not in known:
            yield f"{name} is not tried by {OPTIONS}"
        elif known[name] != back:
            yield f"{name}: {OPTIONS} has it the other way"
        if name in seen:
            yield f"{name} is there twice"
        seen.add(name)


def check(tree):
    """What the page says and the tests do not bear out."""
    known, tried = tests(tree.text), options(tree.text)
    reasons = set(re.findall(r"XENVMC_REASON_(\w+)",
                             tree.text["include/uapi/linux/xenvmc.h"]))
    seen = set()
    for names, verdict, shown in rows(tree.text):
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
            yield from option_row(names, verdict.startswith("back"), tried,
                                  seen)
    for name in sorted(set(tried) - seen):
        yield f"{PAGE}: {name} is missing"
