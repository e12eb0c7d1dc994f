"""A file that was ready is unregistered before the next select

gevent's selector remembers that some file was ready, but not which, and returns an empty list at
once.  For the caller an empty list means a time-out.  It declares peers dead, or runs periodic work
too early.
"""

import socket
from selectors import EVENT_READ
from time import monotonic

from _support import run


def scenario(here, Selector):
    reader, writer = socket.socketpair()
    other, _peer = socket.socketpair()
    selector = Selector()
    selector.register(reader, EVENT_READ)
    selector.register(other, EVENT_READ)
    selector.select(0.01)
    writer.send(b"x")
    here.sleep(0.02)
    selector.unregister(reader)
    started = monotonic()
    ready = selector.select(0.5)
    took = monotonic() - started
    if ready:
        return "wrong: reports an unregistered file"
    return f"wrong: [] after {took:.2f} s of 0.5" if took < 0.49 else None


run(scenario)
