"""One file is ready, and 1000 others are idle

At each call, eventlet's selector gives the whole list of files to the hub, and takes it back
afterwards.  A server with many idle connections spends its time on that.  (The kernel's poll and
select look at every file, too; nothing can change that.)
"""

import socket
from selectors import EVENT_READ
from time import perf_counter

from _support import CLASSES, allow_descriptors, run


def scenario(here, Selector):
    if not allow_descriptors(2400):
        return "n/a: too few descriptors allowed"
    costs = []
    for number in (10, 1000):
        pairs = [socket.socketpair() for _ in range(number)]
        selector = Selector()
        for reader, _ in pairs:
            selector.register(reader, EVENT_READ)
        pairs[0][1].send(b"x")
        best = 1.0
        for _ in range(15):
            started = perf_counter()
            for _ in range(20):
                if len(selector.select(2)) != 1:
                    return "wrong: not reported"
            best = min(best, perf_counter() - started)
        costs.append(best)
        selector.close()
        for pair in pairs:
            for sock in pair:
                sock.close()
        here.sleep(0.01)
    ratio = costs[1] / costs[0]
    return f"wrong: {ratio:.0f} times as slow as with 10" if ratio > 3 else None


run(scenario, classes=CLASSES[:1])
