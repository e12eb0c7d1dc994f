"""The file is descriptor 0

eventlet's ``select`` tests the descriptor for truth, and so leaves out number 0.  A daemon that has
closed its standard input gets 0 for its first socket, and waits forever.  So does a program that
reads commands from standard input.
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
