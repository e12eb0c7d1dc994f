"""Two files are ready, one of them for reading and writing

eventlet's selector reports one event of one file in each call.  The order of a set decides which
one, so a file may be passed over as long as the other one is ready.
"""

import socket
from selectors import EVENT_READ, EVENT_WRITE

from _support import run


def scenario(here, Selector):
    first, peer = socket.socketpair()
    second, other_peer = socket.socketpair()
    selector = Selector()
    selector.register(first, EVENT_READ | EVENT_WRITE)
    selector.register(second, EVENT_READ)
    peer.send(b"x")
    other_peer.send(b"x")
    here.sleep(0.02)
    found = {key.fileobj: mask for key, mask in selector.select(2)}
    if found == {first: EVENT_READ | EVENT_WRITE, second: EVENT_READ}:
        return None
    events = sum(bin(mask).count("1") for mask in found.values())
    return f"wrong: {len(found)} of 2 files, {events} of 3 events"


run(scenario)
