"""What do the web servers serve, and who asks them?

A view waits with a selector for what another greenlet sends, as an application does that talks to
something else meanwhile.
"""

import socket
import threading
from selectors import EVENT_READ, DefaultSelector

import requests

CLIENTS = 3
REQUESTS = 2  # of each, on the connection that it has, if the server keeps it

waiting = []
most = []  # the greatest length of `waiting` so far


def wait():
    """What the view does; it takes 0.4 s."""
    reader, writer = socket.socketpair()
    waiting.append(reader)
    most[:] = [max(len(waiting), *most, 0)]
    threading.Timer(0.4, writer.send, [b"done"]).start()
    with reader, writer, DefaultSelector() as selector:
        selector.register(reader, EVENT_READ)
        selector.select()
        answer = reader.recv(9)
    waiting.remove(reader)
    return answer + b", %d at once" % most[0]


def application(environ, start_response):
    """The view, for a server that is given a WSGI application."""
    answer = wait()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]


def ask(here, url):
    """Let the clients ask, all together; assert that they were served at the same time."""

    def client():
        with requests.Session() as session:
            session.trust_env = False
            return [session.get(url).text for _ in range(REQUESTS)]

    answers = here.together(*[client] * CLIENTS)
    last = f"done, {CLIENTS} at once"
    assert [each[-1] for each in answers] == [last] * CLIENTS, answers
