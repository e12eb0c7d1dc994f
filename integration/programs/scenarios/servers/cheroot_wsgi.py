"""cheroot

The connections that are kept alive wait in one selector, and the requests are served by a pool of
threads.  Where gevent patches after the import the server is not stopped, and the process does not
end: ``stop()`` would wait for ever.
"""

from cheroot import wsgi

from scenarios import _web

NEEDS = ("cheroot", "requests")
KNOWN = {
    "gevent, imported first": "a subclass of Thread that was defined before gevent 26.9 patched "
    "cannot be joined"
}


def program(here):
    server = wsgi.Server(("127.0.0.1", 0), _web.application)
    server.prepare()
    here.spawn(server.serve)
    _web.ask(here, "http://{}:{}".format(*server.bind_addr))
    if (here.runtime, here.order) != ("gevent", "imported first"):
        server.stop()
