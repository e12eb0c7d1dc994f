"""How does a greenlet sleep if the kernel refuses to add its poller to the outer poller?

The hub watches the files one by one.  It is given duplicates, which nobody else knows of and so
nobody can close.
"""

from __future__ import annotations

import errno
import math
from functools import partial
from typing import Any, Callable, List, Optional, Set

from greenlet import getcurrent

from .._backends import Pair
from .._pollers._duplicates import Duplicate
from .._pollers._poller import Poller
from .._unpatched import clock
from ._base import Source, can_nest
from ._guarded import guarded
from ._waiters import Outer, Waiters

# Seconds until a file is looked at again if the hub and the primitive disagree about it.
_SECOND_LOOK = 0.02


class PerFileSleep:
    """The part of `CooperativeHub` that does so."""

    # What the rest of that class supplies.
    _sleep: Any
    report: Any
    watch_file: Any

    def _sleep_on_files(
        self, hub: Any, outer: Outer, poller: Poller, source: Source, seconds: Optional[float]
    ) -> None:
        """The outer poller cannot hold `poller`: watch its files one by one.

        The hub is given duplicates.  Nobody else knows them, so nobody can close them.
        """
        waiters = Waiters(outer)
        is_known = not (poller.has_extras or poller.backend.others)
        if not is_known and (seconds is None or seconds > _SECOND_LOOK):
            seconds = _SECOND_LOOK  # a hub knows READ and WRITE of files only
        told: Set[int] = set()
        try:
            try:
                poller.watch_per_file(waiters, True)
                if poller.closed:  # asked for after the line above, see `Poller.close`
                    return
                end = math.inf if seconds is None else clock.monotonic() + seconds
                self._sleep_on_each(hub, poller, waiters, told, seconds)
                end = min(end, clock.monotonic() + _SECOND_LOOK)
                known = 0
                while len(told) > known:
                    pairs = source.poll(0)
                    if pairs:
                        source.give_back(pairs)
                        break
                    # A hang-up, say, that select(2) does not report to a writer, or a file that
                    # reports changes only: to watch that one on would be to spin.
                    known = len(told)
                    rest = max(end - clock.monotonic(), 1e-3)  # libuv has no shorter timer
                    self._sleep_on_each(hub, poller, waiters, told, rest)
            finally:
                poller.watch_per_file(waiters, False)
        finally:
            poller.watch_per_file(waiters, False)

    def _sleep_on_each(
        self,
        hub: Any,
        poller: Poller,
        waiters: Waiters,
        told: Set[int],
        seconds: Optional[float],
    ) -> None:
        """Sleep until a file that is not in `told` is ready, and add it there."""
        undo: List[Callable[[], None]] = []
        soon = _SECOND_LOOK if seconds is None else min(seconds, _SECOND_LOOK)

        def wake(fd: int, _: Any) -> None:
            told.add(fd)
            waiters.wake()

        try:
            try:
                for fd, key in list(poller.keys.items()):
                    if fd in told or not key.events:
                        continue
                    try:
                        duplicate = Duplicate(fd)
                    except OSError as error:
                        # No descriptor is left, so the file is looked at again and again.  If it
                        # was closed while registered, nothing more will come of it.
                        if error.errno != errno.EBADF:
                            seconds = soon
                        continue
                    undo.append(duplicate.close)
                    if not can_nest([duplicate.fd]):
                        seconds = soon
                        continue
                    callback = guarded(partial(wake, fd), partial(self.report, hub, None))
                    self.watch_file(hub, duplicate.fd, key.events, callback, undo)
                self._sleep(hub, getcurrent(), waiters, EMPTY_SOURCE, seconds)
            finally:
                do_all(undo)
        finally:
            do_all(undo)


def do_all(undo: List[Callable[[], None]]) -> None:
    """Call these, the last one first; what a signal handler interrupts is called again."""
    while undo:
        undo[-1]()
        undo.pop()


class _EmptySource:
    """The source of a wait that ends only when somebody else wakes the greenlet."""

    def poll(self, timeout: Optional[float]) -> List[Pair]:
        return []


#: There is never anything to give back to it.
EMPTY_SOURCE: Any = _EmptySource()
