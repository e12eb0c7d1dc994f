"""Selectors are dropped in reference cycles, without close

In gevent's selector the watchers refer to the selector, and the selector refers to its files.  None
of them is ever freed.  Code written for the standard module relies on the garbage collector to
close an epoll.  Under gevent it runs out of descriptors.
"""

import gc
import socket
from selectors import EVENT_READ

from _support import open_descriptors, run


def use_and_drop(Selector):
    reader, writer = socket.socketpair()
    selector = Selector()
    selector.register(reader, EVENT_READ, data=selector)
    selector.select(0.002)
    return writer  # closed by its end, like the other


def scenario(here, Selector):
    for number in range(60):
        use_and_drop(Selector)
        if number == 9:
            before = open_descriptors()
    gc.collect()
    here.sleep(0.01)  # gevent puts a close off to a later turn of the loop
    gained = open_descriptors() - before
    return f"leak: {gained} descriptors in 50 rounds" if gained > 5 else None


run(scenario)
