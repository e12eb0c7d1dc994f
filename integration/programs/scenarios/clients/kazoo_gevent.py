"""kazoo with its handler for gevent, on a ZooKeeper server

The connection's greenlet waits in a selector, or in gevent's ``select`` function.
"""

from kazoo.handlers.gevent import SequentialGeventHandler

from scenarios import _kazoo

NEEDS = ("kazoo",)
SERVER = "zookeeper"
ONLY = "gevent"


def asks(here):
    return False  # it takes what gevent has


def program(here):
    _kazoo.run(here, SequentialGeventHandler())
