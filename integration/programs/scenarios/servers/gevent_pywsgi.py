"""gevent.pywsgi

The server belongs to gevent.  The view waits in a selector.
"""

from gevent import pywsgi

from scenarios import _web

NEEDS = ("requests",)
ONLY = "gevent"


def program(here):
    server = pywsgi.WSGIServer(("127.0.0.1", 0), _web.application, log=None)
    server.start()
    _web.ask(here, f"http://127.0.0.1:{server.server_port}")
    server.stop()
