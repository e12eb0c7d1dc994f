"""Werkzeug's server, with threads

The server is a ``socketserver``.  It also uses a selector of its own to find out whether the client
has sent data that nobody has read.
"""

import logging

from werkzeug.serving import make_server

from scenarios import _web

NEEDS = ("werkzeug", "requests")


def program(here):
    logging.getLogger("werkzeug").disabled = True
    server = make_server("127.0.0.1", 0, _web.application, threaded=True)
    here.spawn(server.serve_forever)
    _web.ask(here, f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
