"""Workloads that are programs: what of `install(select=True)` does a program notice?"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Dict, List

Run = Callable[[int], None]

_keep: List[Any] = []


def urllib3_get(hub: Any, _: Any) -> Run:
    """A GET over a connection that is kept; urllib3 asks `select` whether it has been dropped."""
    import urllib3

    server = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    _keep.append(server)  # it ends when this process does, with its standard input
    url = f"http://127.0.0.1:{int(server.stdout.readline())}/"
    pool = urllib3.PoolManager()

    def run(repetitions: int) -> None:
        for _ in range(repetitions):
            assert pool.request("GET", url, retries=False).data == b"x" * 100

    return run


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections
    wbufsize = -1  # head and body in one segment: the client is not made to wait for the second

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"x" * 100)

    def log_message(self, *_: Any) -> None:
        pass


def subprocess_run(hub: Any, _: Any) -> Run:
    """`subprocess.run` with input and output, which waits for three pipes."""

    def run(repetitions: int) -> None:
        for _ in range(repetitions):
            done = subprocess.run(["/bin/cat"], input=b"x" * 100, capture_output=True, check=True)
            assert len(done.stdout) == 100

    return run


def connection_wait(hub: Any, _: Any) -> Run:
    """`multiprocessing.connection.wait` for one of two pipes, as a pool of workers does."""
    from multiprocessing import Pipe
    from multiprocessing.connection import wait

    (ready, writer), (idle, other) = Pipe(False), Pipe(False)
    writer.send(1)
    _keep.extend((writer, other))

    def run(repetitions: int) -> None:
        for _ in range(repetitions):
            assert wait([ready, idle], 5) == [ready]

    return run


def asyncio_echo(hub: Any, _: Any) -> Run:
    """A client and a server of asyncio's, in one event loop, send a message to and fro."""

    async def echo(reader: Any, writer: Any) -> None:
        while True:
            data = await reader.read(100)
            if not data:
                break
            writer.write(data)
        writer.close()

    async def talk(repetitions: int) -> None:
        ours, theirs = socket.socketpair()
        serving = asyncio.ensure_future(echo(*await asyncio.open_connection(sock=theirs)))
        reader, writer = await asyncio.open_connection(sock=ours)
        for _ in range(repetitions):
            writer.write(b"x" * 100)
            await reader.readexactly(100)
        writer.close()
        await serving

    loop = asyncio.new_event_loop()
    return lambda repetitions: loop.run_until_complete(talk(repetitions))


PROGRAMS: Dict[str, Callable[[Any, Any], Run]] = {
    "urllib3": urllib3_get,
    "subprocess": subprocess_run,
    "connection-wait": connection_wait,
    "asyncio-echo": asyncio_echo,
}


def serve() -> None:
    """Answer until the standard input ends; prints the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    serve()
