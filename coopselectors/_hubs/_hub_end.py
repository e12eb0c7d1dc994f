"""When does an outer poller go?  With the thread of its hub, or with the hub before that.

Hubs do not tell that they end.  gevent's hub object outlives its ``destroy()``, and an active
watcher of it outlives even its loop; eventlet's hub stays behind when its thread has ended.  So
each thread keeps a list of its outer pollers, in a variable that dies with the thread.
"""

from __future__ import annotations

import sys
from typing import Any, Callable, List, Tuple

from .. import _fork
from ._waiters import Outer


class ThreadEnd:
    """The outer pollers of one thread, which are closed with it."""

    def __init__(self) -> None:
        #: (outer poller, whether its hub has ended), of each that is in use.
        self._all: List[Tuple[Outer, Callable[[], bool]]] = []

    def add(self, outer: Outer, has_ended: Callable[[], bool]) -> None:
        """Note a new one, and close those whose hub has ended since."""
        for each in [each for each in self._all if each[0].gone or each[1]()]:
            self._all.remove(each)
            each[0].close()
        self._all.append((outer, has_ended))

    def __del__(self) -> None:
        if not sys.is_finalizing():
            _fork.notice()  # in a child, this comes before it knows that it is one
            while self._all:
                self._all.pop()[0].close()


def thread_end(thread_local: Any) -> ThreadEnd:
    """The calling thread's, made if there is none; `thread_local` must be one of real threads."""
    try:
        found: ThreadEnd = thread_local.end
    except AttributeError:
        found = thread_local.end = ThreadEnd()
    return found
