"""When does a nest go?  With the thread of its hub, or with the hub before that.

Hubs do not tell that they end.  gevent's hub object outlives its ``destroy()``, and an active
watcher of it outlives even its loop; eventlet's hub stays behind when its thread has ended.  So
each thread keeps a list of its nests, in a variable that dies with the thread.
"""

from __future__ import annotations

import sys
from typing import Any, Callable, List, NamedTuple

from ._nest import Nest


class Tenancy(NamedTuple):
    """A nest in use."""

    nest: Nest
    #: Whether its hub has been destroyed.
    has_ended: Callable[[], bool]
    #: Has the hub, or what is left of it, forget about the nest.
    unwatch: Callable[[], None]


class Tenancies:
    """Those of one thread."""

    def __init__(self) -> None:
        self._all: List[Tenancy] = []

    def add(self, tenancy: Tenancy) -> None:
        """Note a new one, and end those whose hub has ended since."""
        self._end([one for one in self._all if one.has_ended()])
        self._all.append(tenancy)

    def __del__(self) -> None:
        if not sys.is_finalizing():
            self._end(list(self._all))

    def _end(self, some: List[Tenancy]) -> None:
        for tenancy in some:
            self._all.remove(tenancy)
            tenancy.unwatch()
            tenancy.nest.close()


def of_this_thread(thread_local: Any) -> Tenancies:
    """The calling thread's, made if there are none; `thread_local` must be one of real threads."""
    if not hasattr(thread_local, "tenancies"):
        thread_local.tenancies = Tenancies()
    found: Tenancies = thread_local.tenancies
    return found
