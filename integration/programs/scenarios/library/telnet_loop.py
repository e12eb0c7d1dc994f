"""A loop like telnetlib's: a selector for each line that is waited for

Python 3.13 removed ``telnetlib``, but many programs still wait as it did: they take the selector
class when they are imported.
"""

import selectors
import socketserver
import time
from socket import create_connection

if hasattr(selectors, "PollSelector"):
    Selector = selectors.PollSelector
else:
    Selector = selectors.SelectSelector


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(b"hello ")
            self.wfile.flush()
            time.sleep(0.3)
            self.wfile.write(line)


def read_until(connection, end, patience):
    found = b""
    deadline = time.monotonic() + patience
    with Selector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        while not found.endswith(end):
            assert selector.select(deadline - time.monotonic()), found
            found += connection.recv(100)
    return found


def program(here):
    def client():
        with create_connection(server.server_address) as connection:
            found = b""
            for line in (b"one\n", b"two\n"):
                connection.sendall(line)
                found += read_until(connection, b"\n", 10)
            return found

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        here.spawn(server.serve_forever)
        assert here.together(*[client] * 3) == [b"hello one\nhello two\n"] * 3
        server.shutdown()
