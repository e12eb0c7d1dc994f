"""Workers that share one listening socket, as those of a pre-forking server do.

    python benchmarks/_herd_workers.py native|gevent-libev stdlib|gevent|ours plain|exclusive NUMBER

Prints, as JSON, the port and the workers' process ids.  A worker answers a connection with one
byte, its place among those ids.  When the standard input ends, each worker prints how often
accept() had nothing for it although select() had said that there is something.
"""

from __future__ import annotations

import json
import os
import select
import selectors
import socket
import sys
from typing import Any, Dict


def kind_of_selector(runtime: str, name: str) -> Any:
    """The class that the workers use; patches this process if they are gevent's."""
    import coopselectors

    if runtime != "native":
        os.environ["GEVENT_LOOP"] = "libev-cext"
        import gevent.monkey

        gevent.monkey.patch_all()
    if name == "gevent":
        from gevent.selectors import GeventSelector

        return GeventSelector
    return {"stdlib": selectors, "ours": coopselectors}[name].EpollSelector


def work(place: int, listener: socket.socket, selector: Any, how: Dict[str, int], done: int) -> int:
    """Serve until the standard input ends; returns the number of accepts in vain."""
    selector.register(0, selectors.EVENT_READ)
    selector.register(listener, selectors.EVENT_READ, **how)
    os.write(done, b"x")
    in_vain = 0
    while True:
        for key, _ in selector.select():
            if key.fileobj is not listener:
                return in_vain
            try:
                connection, _ = listener.accept()
            except BlockingIOError:
                in_vain += 1
            else:
                with connection:
                    connection.send(bytes([place]))


def main() -> None:
    runtime, name, way, number = sys.argv[1:]
    how = {"extra_events": select.EPOLLEXCLUSIVE} if way == "exclusive" else {}
    kind = kind_of_selector(runtime, name)
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    listener.setblocking(False)
    registered, done = os.pipe()
    workers = []
    for place in range(int(number)):
        pid = os.fork()
        if pid == 0:
            os.write(1, b"%d\n" % work(place, listener, kind(), how, done))
            return
        workers.append(pid)
        os.read(registered, 1)  # the order of registration is that of the places
    os.write(1, json.dumps([listener.getsockname()[1], workers]).encode() + b"\n")
    listener.close()
    for pid in workers:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
