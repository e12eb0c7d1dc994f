"""A registered file is closed before the first select

gevent's selector gives a file to the loop at the first ``select()``.  If the file is closed by
then, the loop aborts the process; gevent's documentation warns of this.  When an error path closes
one connection too early, the whole server dies, with all its other clients.
"""

import errno
import socket
from selectors import EVENT_READ

from _support import run


def scenario(here, Selector):
    reader, _writer = socket.socketpair()
    other, peer = socket.socketpair()
    selector = Selector()
    selector.register(reader, EVENT_READ)
    reader.close()
    here.sleep(0.01)  # gevent puts a close off to a later turn of the loop
    try:
        selector.select(0.05)
    except OSError as error:
        if error.errno != errno.EBADF:  # what select(2) says of a closed file
            raise
    selector.unregister(reader)
    selector.register(other, EVENT_READ)
    peer.send(b"x")
    if [key.fileobj for key, _ in selector.select(2)] != [other]:
        return "wrong: deaf afterwards"
    return None


run(scenario)
