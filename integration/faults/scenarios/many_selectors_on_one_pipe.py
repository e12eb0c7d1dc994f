"""1200 greenlets wait on one shared pipe, each with a selector of its own

A pool of workers is often told to stop in this way.  eventlet allows one reader for each file.  A
selector that gave its epoll to the hub would meet another limit: the kernel allows one file in a
few hundred epolls only, and libev and libuv abort the process if it refuses.
"""

import os
import threading
from selectors import EVENT_READ

from _support import CLASSES, allow_descriptors, run

LIMIT = 90
WAITERS = 1200


def scenario(here, Selector):
    if not allow_descriptors(6 * WAITERS):
        return "n/a: too few descriptors allowed"
    if not here.hub:
        threading.stack_size(256 * 1024)
    reader, writer = os.pipe()
    selectors = [Selector() for _ in range(WAITERS)]
    for selector in selectors:
        selector.register(reader, EVENT_READ)
    tasks = [here.spawn(selector.select, 30) for selector in selectors]
    here.sleep(1)
    os.write(writer, b"x")
    for task in tasks:
        here.join(task, 40)
    reported = sum(len(task.outcome()) for task in tasks)
    if reported != WAITERS:
        return f"wrong: {reported} of {WAITERS} are woken"
    for selector in selectors:
        selector.close()
    return None


run(scenario, classes=CLASSES[:1])
