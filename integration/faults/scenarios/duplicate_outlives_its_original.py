"""A file is closed and unregistered, but a duplicate of it is still open

An epoll keeps a closed descriptor as long as any duplicate is open, for instance in a forked child,
and reports it forever.  The standard EpollSelector then returns an empty list at once, each time.
A loop around it spins.
"""

import socket
from posix import close, dup
from selectors import EVENT_READ
from time import monotonic, process_time

from _support import SPINNING, run


def scenario(here, Selector):
    reader, writer = socket.socketpair()
    selector = Selector()
    number = dup(reader.fileno())
    selector.register(number, EVENT_READ)
    selector.select(0.01)
    close(number)
    selector.unregister(number)
    writer.send(b"x")
    for _ in range(2):
        started, used = monotonic(), process_time()
        if selector.select(0.5):
            return "wrong: reports an unregistered file"
        took = monotonic() - started
        if took < 0.49:
            return f"wrong: [] after {took:.2f} s of 0.5"
        share = (process_time() - used) / took
        if share > SPINNING:
            return "spins"
    return None


run(scenario)
