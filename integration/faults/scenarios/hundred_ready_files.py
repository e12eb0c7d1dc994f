"""One hundred files are ready at once

libev reports 64 files in one round, and gevent's selector returns after the first round.
eventlet's selector returns after the first file.  A program that takes the other files for idle
lets them wait, and each further call costs as much as the first.
"""

import socket
from selectors import EVENT_READ

from _support import run


def scenario(here, Selector):
    pairs = [socket.socketpair() for _ in range(100)]
    selector = Selector()
    for reader, writer in pairs:
        selector.register(reader, EVENT_READ)
        writer.send(b"x")
    found = len(selector.select(2))
    return f"wrong: {found} of 100 in one call" if found != 100 else None


run(scenario)
