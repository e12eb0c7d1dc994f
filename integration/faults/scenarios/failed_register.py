"""A call of register() fails

A failed call should change nothing.  gevent's selector keeps an entry for a file that its loop has
refused: the next file with that number "is already registered", and ``unregister()`` raises
KeyError.  eventlet's hub keeps a listener for the refused file.
"""

import os
import socket
from posix import close, dup2
from selectors import EVENT_READ

from _support import run


def scenario(here, Selector):
    reader, writer = socket.socketpair()
    selector = Selector()
    number = os.dup(reader.fileno())
    close(number)
    try:
        selector.register(number, EVENT_READ)
        # poll and select do not look at a file when it is registered, and say it here
        try:
            selector.select(0.05)
        finally:
            selector.unregister(number)
    except (OSError, ValueError):
        pass
    if len(selector.get_map()):
        return "wrong: an entry is left behind"
    dup2(reader.fileno(), number)
    selector.register(number, EVENT_READ)
    writer.send(b"x")
    return None if len(selector.select(2)) == 1 else "wrong: deaf for that number"


run(scenario)
