"""Data that has been read already is reported as ready

gevent's selector collects events between two calls, and does not check whether they still hold.  A
caller that trusts it calls ``recv()`` and blocks.  With a non-blocking socket it gets a
BlockingIOError.
"""

import socket
from selectors import EVENT_READ

from _support import run


def scenario(here, Selector):
    reader, writer = socket.socketpair()
    selector = Selector()
    selector.register(reader, EVENT_READ)
    selector.select(0.01)
    writer.send(b"x")
    here.sleep(0.02)
    reader.recv(1)
    if selector.select(0.05):
        return "wrong: reports data read before the call"
    if not here.hub:
        return None
    # A select that finds something at once lets the others run first: one of them drains the file.
    writer.send(b"x")
    here.sleep(0.02)
    drain = here.spawn(reader.recv, 1)
    if selector.select(0.05) and drain.ended:
        return "wrong: reports data read during the call"
    here.join(drain)
    return None


run(scenario)
