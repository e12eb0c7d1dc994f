"""A registered file is closed before the first select

gevent hands the number to its loop at the first ``select()``, when it is dead: the loop aborts the
process, as gevent's documentation warns.  A server whose client hangs up at the wrong moment is
gone, with all its other clients.
"""

import errno
import os
import socket
from posix import close  # gevent puts os.close off to a later turn of the loop

from _support import run


def scenario(here, Selector):
    reader, _writer = socket.socketpair()
    other, peer = socket.socketpair()
    selector = Selector()
    number = os.dup(reader.fileno())
    selector.register(number, 1)
    close(number)
    try:
        selector.select(0.05)
    except OSError as error:
        if error.errno != errno.EBADF:  # what select(2) says of a closed file
            raise
    selector.unregister(number)
    selector.register(other, 1)
    peer.send(b"x")
    if [key.fileobj for key, _ in selector.select(2)] != [other]:
        return "wrong: deaf afterwards"
    return None


run(scenario)
