"""urllib3.util.wait_for_read and wait_for_write, on a socket whose other end is slow

urllib3 uses ``poll``, or ``select`` if there is no ``poll`` at its first wait.
"""

import socket

from urllib3.util import wait_for_read, wait_for_write

NEEDS = ("urllib3",)
SELECT = True


def program(here):
    reader, writer = socket.socketpair()
    with reader, writer:
        assert wait_for_write(writer, 10)
        assert not wait_for_read(reader, 0.3)

        def late():
            here.sleep(0.4)
            writer.sendall(b"late")

        here.spawn(late)
        assert wait_for_read(reader, 10)
        assert reader.recv(9) == b"late"
