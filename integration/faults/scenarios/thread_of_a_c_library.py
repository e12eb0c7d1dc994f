"""close() beside a thread of a C library

Python did not start it, and does not count it.  It waits in the selector, and another thread closes
that: the wait must end.
"""

import ctypes
import socket
from selectors import EVENT_READ

from _support import Task, run


def scenario(here, Selector):
    reader, _writer = socket.socketpair()
    selector = Selector()
    selector.register(reader, EVENT_READ)
    task = Task(selector.select, (6,))

    @ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
    def body(_):
        task.run()

    thread = ctypes.c_ulong()
    here.keep = body
    ctypes.CDLL(None).pthread_create(ctypes.byref(thread), None, body, None)
    here.sleep(0.3)
    if task.ended:
        task.outcome()
        return "wrong: an early end"
    selector.close()
    if not here.join(task, 3):
        return "hang: the waiter never returns"
    try:
        task.outcome()
    except (ValueError, OSError, KeyError):
        return None
    return "wrong: no error"


run(scenario)
