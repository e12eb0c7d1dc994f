"""A forked child unregisters an inherited file

Parent and child share one epoll.  If the child removes a file from it, the parent hears no more of
that file.  The standard EpollSelector does this at ``unregister()``, and eventlet's hub whenever a
``select()`` of the child ends.  A prefork server stops accepting connections when its first child
cleans up.
"""

import os
import signal
import socket
import warnings
from posix import _exit
from selectors import EVENT_READ

from _support import run

warnings.simplefilter("ignore")  # of forking beside a thread: there is none yet


def scenario(here, Selector):
    reader, writer = socket.socketpair()
    selector = Selector()
    selector.register(reader, EVENT_READ)
    selector.select(0.01)
    child = os.fork()
    if not child:
        signal.alarm(5)
        try:
            here.sleep(0.3)  # by now the parent waits
            selector.select(0.01)
            selector.unregister(reader)
            selector.close()
            _exit(0)
        finally:
            _exit(1)
    task = here.spawn(selector.select, 6)
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        here.sleep(0.01)
    if status:
        return "wrong: the child fails"
    writer.send(b"x")
    if not here.join(task, 3):
        return "wrong: the parent hears no more of the file"
    return None if len(task.outcome()) == len(selector.select(1)) == 1 else "wrong: a false answer"


run(scenario)
