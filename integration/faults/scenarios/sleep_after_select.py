"""The greenlet sleeps after its select

Two files become ready together.  The first one ends the ``select()``, but eventlet's hub still runs
the callback of the second one, and that switches into the greenlet in whatever it does by then
(eventlet issue 551).  A sleep or a lock ends too early, far away from the cause.
"""

import socket
from selectors import EVENT_READ
from time import monotonic

from _support import run


def scenario(here, Selector):
    pairs = [socket.socketpair() for _ in range(3)]
    selector = Selector()
    for reader, _ in pairs:
        selector.register(reader, EVENT_READ)

    def feed():
        for _, writer in pairs:
            writer.send(b"x")

    for _ in range(5):
        task = here.spawn(lambda: (here.sleep(0.01), feed()))
        if not selector.select(2):
            return "wrong: not reported"
        started = monotonic()
        here.sleep(0.2)
        took = monotonic() - started
        if took < 0.19:
            return f"wrong: a sleep of 0.2 s ends after {took:.2f} s"
        here.join(task)
        for reader, _ in pairs:
            reader.recv(1)
    return None


run(scenario)
