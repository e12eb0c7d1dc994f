"""cheroot

Idle connections wait in one selector.  A pool of threads serves the requests.  If gevent patches
after the import, the test does not stop the server, because ``stop()`` would wait forever; so the
process does not end.
"""

from cheroot import wsgi

from scenarios import _web

NEEDS = ("cheroot", "requests")
KNOWN = {
    "gevent, imported first": "gevent 26.9 cannot join a thread whose class was defined before the"
    " patch"
}


def program(here):
    server = wsgi.Server(("127.0.0.1", 0), _web.application)
    server.prepare()
    here.spawn(server.serve)
    _web.ask(here, "http://{}:{}".format(*server.bind_addr))
    if (here.runtime, here.order) != ("gevent", "imported first"):
        server.stop()
