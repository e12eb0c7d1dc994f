"""A program uses a class that the unpatched platform has

gevent removes EpollSelector.  eventlet removes every class but SelectSelector.  A program that
names one of them gets an AttributeError.
"""

import select

from _support import CLASSES, module_of, run

NAMES = {"epoll": "EpollSelector", "poll": "PollSelector", "select": "SelectSelector"}
NAMES = {primitive: name for primitive, name in NAMES.items() if hasattr(select, primitive)}


def scenario(here, Selector):
    missing = [name for name in NAMES.values() if not hasattr(module_of(here.kind), name)]
    return f"missing: {', '.join(missing)}" if missing else None


run(scenario, classes=CLASSES[:1])
