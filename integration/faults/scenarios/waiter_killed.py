"""A greenlet is killed while it waits

gevent's selector leaves its watchers in the loop.  They make gevent believe that there is still
work to do: ``gevent.wait()`` never returns, and a deadlock does not raise LoopExit.  As soon as the
file is ready, they use a whole core.
"""

import socket
from selectors import EVENT_READ

from _support import open_descriptors, run


def scenario(here, Selector):
    if not here.hub:
        return "n/a: threads cannot be killed"
    reader, writer = socket.socketpair()
    selector = Selector()
    selector.register(reader, EVENT_READ)
    counts = []  # what is opened once, at the first waits, is no leak
    for _ in range(6):
        for timeout in (None, 9):
            task = here.spawn(selector.select, timeout)
            here.sleep(0.03)
            here.kill(task)
        counts.append(open_descriptors())
    if here.hub == "gevent":
        import gevent

        if not gevent.wait(timeout=2):
            return "leak: its watcher keeps the hub alive"
    if counts[-1] > counts[2]:
        return "leak: descriptors"
    writer.send(b"x")
    spins = here.spinning()
    if len(selector.select(2)) != 1:
        return "wrong: deaf afterwards"
    return spins


run(scenario)
