"""kqueue(2) that waits through the hub."""

from __future__ import annotations

from typing import Any, Callable, List, Optional

from .. import _unpatched
from .._pollers import doorbell
from ._kernel import Asked, Kernel, WithDescriptor
from ._waiting import NATIVE, find_way, integer_of, may_hurry, number_of, offered, wait

# <sys/event.h>: the same on every platform that has it.
_READ = -1
_ADD = 0x1
_DELETE = 0x2


def _is_most(number: Any) -> bool:
    """Whether that is how many events one may wait for; the native one says why it is not."""
    return isinstance(number, int) and 0 < number < 2**31


class _Kernel(Kernel):
    name = "kqueue"

    def poll(self, timeout: Optional[float]) -> List[Any]:
        return self.collect(None, 0, timeout)  # each caller of `control` has his own way

    def _native_way(self) -> Callable[..., List[Any]]:
        way: Callable[..., List[Any]] = self.native.control
        return way

    def _without_doorbell(self, *how: Any) -> List[Any]:
        bell = doorbell()
        events = self.native.control(*how)
        return [event for event in events if (event.ident, event.filter) != (bell, _READ)]

    def ring(self, on: bool) -> None:
        try:
            bell = _unpatched.kevent(doorbell(), _READ, _ADD if on else _DELETE)
            self.native.control([bell], 0, 0)
        except (OSError, ValueError):
            pass  # not there, or closed


class kqueue(WithDescriptor):
    """``select.kqueue``: takes, returns and raises what that does.

    In an ordinary process it waits in the kernel, and under gevent or eventlet only the calling
    greenlet waits: that is decided at each call of `control`.  There, `close` wakes who waits, with
    a ValueError.
    """

    __slots__ = ()

    def __init__(self) -> None:
        self._take(_unpatched.kqueue())

    @classmethod
    def fromfd(cls, fd: int, /) -> kqueue:
        """One for the kqueue that a descriptor names already."""
        self = cls.__new__(cls)
        self._take(_unpatched.kqueue.fromfd(fd), is_shared=True)
        return self

    def _take(self, native: Any, is_shared: bool = False) -> None:
        self._native = native
        self._waitable = _Kernel(native, is_shared)
        self._way = find_way()

    def control(
        self, changelist: Any, maxevents: int, timeout: Optional[float] = None, /
    ) -> List[Any]:
        """Tell the kernel of changes, once, and return at most `maxevents` kevents.

        Waits for at most `timeout` seconds, for ever if it is None, and not at all for no events.
        """
        if offered("select") is not self._way.select:
            self._way = find_way()
        way = self._way
        most = maxevents if type(maxevents) is int else integer_of(maxevents)
        if way.hub is NATIVE or not _is_most(most) or self._native.closed:
            events: List[Any] = self._native.control(changelist, maxevents, timeout)
            return events
        seconds = number_of(timeout, self._judge)
        if seconds is not None and seconds < 0:
            self._judge(timeout)
        kernel: _Kernel = self._waitable
        untold = [changelist]

        def collect(_: Any) -> List[Any]:
            return kernel.collect(untold.pop() if untold else None, maxevents, 0)

        events = collect(None) if may_hurry(way) else []
        asked: Any = Asked(kernel, collect)
        return events or wait(way, asked, seconds)

    def _judge(self, timeout: Any) -> None:
        self._native.control(None, 0, timeout)  # changes nothing, and does not wait
