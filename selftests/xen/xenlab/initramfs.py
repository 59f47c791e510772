# SPDX-License-Identifier: GPL-2.0
"""Writes initramfs archives (cpio, newc) without a staging folder or root."""
import os
import stat


class Archive:
    """A cpio archive in the making; everything in it belongs to root."""

    def __init__(self, path):
        self.handle = open(path, "wb")  # pylint: disable=consider-using-with
        self.inode = 0
        self.folders = set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._entry("TRAILER!!!", 0, b"")
        self.handle.close()

    def _entry(self, name, mode, data, device=(0, 0)):
        self.inode += 1
        encoded = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0,
                  device[0], device[1], len(encoded), 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields)
        self.handle.write(head + encoded)
        self.handle.write(b"\0" * (-(len(head) + len(encoded)) % 4))
        self.handle.write(data)
        self.handle.write(b"\0" * (-len(data) % 4))

    def folder(self, name, mode=0o755):
        """Add a folder and those above it."""
        name = name.strip("/")
        if not name or name in self.folders:
            return
        self.folder(os.path.dirname(name))
        self.folders.add(name)
        self._entry(name, stat.S_IFDIR | mode, b"")

    def data(self, name, data, mode=0o644):
        """Add a file with the bytes @data."""
        name = name.strip("/")
        self.folder(os.path.dirname(name))
        self._entry(name, stat.S_IFREG | mode, data)

    def file(self, name, path):
        """Add the file @path, executable if it is."""
        with open(path, "rb") as handle:
            mode = 0o755 if os.access(path, os.X_OK) else 0o644
            self.data(name, handle.read(), mode)

    def link(self, name, target):
        """Add a symbolic link."""
        name = name.strip("/")
        self.folder(os.path.dirname(name))
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def tree(self, name, path):
        """Add all files below the folder @path, following links."""
        self.folder(name)
        for folder, _, files in os.walk(path, followlinks=True):
            inner = os.path.relpath(folder, path)
            for item in sorted(files):
                self.file(os.path.normpath(os.path.join(name, inner, item)),
                          os.path.join(folder, item))

    def device(self, name, major, minor):
        """Add a character device."""
        name = name.strip("/")
        self.folder(os.path.dirname(name))
        self._entry(name, stat.S_IFCHR | 0o600, b"", (major, minor))
