"""The selector is closed while another greenlet waits in it

The waiter should be told.  With gevent's and eventlet's selectors it sleeps on: a server's serving
greenlet never ends.  A thread in an ordinary process sleeps on with the standard module, for
close(2) does not wake who waits in the kernel.
"""

import socket
from selectors import EVENT_READ

from _support import run


def scenario(here, Selector):
    reader, _writer = socket.socketpair()
    selector = Selector()
    selector.register(reader, EVENT_READ)
    task = here.spawn(selector.select, 3)
    here.sleep(0.1)
    selector.close()
    if not here.join(task, 2):
        return "wrong: the waiter sleeps on"
    try:
        task.outcome()
    except ValueError as error:
        if "closed" in str(error):
            return None
    return "wrong: the waiter is not told"


run(scenario)
