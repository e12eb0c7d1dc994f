"""socketserver.ThreadingTCPServer

``serve_forever()`` waits in a selector.  socketserver chose the class when it was imported.
"""

import socket
import socketserver


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())


def program(here):
    def client():
        here.sleep(0.6)  # the server waits meanwhile
        with socket.create_connection(server.server_address) as connection:
            connection.sendall(b"one\ntwo\n")
            connection.shutdown(socket.SHUT_WR)
            return connection.makefile("rb").read()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        here.spawn(server.serve_forever)
        answers = here.together(*[client] * 3)
        server.shutdown()
    assert answers == [b"ONE\nTWO\n"] * 3, answers
