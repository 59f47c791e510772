#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""spec.py [SPEC HEADER]: compare the YAML description with the C header.

Names, numbers and the order of commands and attributes must be the same, and
the type that the header has as a comment must fit. TAP.
"""
import os
import re
import sys

import yaml

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../..")
SPEC = os.path.join(TOP, "Documentation/netlink/specs/xenvmc.yaml")
HEADER = os.path.join(TOP, "include/uapi/linux/xenvmc_netlink.h")
# what the header's comment begins with, for types that C has no word for
WORDS = {"indexed-array": "nested", "nest": "nested", "binary": "16-byte"}


def c_name(prefix, name):
    return (prefix + name).replace("-", "_").upper()


def header_enums(text):
    """enum name -> {constant: (number, comment)}; no explicit values there."""
    enums = {}
    for name, body in re.findall(r"enum (\w+) \{(.*?)\};", text, re.S):
        found = re.findall(r"^\t(\w+),?[ \t]*(?:/\* (.*?) \*/)?$", body, re.M)
        enums[name] = {constant: (number, comment) for number,
                       (constant, comment) in enumerate(found)
                       if not constant.startswith("__")}
    return enums


def compare(want, have):
    problems = [f"only in the spec: {n}" for n in want if n not in have]
    problems += [f"only in the header: {n}" for n in have if n not in want]
    problems += [f"{n}: spec {want[n]}, header {have[n]}" for n in want
                 if n in have and want[n] != have[n]]
    return problems


def check_commands(spec, enums):
    ops = spec["operations"]
    want = {"XENVMC_CMD_UNSPEC": 0}
    want.update({c_name(ops["name-prefix"], op["name"]): op["value"]
                 for op in ops["list"]})
    have = {n: number for n, (number, _) in enums["xenvmc_cmd"].items()}
    return compare(want, have)


def check_set(attrs, enums):
    prefix = attrs["name-prefix"]
    have = enums["xenvmc_attr_" + attrs["name"]]
    want = {c_name(prefix, "unspec"): 0}
    problems = []
    for number, attr in enumerate(attrs["attributes"], 1):
        name = c_name(prefix, attr["name"])
        want[name] = attr.get("value", number)
        comment = have.get(name, (0, ""))[1]
        word = WORDS.get(attr["type"], attr["type"])
        if comment and not comment.startswith(word):
            problems.append(f'{name}: spec {attr["type"]}, header "{comment}"')
    return problems + compare(want, {n: v for n, (v, _) in have.items()})


def check_uses(spec):
    """Commands name attributes that exist; every attribute is used."""
    problems = []
    for attrs in spec["attribute-sets"]:
        names = {a["name"] for a in attrs["attributes"] if a["type"] != "pad"}
        used = set()
        for op in spec["operations"]["list"]:
            if op["attribute-set"] != attrs["name"]:
                continue
            for mode in ("do", "dump"):
                for way in op.get(mode, {}).values():
                    used.update(way["attributes"])
            used.update(op.get("event", {}).get("attributes", []))
        for nest in attrs["attributes"]:
            if nest.get("nested-attributes") == attrs["name"]:
                used |= names
        problems += [f'{attrs["name"]}: {n}' for n in used ^ names]
    return problems


def check_family(spec, text):
    want = {"XENVMC_GENL_NAME": f'"{spec["name"]}"',
            "XENVMC_GENL_VERSION": str(spec["version"])}
    group, = spec["mcast-groups"]["list"]
    want["XENVMC_GENL_GROUP"] = f'"{group["name"]}"'
    have = dict(re.findall(r"^#define (XENVMC_GENL_\w+)\s+(.*)$", text, re.M))
    return compare(want, have)


def main():
    spec_path, header_path = sys.argv[1:] or (SPEC, HEADER)
    with open(spec_path, encoding="utf-8") as file:
        spec = yaml.safe_load(file)
    with open(header_path, encoding="utf-8") as file:
        text = file.read()
    enums = header_enums(text)
    results = [("family", check_family(spec, text)),
               ("commands", check_commands(spec, enums)),
               ("uses of attributes", check_uses(spec))]
    results += [("attributes of " + s["name"], check_set(s, enums))
                for s in spec["attribute-sets"]]
    sets = {"xenvmc_attr_" + s["name"] for s in spec["attribute-sets"]}
    results.append(("all enums are described",
                    sorted(sets ^ (set(enums) - {"xenvmc_cmd"}))))
    print("TAP version 13", f"1..{len(results)}", sep="\n")
    for number, (name, problems) in enumerate(results, 1):
        for problem in problems:
            print("#", problem)
        print(f"{'not ok' if problems else 'ok'} {number} {name}")
    return 1 if any(problems for _, problems in results) else 0


if __name__ == "__main__":
    sys.exit(main())
