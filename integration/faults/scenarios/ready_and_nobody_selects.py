"""A registered file becomes ready while nobody is in select

gevent's selector does not stop its watchers between two calls.  The loop calls them again and again
for data that nobody reads.  A worker that does something else meanwhile, or waits for a lock, uses
a whole core.
"""

import socket
from selectors import EVENT_READ

from _support import run


def scenario(here, Selector):
    reader, writer = socket.socketpair()
    selector = Selector()
    selector.register(reader, EVENT_READ)
    if selector.select(0.01):
        return "wrong: nothing was ready"
    writer.send(b"x")
    spins = here.spinning()
    if len(selector.select(2)) != 1:
        return "wrong: not reported"
    return spins


run(scenario)
