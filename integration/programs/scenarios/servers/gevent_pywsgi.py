"""gevent.pywsgi

The server itself is gevent's; what waits in a selector is the view.
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
