"""gevent.pywsgi with gevent-websocket

The handler waits in a selector for data from another greenlet, as in the other web servers.
"""

import websocket
from gevent import pywsgi
from geventwebsocket.handler import WebSocketHandler

from scenarios import _web

NEEDS = ("gevent-websocket", "websocket-client", "requests")
ONLY = "gevent"


def serve(environ, start_response):
    connection = environ["wsgi.websocket"]
    while message := connection.receive():
        connection.send(f"{message} {_web.wait().decode()}")
    return []


def program(here):
    server = pywsgi.WSGIServer(("127.0.0.1", 0), serve, log=None, handler_class=WebSocketHandler)
    server.start()

    def client():
        connection = websocket.create_connection(f"ws://127.0.0.1:{server.server_port}")
        for word in ("one", "two"):
            connection.send(word)
            got = connection.recv()
        connection.close()
        return got

    assert here.together(*[client] * 3) == ["two done, 3 at once"] * 3
    server.stop()
