"""The file is descriptor 0

eventlet's select takes the number for a truth value and leaves the file out.  Daemons that have
closed their standard input get 0 for their first socket, and whoever reads commands from there
waits for ever.
"""

import socket
from posix import dup2
from selectors import EVENT_READ

from _support import run


def scenario(here, Selector):
    reader, writer = socket.socketpair()
    dup2(reader.fileno(), 0)
    selector = Selector()
    selector.register(0, EVENT_READ)
    writer.send(b"x")
    return None if len(selector.select(1)) == 1 else "wrong: never reported"


run(scenario)
