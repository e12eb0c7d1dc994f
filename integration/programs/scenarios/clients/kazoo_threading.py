"""kazoo with its handler for threads, on a ZooKeeper server

The connection's thread waits in a selector, in ``kazoo.handlers.utils.selector_select``.
"""

from kazoo.handlers.threading import SequentialThreadingHandler

from scenarios import _kazoo

NEEDS = ("kazoo",)
SERVER = "zookeeper"


def program(here):
    _kazoo.run(here, SequentialThreadingHandler())
