"""Twisted's select reactor

A server, clients, timers and a thread of the reactor's pool, while the reactor runs in a greenlet.
"""

from twisted.internet import selectreactor

from scenarios import _twisted

NEEDS = ("Twisted",)
SELECT = True
KNOWN = {
    "gevent, imported first": "a subclass of Thread that was defined before gevent 26.9 patched "
    "cannot be joined"
}


def program(here):
    selectreactor.install()
    from twisted.internet import reactor

    _twisted.run(here, reactor)
