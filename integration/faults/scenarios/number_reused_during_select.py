"""A file is closed during a select, and another file gets its number at once

The selector knows the old connection by a number that now belongs to a new one.  After the program
has unregistered the old connection and registered the new one, the new one must be reported, to a
caller that is waiting already and to later ones.
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
        return "wrong: the new file is not reported to a waiting caller"
    return None


run(scenario)
