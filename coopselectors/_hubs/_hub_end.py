"""When is an outer poller closed?  When its hub has ended, or at the latest with the hub's thread.

Hubs do not report their end.  gevent's hub object outlives its ``destroy()``, and an active watcher
outlives even the loop.  eventlet's hub is still there after its thread has ended.  So each thread
keeps a list of its outer pollers, in a variable that is freed with the thread.
"""

from __future__ import annotations

import sys
from typing import Any, Callable, List, Tuple

from .. import _fork
from ._waiters import Outer


class ThreadEnd:
    """The outer pollers of one thread; they are closed when it ends."""

    def __init__(self) -> None:
        #: (outer poller, a function that says whether its hub has ended)
        self._all: List[Tuple[Outer, Callable[[], bool]]] = []

    def add(self, outer: Outer, has_ended: Callable[[], bool]) -> None:
        """Note a new one, and close those whose hub has ended since."""
        for each in [each for each in self._all if each[0].gone or each[1]()]:
            self._all.remove(each)
            each[0].close()
        self._all.append((outer, has_ended))

    def __del__(self) -> None:
        if not sys.is_finalizing():
            _fork.notice()  # in a forked child, this runs before the at-fork hooks
            while self._all:
                self._all.pop()[0].close()


def thread_end(thread_local: Any) -> ThreadEnd:
    """The calling thread's, made if there is none; `thread_local` must be per real thread."""
    try:
        found: ThreadEnd = thread_local.end
    except AttributeError:
        found = thread_local.end = ThreadEnd()
    return found
