"""Twisted's epoll reactor

A server, clients, timers and a thread of the reactor's pool, while the reactor runs in a greenlet.
There is no thread where gevent patches after the import: it cannot join one whose class was defined
before, so the pool would never end.
"""

from twisted.internet import epollreactor

from scenarios import _twisted

NEEDS = ("Twisted",)
SELECT = True


def program(here):
    epollreactor.install()
    from twisted.internet import reactor

    _twisted.run(here, reactor)
