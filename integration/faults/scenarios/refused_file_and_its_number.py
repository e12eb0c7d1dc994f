"""A file is refused, and another file gets its number

epoll does not accept regular files, and eventlet's hub keeps a listener for one that it refused.
The next socket with that number cannot be read: ``recv()`` raises "Second simultaneous read" or
reports a closed file.  The greenlet can get the same error in whatever else it does.
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
    others = []  # they keep the free numbers below
    while number not in (reader.fileno(), writer.fileno()):
        others += [reader, writer]
        reader, writer = socket.socketpair()
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
