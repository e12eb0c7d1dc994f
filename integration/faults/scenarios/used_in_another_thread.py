"""A selector is filled in one thread and used in another

gevent's watchers belong to the loop of the thread that made them.  If another thread starts them,
they corrupt libev's memory, and the process crashes or loops forever.  With libuv, the callbacks
of one thread change data while another thread uses it.  Servers that accept in one thread and serve
in another do just this.
"""

import socket
from selectors import EVENT_READ
from time import monotonic

from _support import CLASSES, run

ROUNDS = 6
LIMIT = 15


def scenario(here, Selector):
    pairs = [socket.socketpair() for _ in range(20)]
    selector = Selector()
    for reader, _ in pairs:
        reader.setblocking(False)
        selector.register(reader, EVENT_READ)
    counts = []

    def serve():
        until = monotonic() + 0.7
        while monotonic() < until:
            ready = selector.select(2)
            counts.append(len(ready))
            for key, _ in ready:
                try:
                    key.fileobj.recv(100)
                except BlockingIOError:
                    pass  # reported though it was read already, which is another row's fault

    task = here.run_in_thread(serve)
    until = monotonic() + 10
    while not task.ended:
        if monotonic() > until:
            return "wrong: the thread is deaf"
        for _, writer in pairs:
            writer.send(b"x")
        here.sleep(0.001)
    task.outcome()
    return None if all(counts) else "wrong: [] before the time-out"


run(scenario, classes=CLASSES[:1])
