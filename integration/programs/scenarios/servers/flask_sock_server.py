"""flask-sock: WebSockets on Werkzeug's server

simple-websocket waits in a selector for data, or until it is time for the next ping.
"""

import logging

import websocket
from flask import Flask
from flask_sock import Sock
from werkzeug.serving import make_server

NEEDS = ("flask", "flask-sock", "simple-websocket", "werkzeug", "websocket-client")


def program(here):
    logging.getLogger("werkzeug").disabled = True
    application = Flask("programs")
    application.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": 2}
    sock = Sock(application)

    @sock.route("/echo")
    def echo(connection):
        while True:
            connection.send(connection.receive().upper())

    server = make_server("127.0.0.1", 0, application, threaded=True)
    here.spawn(server.serve_forever)

    def client():
        connection = websocket.create_connection(f"ws://127.0.0.1:{server.server_port}/echo")
        got = []
        for word in ("one", "two"):
            here.sleep(0.4)
            connection.send(word)
            got.append(connection.recv())
        connection.close()
        return got

    assert here.together(*[client] * 3) == [["ONE", "TWO"]] * 3
    server.shutdown()
