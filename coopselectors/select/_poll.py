"""poll(2) that waits through the hub."""

from __future__ import annotations

from functools import lru_cache
from selectors import EVENT_READ, EVENT_WRITE
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional

from .. import _fork, _unpatched
from .._pollers import IN, OUT, CompanionPoller, Pair, PollPoller
from ._waiting import (
    NATIVE,
    Way,
    descriptor_of,
    find_way,
    judge_with,
    may_hurry,
    number_of,
    offered,
    wait,
)

PRI = 0x002
# What <poll.h> and <sys/epoll.h> both know: PRI, ERR, HUP, RDNORM to MSG, RDHUP.
_EXTRAS = 0x27DA


class Watched(NamedTuple):
    """What a file is watched for, as a poller wants it."""

    events: int
    extra_events: int


@lru_cache(maxsize=256)
def watched(mask: int) -> Watched:
    """That of a mask in the primitive's own bits."""
    events = (mask & IN and EVENT_READ) | (mask & OUT and EVENT_WRITE)
    return Watched(events, mask & _EXTRAS)


class _Poller(PollPoller):
    """The files of a `poll`, whose native object is filled by its user."""

    def accompany(self, fd: int, now: Optional[Watched], before: Optional[Watched]) -> None:
        """Tell the companion of a change, if there is one."""
        if before is not None:
            CompanionPoller.unregister(self, fd, before.events)
        if now is not None:
            self.has_extras = self.has_extras or bool(now.extra_events)
            CompanionPoller.register(self, fd, *now)
        if self.loose:
            self.changed()


class Poll:
    """What `poll` returns."""

    __slots__ = ("__weakref__", "_is_busy", "_keys", "_native", "_poller", "_way")

    _native: Any
    _keys: Dict[int, Watched]
    #: Made for the first wait under a hub.
    _poller: Optional[_Poller]
    #: Whether a greenlet is in `poll`.
    _is_busy: bool
    _way: Way

    def __new__(cls) -> Poll:
        raise TypeError(f"cannot create '{cls.__module__}.{cls.__qualname__}' instances")

    def register(self, fd: Any, eventmask: int = IN | PRI | OUT, /) -> None:
        """Watch a file, a number or an object with ``fileno()``; again, to change the events."""
        fd = descriptor_of(fd)
        self._native.register(fd, eventmask)
        self._note(fd, watched(eventmask))

    def modify(self, fd: Any, eventmask: int, /) -> None:
        """Watch a registered file for other events; OSError (ENOENT) if it is not registered."""
        fd = descriptor_of(fd)
        self._native.modify(fd, eventmask)
        self._note(fd, watched(eventmask))

    def unregister(self, fd: Any, /) -> None:
        """Watch a file no longer; KeyError if it is not registered."""
        fd = descriptor_of(fd)
        self._native.unregister(fd)
        self._note(fd, None)

    def _note(self, number: int, now: Optional[Watched]) -> None:
        before = self._keys.pop(number, None)
        if now is not None:
            self._keys[number] = now
        if self._poller is not None:
            self._poller.accompany(number, now, before)

    def poll(self, timeout: Optional[float] = None, /) -> List[Pair]:
        """Wait for at most `timeout` milliseconds, for ever if it is None or negative.

        Returns ``[(fd, events), ...]``.  RuntimeError if another thread or greenlet is in here.
        """
        if offered("select") is not self._way.select:
            self._way = find_way()
        way = self._way
        pairs: List[Pair]
        if way.hub is NATIVE:
            pairs = self._native.poll(timeout)
            return pairs
        if self._is_busy:
            raise RuntimeError("concurrent poll() invocation")
        seconds = number_of(timeout, lambda _: judge_with(_unpatched.poll(), timeout))
        if seconds is not None:
            seconds = None if seconds < 0 else seconds / 1000
        if may_hurry(way):
            pairs = self._native.poll(0)
            if pairs:
                return pairs
        if self._poller is None:
            self._poller = self._make_poller()
        self._is_busy = True
        try:
            return wait(way, self._poller, seconds)
        finally:
            self._is_busy = False

    def _make_poller(self) -> _Poller:
        native = self._native  # to hold `self` would be a cycle, and a drop leave the companion
        poller = _Poller(self._keys, lambda: native)
        poller.has_extras = any(key.extra_events for key in self._keys.values())
        _fork.tell(poller)
        return poller


class _Home:
    """Where `poll` is at home, which is its method; see `Select`."""

    def poll(self) -> Poll:
        """``select.poll``: takes, returns and raises what that does.

        In an ordinary process it waits in the kernel, and under gevent or eventlet only the calling
        greenlet waits: that is decided at each call of ``poll()``.  There, what others register
        meanwhile is waited for, too.
        """
        made = object.__new__(Poll)
        made._native = _unpatched.poll()
        made._keys = {}
        made._poller = None
        made._is_busy = False
        made._way = find_way()
        return made


if TYPE_CHECKING:
    poll = Poll  # the class, as in typeshed: programs annotate with it
else:
    poll = _Home().poll
