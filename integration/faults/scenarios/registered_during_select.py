"""A file is registered while another greenlet is in select

The selectors of gevent and eventlet look at their files when a ``select()`` begins.  A new
connection that is handed to a waiting greenlet is not served until another file is ready.  (In an
ordinary process, the standard PollSelector and SelectSelector do not notice it either.)
"""

import socket
from selectors import EVENT_READ

from _support import run


def scenario(here, Selector):
    idle, _idle_peer = socket.socketpair()
    reader, writer = socket.socketpair()
    writer.send(b"x")
    selector = Selector()
    selector.register(idle, EVENT_READ)
    task = here.spawn(selector.select, 2)
    here.sleep(0.1)
    selector.register(reader, EVENT_READ)
    here.join(task)
    if [key.fileobj for key, _ in task.outcome()] != [reader] or task.took > 1.5:
        return "wrong: not noticed for the whole time-out"
    return None


run(scenario)
