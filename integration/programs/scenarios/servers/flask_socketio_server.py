"""Flask-SocketIO, with python-socketio as its client

The server uses the ``async_mode`` of the runtime.  The clients run in an ordinary process, and use
long polling or a WebSocket.
"""

import logging

from flask import Flask
from flask_socketio import SocketIO

import children

NEEDS = ("flask", "Flask-SocketIO", "python-socketio", "websocket-client", "gevent-websocket")


def asks(here):
    return False  # it waits in its sockets


def program(here):
    # It calls a client that leaves in the middle of a long poll an error.
    logging.getLogger("engineio.server").setLevel(logging.CRITICAL)
    application = Flask("programs")
    server = SocketIO(application, async_mode=here.runtime)

    @server.on("later")
    def later(number):
        server.sleep(0.4)
        server.emit("done", number + 1)
        return number

    port = here.free_port()
    running = here.spawn(lambda: server.run(application, "127.0.0.1", port, log_output=False))
    here.until(lambda: here.listens(port))
    for transport in ("polling", "websocket"):
        children.ordinary(here, "scenarios/_socketio_client.py", str(port), transport)
    here.kill(running)
