# SPDX-License-Identifier: GPL-2.0
"""Linux kernel files: the ELF file inside a bzImage, modules and their order.

Emulated machines unpack slowly, so the host does it: Xen and the domain
builder are given plain ELF kernels, the small initramfs plain modules.
"""
import gzip
import lzma
import os
import struct
import subprocess

from .errors import LabError

MAGICS = ((b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ\x00", "xz"),
          (b"\x1f\x8b", "gzip"))


def _unpack(data, what):
    """The last four bytes are the unpacked size: of gzip's own format, and
    after the compressed stream of another."""
    kind = next((k for magic, k in MAGICS if data.startswith(magic)), None)
    if kind == "zstd":
        done = subprocess.run(["zstd", "-q", "-d", "-c"], input=data[:-4],
                              stdout=subprocess.PIPE, check=True)
        return done.stdout
    if kind == "xz":
        return lzma.LZMADecompressor().decompress(data[:-4])
    if kind == "gzip":
        return gzip.decompress(data)
    raise LabError(f"{what}: unknown compression, starts {data[:4].hex()}")


def vmlinux(bzimage, path):
    """Write the ELF kernel inside the file @bzimage to @path."""
    with open(bzimage, "rb") as handle:
        data = handle.read()
    if data[0x202:0x206] != b"HdrS":
        raise LabError(f"{bzimage}: not a bzImage")
    offset, length = struct.unpack_from("<II", data, 0x248)
    start = (data[0x1f1] + 1) * 512 + offset
    plain = _unpack(data[start:start + length], bzimage)
    with open(path, "wb") as handle:
        handle.write(plain)


class Modules:
    """The modules of one kernel, below @folder (…/modules/VERSION)."""

    def __init__(self, folder):
        self.folder = folder
        self.needs = {}
        self.paths = {}
        with open(os.path.join(folder, "modules.dep"),
                  encoding="utf-8") as handle:
            for line in handle:
                path, _, needs = line.partition(":")
                self.needs[path] = needs.split()
                name = os.path.basename(path).split(".ko")[0]
                self.paths[name.replace("-", "_")] = path
        with open(os.path.join(folder, "modules.builtin"),
                  encoding="utf-8") as handle:
            self.builtin = {os.path.basename(line.strip())
                            .removesuffix(".ko").replace("-", "_")
                            for line in handle}

    def closure(self, names):
        """Paths of @names and all they need, in an order that loads. A name
        with a question mark may be missing: not every kernel has it."""
        order = []
        for name in names:
            optional = name.endswith("?")
            name = name.rstrip("?").replace("-", "_")
            if name in self.builtin or optional and name not in self.paths:
                continue
            if name not in self.paths:
                raise LabError(f"{self.folder}: no module {name}")
            path = self.paths[name]
            # modules.dep lists needs so that the last is to be loaded first.
            for item in reversed(self.needs[path]):
                if item not in order:
                    order.append(item)
            if path not in order:
                order.append(path)
        return order

    def read(self, path):
        """The plain contents of a module file."""
        with open(os.path.join(self.folder, path), "rb") as handle:
            data = handle.read()
        if path.endswith(".ko"):
            return data
        return _unpack(data, path)
