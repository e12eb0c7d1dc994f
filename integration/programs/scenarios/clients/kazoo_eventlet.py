"""kazoo with its handler for eventlet, on a ZooKeeper server

The connection's greenlet waits in a selector, or in eventlet's ``select`` function.
"""

from kazoo.handlers.eventlet import SequentialEventletHandler

from scenarios import _kazoo

NEEDS = ("kazoo",)
SERVER = "zookeeper"
ONLY = "eventlet"


def asks(here):
    return False  # it takes what eventlet has


def program(here):
    _kazoo.run(here, SequentialEventletHandler())
