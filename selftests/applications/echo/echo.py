# SPDX-License-Identifier: GPL-2.0
"""echo.py serve PORT | run HOST PORT COUNT: messages behind their length, by
asyncio's streams. The server sends back what comes; the client prints the
checksum of all answers in order."""
import asyncio
import hashlib
import struct
import sys
import time

SIZES = (1, 1000, 16384, 100000, 65537)
AT_ONCE = 4


def body(i):
    """The message of that number."""
    size, word = SIZES[i % len(SIZES)], b"%08d," % i
    return (word * (size // len(word) + 1))[:size]


def expected(count):
    """What a client must print first: checksum and number of the answers."""
    found = hashlib.sha256()
    for i in range(count):
        found.update(body(i))
    return found.hexdigest(), str(count)


async def read(reader):
    """A message."""
    size, = struct.unpack("!I", await reader.readexactly(4))
    return await reader.readexactly(size)


async def write(writer, message):
    """A message."""
    writer.write(struct.pack("!I", len(message)) + message)
    await writer.drain()


async def answer(reader, writer):
    """One connection of the server."""
    try:
        while True:
            await write(writer, await read(reader))
    except asyncio.IncompleteReadError:
        writer.close()


async def serve(port):
    """The server."""
    server = await asyncio.start_server(answer, None, port)
    await server.serve_forever()


async def ask(host, port, numbers, answers):
    """One connection of the client."""
    reader, writer = await asyncio.open_connection(host, port)
    for i in numbers:
        await write(writer, body(i))
        answers[i] = await read(reader)
    writer.close()
    await writer.wait_closed()


async def run(host, port, count):
    """The client."""
    answers, numbers = {}, iter(range(count))
    begin = time.monotonic()
    await asyncio.gather(*(ask(host, port, numbers, answers)
                           for _ in range(AT_ONCE)))
    seconds = time.monotonic() - begin
    found = hashlib.sha256(b"".join(answers[i] for i in range(count)))
    print(found.hexdigest(), count, seconds)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve(int(sys.argv[2])))
    else:
        asyncio.run(run(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
