# SPDX-License-Identifier: GPL-2.0
"""Builds the kernel modules and the userspace tools that guests get.

Kernels before 6.13 write objects beside the sources, so the sources are
mirrored into build/ first; a file is touched only when it changed, which
keeps rebuilds short. Results: build/guest/VERSION/*.ko and, for each userland,
build/guest/tools-SUITE.
"""
import filecmp
import glob
import os
import shutil
import subprocess

from . import cache, recipes, tree
from .errors import CommandFailed

# Folders with a Kbuild file, and what their sources include by path.
MODULES = ("net/xenvmc", "selftests/hostile", "selftests/witness")
SOURCES = ("net", "include", "selftests/hostile", "selftests/witness")
# More of both, for the sanitizer kernel only: bugs that it has to see
PLANTED = ("selftests/debug",)
# Folders with a Makefile that takes O=; their programs go to all domains.
TOOLS = ("userspace", "selftests/loop", "selftests/model", "selftests/stamp",
         "selftests/census", "selftests/bench")


def mirror(source, target):
    """Make the files of @target those of @source; leave equal ones alone and
    what the build added in place."""
    listed = set()
    for folder, folders, files in os.walk(source):
        inner = os.path.relpath(folder, source)
        os.makedirs(os.path.join(target, inner), exist_ok=True)
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            old = os.path.normpath(os.path.join(target, inner, name))
            new = os.path.join(folder, name)
            listed.add(old)
            if not os.path.exists(old) or not filecmp.cmp(new, old, False):
                shutil.copyfile(new, old)
    stamp = target + ".files"
    for old in _read_lines(stamp):
        if old not in listed and os.path.exists(old):
            os.unlink(old)
    with open(stamp, "w", encoding="utf-8") as handle:
        handle.writelines(name + "\n" for name in sorted(listed))


def _read_lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as handle:
        return handle.read().splitlines()


def _run(tools, argv, cwd, visible):
    done = subprocess.run(tree.enter(tools.path, argv, cwd, visible),
                          stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise CommandFailed(f"{' '.join(argv)} failed with status "
                            f"{done.returncode}")


def _locked(folder):
    os.makedirs(folder, exist_ok=True)
    return cache.locked(os.path.join(folder, "guest.lock"))


def _jobs():
    return f"-j{os.cpu_count() or 1}"


def _modules(repo, folder, tools, more=(), words=()):
    version = recipes.kernel_version(tools)
    sources = os.path.join(folder, "guest", version, "src")
    os.makedirs(sources, exist_ok=True)
    for name in SOURCES + more:
        if os.path.isdir(os.path.join(repo, name)):
            mirror(os.path.join(repo, name), os.path.join(sources, name))
    out = os.path.join(folder, "guest", version)
    built, symbols = [], []
    for name in MODULES + more:
        place = os.path.join(sources, name)
        if not glob.glob(os.path.join(place, "Kbuild")):
            continue
        _run(tools, ["make", "-s", _jobs(), "-C",
                     f"/lib/modules/{version}/build", f"M={place}",
                     f"KBUILD_EXTRA_SYMBOLS={' '.join(symbols)}",
                     # Guests have no use for debug information
                     "KCFLAGS=-g0", "CONFIG_DEBUG_INFO_BTF_MODULES=",
                     *words, "modules"], folder, [folder])
        symbols.append(os.path.join(place, "Module.symvers"))
        built += glob.glob(os.path.join(place, "**", "*.ko"), recursive=True)
    for old in glob.glob(os.path.join(out, "*.ko")):
        os.unlink(old)
    for module in built:
        shutil.copy2(module, out)
    return out


def _tools(repo, folder, suite, tools):
    out = os.path.join(folder, "guest", f"tools-{suite}")
    os.makedirs(out, exist_ok=True)
    programs = set()
    for name in TOOLS:
        source = os.path.join(repo, name)
        if not os.path.exists(os.path.join(source, "Makefile")):
            continue
        objects = os.path.join(folder, "guest", "obj", suite, name)
        os.makedirs(objects, exist_ok=True)
        _run(tools, ["make", "-s", _jobs(), "-C", source, f"O={objects}"],
             repo, [repo, folder])
        programs |= _copy_programs(objects, out)
    for name in set(os.listdir(out)) - programs:
        os.unlink(os.path.join(out, name))


def _copy_programs(objects, out):
    """Their names. Others may use the folder: each program is there, old or
    new, at any moment."""
    names = set()
    for place, _, files in os.walk(objects):
        for name in files:
            path = os.path.join(place, name)
            if os.access(path, os.X_OK) and not name.endswith(".o"):
                names.add(name)
                target = os.path.join(out, name)
                shutil.copy2(path, target + ".new")
                os.replace(target + ".new", target)
    return names


def build(repo, folder, params, say):
    """Build modules against the kernels of dom0 and the guests, tools against
    their userlands. Returns the folder of the modules for dom0's."""
    versions = []
    for kernel in params.kernels():
        tools = recipes.build(kernel, say)
        versions.append(recipes.kernel_version(tools))
        with _locked(folder):
            _modules(repo, folder, tools,
                     PLANTED if kernel == recipes.DEBUG else ())
    for suite in {params.guest_suite, recipes.xen_parts(params.xen)[0]}:
        build_tools(repo, folder, suite, say)
    return os.path.join(folder, "guest", versions[0])


def build_faulty(repo, folder, params, say):
    """Build modules for dom0's kernel whose calls fail on purpose (fault.h in
    net/xenvmc), beside those that do not. Returns their folder."""
    folder = os.path.join(folder, "faulty")
    tools = recipes.build(params.kernel, say)
    with _locked(folder):
        return _modules(repo, folder, tools, words=["XENVMC_FAULTS=y"])


def build_tools(repo, folder, suite, say):
    """Build the tools against the userland of @suite. Returns their folder."""
    tools = recipes.build(suite, say)
    with _locked(folder):
        _tools(repo, folder, suite, tools)
    return os.path.join(folder, "guest", f"tools-{suite}")


def collect(folder, version, target, suite="trixie"):
    """Put what a domain gets at /opt/xenvmc into @target: modules, tools/."""
    cache.remove_tree(target)
    os.makedirs(os.path.join(target, "tools"))
    for path in glob.glob(os.path.join(folder, "guest", version, "*.ko")):
        shutil.copy2(path, target)
    tools = os.path.join(folder, "guest", f"tools-{suite}")
    if os.path.isdir(tools):
        shutil.copytree(tools, os.path.join(target, "tools"),
                        dirs_exist_ok=True)
