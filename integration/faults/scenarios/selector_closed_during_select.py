"""The selector is closed while another greenlet waits in it

The waiting caller should get an error.  With the selectors of gevent and eventlet it keeps waiting,
so the serving greenlet of a server never ends.  With the standard module a thread keeps waiting,
because close(2) does not wake a thread that is blocked in the kernel.
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
        return "wrong: the waiting caller is not woken"
    try:
        task.outcome()
    except ValueError as error:
        if "closed" in str(error):
            return None
    return "wrong: the waiting caller gets no error"


run(scenario)
