"""The echo server of the standard module's documentation, with a ticker beside it.

It runs in a process of its own, because patching cannot be undone: ``python -m
coopselectors._check.server RUNTIME``.  The selector is made before anything is patched.  The server
prints two JSON objects, one in each line: the port when it listens, and the longest delay of the
ticker when its standard input ends.
"""

from __future__ import annotations

import coopselectors

selector = coopselectors.DefaultSelector()  # before any patch: this is what is to be shown

import json  # noqa: E402
import os  # noqa: E402
import platform  # noqa: E402
import sys  # noqa: E402
from time import monotonic  # noqa: E402
from typing import Any, Callable, Tuple  # noqa: E402

_TICK = 0.001  # seconds


def patch(runtime: str) -> Tuple[str, Callable[..., Any]]:
    """Patch this process, and return what that was and the way to run something beside us."""
    if runtime.startswith("gevent"):
        os.environ["GEVENT_LOOP"] = {"libev": "libev-cext,libev-cffi", "libuv": "libuv-cffi"}[
            runtime.partition("-")[2]
        ]
        import gevent.monkey

        gevent.monkey.patch_all()
        gevent.get_hub()  # a loop that is not installed is noticed here
        return f"gevent {gevent.__version__}", gevent.spawn
    if runtime == "eventlet":
        import warnings

        warnings.simplefilter("ignore")  # eventlet warns of itself
        import eventlet

        eventlet.monkey_patch()
        return f"eventlet {eventlet.__version__}", eventlet.spawn
    import threading

    def spawn(function: Callable[[], None]) -> None:
        threading.Thread(target=function, daemon=True).start()

    return f"{platform.python_implementation()} {platform.python_version()}", spawn


class Ticker:
    """Wants to run every millisecond, and notes the longest that it was kept from it."""

    def __init__(self) -> None:
        self.ticks = 0
        self._due = monotonic()
        self._longest = 0.0

    def run(self) -> None:
        from time import sleep  # patched by now

        while True:
            self._longest = self.held_up()
            self._due = monotonic() + _TICK
            self.ticks += 1
            sleep(_TICK)

    def held_up(self) -> float:
        """The longest delay so far, in seconds; one that lasts counts too."""
        return max(self._longest, monotonic() - self._due)


def serve(listener: Any) -> int:
    """Echo until standard input ends; return how many clients came."""
    clients = 0

    def accept(sock: Any) -> None:
        nonlocal clients
        conn, _ = sock.accept()
        conn.setblocking(False)
        clients += 1
        selector.register(conn, coopselectors.EVENT_READ, read)

    def read(conn: Any) -> None:
        data = conn.recv(65536)
        if data:
            conn.sendall(data)
        else:
            selector.unregister(conn)
            conn.close()

    listener.setblocking(False)
    selector.register(listener, coopselectors.EVENT_READ, accept)
    control = sys.stdin.fileno()
    selector.register(control, coopselectors.EVENT_READ)
    while True:
        for key, _events in selector.select():
            if key.fd == control:
                return clients
            key.data(key.fileobj)


def main(runtime: str) -> None:
    try:
        version, spawn = patch(runtime)
    except ImportError as error:
        print(json.dumps({"missing": str(error)}))
        return
    import socket

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    ticker = Ticker()
    spawn(ticker.run)
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    clients = serve(listener)
    assert coopselectors.current_runtime() == runtime.partition("-")[0]
    result = {
        "version": version,
        "selector": type(selector).__name__,
        "clients": clients,
        "ticks": ticker.ticks,
        "held_up": ticker.held_up(),
    }
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
