"""Twisted's epoll reactor

The reactor runs in a greenlet, with a server, clients, timers and a thread of its pool.  If gevent
patches after the import, the test uses no thread: gevent cannot join a thread whose class was
defined before the patch, so the pool would never end.
"""

from twisted.internet import epollreactor

from scenarios import _twisted

NEEDS = ("Twisted",)
SELECT = True


def program(here):
    epollreactor.install()
    from twisted.internet import reactor

    _twisted.run(here, reactor)
