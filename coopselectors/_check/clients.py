"""A few hundred clients that check every byte which an echo server sends back.

Runs in a process of its own, on plain asyncio: ``python -m coopselectors._check.clients PORT
CLIENTS MESSAGES PAUSE``.  All clients connect before the first speaks, and half-way all are
silent for PAUSE seconds, in which the server has nothing to do but wait.  Prints the counts as a
JSON object, and a line with a dot on the error stream for each hundredth part of the work.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys

_LARGEST = 4000  # bytes in a message: more than one packet, less than a socket's buffer


class Clients:
    def __init__(self, port: int, clients: int, messages: int, pause: float) -> None:
        self.port = port
        self.clients = clients
        self.messages = messages
        self.pause = pause
        self.echoed = 0
        self.corrupted = 0
        self._dot = max(1, clients * messages // 100)

    async def run(self) -> None:
        streams = [
            await asyncio.open_connection("127.0.0.1", self.port) for _ in range(self.clients)
        ]
        half = self.messages // 2
        for messages in (half, self.messages - half):
            await asyncio.gather(
                *(self._speak(seed, messages, *stream) for seed, stream in enumerate(streams))
            )
            await asyncio.sleep(self.pause)
        for _, writer in streams:
            writer.close()

    async def _speak(
        self, seed: int, messages: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        source = random.Random(seed)
        for _ in range(messages):
            message = source.getrandbits(8 * _LARGEST).to_bytes(_LARGEST, "big")
            message = message[: source.randint(1, _LARGEST)]
            writer.write(message)
            await writer.drain()
            answer = await reader.readexactly(len(message))
            self.echoed += 1
            self.corrupted += answer != message
            if self.echoed % self._dot == 0:
                print(".", file=sys.stderr, flush=True)


def main(port: str, clients: str, messages: str, pause: str) -> None:
    work = Clients(int(port), int(clients), int(messages), float(pause))
    asyncio.run(work.run())
    print(json.dumps({"echoed": work.echoed, "corrupted": work.corrupted}))


if __name__ == "__main__":
    main(*sys.argv[1:])
