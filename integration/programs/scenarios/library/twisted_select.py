"""Twisted's select reactor

The reactor runs in a greenlet, with a server, clients, timers and a thread of its pool.  If gevent
patches after the import, the test uses no thread: gevent cannot join a thread whose class was
defined before the patch, so the pool would never end.
"""

from twisted.internet import selectreactor

from scenarios import _twisted

NEEDS = ("Twisted",)
SELECT = True


def program(here):
    selectreactor.install()
    from twisted.internet import reactor

    _twisted.run(here, reactor)
