"""Two greenlets wait on the same selector

With gevent's selector the first greenlet gets the ready file.  The other gets an empty list at
once, as if its time were up.  eventlet's hub refuses the second greenlet.  So a pool of workers
cannot share a selector.  (In an ordinary process, the standard PollSelector refuses a second
thread.)
"""

import socket
from selectors import EVENT_READ

from _support import run


def scenario(here, Selector):
    reader, writer = socket.socketpair()
    selector = Selector()
    selector.register(reader, EVENT_READ)
    tasks = [here.spawn(selector.select, 5) for _ in range(2)]
    here.sleep(0.1)
    writer.send(b"x")
    for task in tasks:
        here.join(task, 3)
        if len(task.outcome()) != 1:
            return f"wrong: the other greenlet gets [] after {task.took:.1f} s of 5"
    return None


run(scenario)
