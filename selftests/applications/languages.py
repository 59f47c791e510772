# SPDX-License-Identifier: GPL-2.0
"""Servers and clients of our own in languages that have their own ways with
sockets. All send the same messages (echo/) and must get them back."""
import os

from echo.echo import expected
from pair import CLIENT, SERVER, Program, Run, same
from xenlab import cache, tree

HERE = os.path.dirname(os.path.realpath(__file__))
SOURCES = os.path.join(HERE, "echo")
COMPILERS = ["default-jdk-headless", "golang-go"]
SUITE = "trixie"
FOLDER = "/root/echo"
COMPILE = (["env", "CGO_ENABLED=0", "GO111MODULE=off", "go", "build", "-o",
            "echo", "echo.go"],
           ["javac", "-Werror", "-Xlint", "Echo.java"])


def _compilers(say):
    """Debian's compilers in a tree of their own."""
    def make(folder):
        tree.bootstrap(folder, SUITE, COMPILERS,
                       folder.removesuffix(".partial") + ".log")
    entry = cache.Entry("compilers", [SUITE, COMPILERS])
    entry.get(make, say)
    return entry


def build(say):
    """The folder of what guests run: compiled, or as it is."""
    texts = {}
    for name in sorted(os.listdir(SOURCES)):
        path = os.path.join(SOURCES, name)
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as file:
                texts[name] = file.read()

    def make(folder):
        compilers = _compilers(say)
        folder = os.path.join(folder, "echo")
        os.mkdir(folder)
        for name, text in texts.items():
            with open(os.path.join(folder, name), "w",
                      encoding="utf-8") as file:
                file.write(text)
        for argv in COMPILE:
            tree.run(tree.enter(compilers.path, argv, folder, [folder]),
                     os.path.dirname(folder).removesuffix(".partial")
                     + ".log")
    entry = cache.Entry("echo", [SUITE, COMPILERS, COMPILE, texts])
    entry.get(make, say)
    return entry.file("echo")


class Echo(Program):
    """@command: how guests call it. @port: of the server."""
    command, port = "", 0
    count = 300

    def run(self, pair):
        pair.serve(SERVER, f"{self.command} serve {self.port}", self.port)
        told = pair.sh(CLIENT, f"{self.command} run {pair.host} {self.port} "
                       f"{self.count}").split()
        same(tuple(told[:2]), expected(self.count), "answers")
        return Run(self.count / float(told[2]), {"answers": told[:2]})


class Node(Echo):
    """HTTP with connections kept, by Node.js."""
    packages = ("nodejs",)
    what = "HTTP server and client, 300 bodies of 1 to 100,000 bytes there " \
           "and back, 4 connections; each compared"
    command, port = f"node {FOLDER}/echo.js", 7001


class Go(Echo):
    """A static binary of HTTP with connections kept."""
    what = "HTTP server and client, linked statically; the same bodies"
    command, port = f"{FOLDER}/echo", 7002

    def prepare(self, pair):
        pair.sh(CLIENT, f"file=$(ldd {FOLDER}/echo 2>&1); "
                "echo $file | grep -q 'not a dynamic executable'")


class Java(Echo):
    """Selectors and direct buffers."""
    packages = ("openjdk-21-jre-headless",)
    what = "NIO server and client, selectors and direct buffers; the same " \
           "bodies behind their lengths"
    command, port = f"java -Xmx128m -cp {FOLDER} Echo", 7003


class Asyncio(Echo):
    """Streams of asyncio."""
    packages = ("python3",)
    what = "streams server and client; the same messages as Java"
    command, port = f"python3 {FOLDER}/echo.py", 7004


PROGRAMS = {"nodejs": Node, "go": Go, "java": Java, "asyncio": Asyncio}
