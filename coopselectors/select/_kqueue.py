"""How does kqueue(2) wait through a hub?"""

from __future__ import annotations

from typing import Any, List, Optional

from .. import _unpatched
from .._backends import KqueueBackend
from .._hubs import NATIVE
from ._arguments import integer_of, number_of
from ._user_poller import UserPoller, WithDescriptor
from ._waiting import find_way, in_time_slice, wait


def _is_most(number: Any) -> bool:
    """Whether this is a valid number of events; if not, the native kqueue raises the error."""
    return isinstance(number, int) and 0 < number < 2**31


class _Control:
    """One call of `control`: it makes its changes once, and wants at most `maxevents` events."""

    def __init__(self, poller: UserPoller, changes: Any, maxevents: int) -> None:
        self._poller = poller
        self._changes = [changes]
        self._maxevents = maxevents

    def poll(self, timeout: Optional[float]) -> List[Any]:
        changes = self._changes.pop() if self._changes else None
        return self._poller.collect(changes, self._maxevents, timeout)

    def give_back(self, pairs: List[Any]) -> List[Any]:
        return []


class kqueue(WithDescriptor):
    """Like ``select.kqueue``, with the same arguments, results and errors.

    Each call of `control` decides how to wait: in an ordinary process in the kernel; under gevent
    and eventlet, only the calling greenlet waits.  There, `close` raises ValueError in every caller
    that is waiting.
    """

    __slots__ = ("_native",)

    def __init__(self) -> None:
        self._take(KqueueBackend())

    @classmethod
    def fromfd(cls, fd: int, /) -> kqueue:
        """Return an object for a kqueue that exists already."""
        self = cls.__new__(cls)
        self._take(KqueueBackend(_unpatched.kqueue.fromfd(fd), is_ours=False), is_shared=True)
        return self

    def _take(self, backend: KqueueBackend, is_shared: bool = False) -> None:
        self._native = backend.native
        self._poller = UserPoller(backend, is_shared)
        self._way = find_way()

    def control(
        self, changelist: Any, maxevents: int, timeout: Optional[float] = None, /
    ) -> List[Any]:
        """Make changes, once, and return at most `maxevents` kevents.

        Waits for at most `timeout` seconds, forever if it is None, and not at all for no events.
        """
        if not self._way.holds():
            self._way = find_way()
        way = self._way
        most = maxevents if type(maxevents) is int else integer_of(maxevents)
        if way.hub is NATIVE or not _is_most(most) or self._native.closed:
            events: List[Any] = self._native.control(changelist, maxevents, timeout)
            return events
        seconds = number_of(timeout, self._validate)
        if seconds is not None and seconds < 0:
            self._validate(timeout)
        source = _Control(self._poller, changelist, maxevents)
        events = source.poll(0) if in_time_slice(way) else []
        return events or wait(way, self._poller, seconds, source)

    def _validate(self, timeout: Any) -> None:
        self._native.control(None, 0, timeout)  # changes nothing, and does not wait
