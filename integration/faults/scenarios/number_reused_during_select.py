"""A file is closed during a select, and its number is in use again at once

Another connection now has the number under which the selector knows the old one.  Once that is
unregistered and the new one registered, the new one has to be heard, by who waits already and by
who comes later.
"""

import os
import socket
from posix import dup2
from selectors import EVENT_READ

from _support import run


def scenario(here, Selector):
    old, _old_peer = socket.socketpair()
    fresh, peer = socket.socketpair()
    number = os.dup(old.fileno())
    selector = Selector()
    selector.register(number, EVENT_READ)
    task = here.spawn(selector.select, 2)
    here.sleep(0.1)
    dup2(fresh.fileno(), number)  # closes the old file and takes its number in one step
    selector.unregister(number)
    selector.register(number, EVENT_READ)
    peer.send(b"x")
    here.join(task)
    heard = task.outcome()
    if len(selector.select(1)) != 1:
        return "wrong: the new file is never reported"
    if len(heard) != 1 or task.took > 1.5:
        return "wrong: the new file is not reported to who waits"
    return None


run(scenario)
