"""A file is refused, and its number is used again

epoll takes no regular files, and eventlet's hub keeps the listener of one that was refused.  The
next socket with that number cannot be read: it says "Second simultaneous read", or is told that it
is closed, and so is whatever else the greenlet does by then.
"""

import socket
import tempfile
from posix import close, dup
from selectors import EVENT_READ

from _support import run


def scenario(here, Selector):
    with tempfile.TemporaryFile() as file:
        number = dup(file.fileno())
    selector = Selector()
    try:
        selector.register(number, EVENT_READ)
        selector.select(0.05)
    except (OSError, ValueError):
        pass  # to refuse it is right; poll and select call it ready, which is right for them
    selector.close()
    close(number)
    reader, writer = socket.socketpair()
    if number not in (reader.fileno(), writer.fileno()):
        raise AssertionError("the number is not in use again")
    if writer.fileno() == number:
        reader, writer = writer, reader
    task = here.spawn(lambda: (here.sleep(0.05), writer.send(b"x")))
    try:
        reader.recv(1)
        here.sleep(0.05)
    except (OSError, RuntimeError, EOFError) as error:
        return f"wrong: {type(error).__name__} from the next file's recv"
    here.join(task)
    return None


run(scenario)
