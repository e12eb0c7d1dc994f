"""/dev/poll, poll(7d), that waits through the hub."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .. import _originals
from .._pollers import IN, OUT, DevpollPoller, Pair
from ._kernel import WithDescriptor
from ._poll import PRI, Watched, watched
from ._waiting import NATIVE, find_way, may_hurry, number_of, offered, seconds_of, wait


class Devpoll(WithDescriptor):
    """What `devpoll` returns."""

    __slots__ = ("_keys",)

    _keys: Dict[int, Watched]

    def __new__(cls) -> Devpoll:
        raise TypeError(f"cannot create '{cls.__module__}.{cls.__qualname__}' instances")

    def register(self, fd: Any, eventmask: int = IN | PRI | OUT, /) -> None:
        """Watch a file, a number or an object with ``fileno()``."""
        self._native.register(fd, eventmask)
        self._note(fd, eventmask)

    def modify(self, fd: Any, eventmask: int = IN | PRI | OUT, /) -> None:
        """Watch a registered file for other events."""
        self._native.modify(fd, eventmask)
        self._note(fd, eventmask)

    def unregister(self, fd: Any, /) -> None:
        """Watch a file no longer; no error if it is not registered."""
        self._native.unregister(fd)
        self._note(fd, None)

    def _note(self, fd: Any, mask: Optional[int]) -> None:
        number = fd if isinstance(fd, int) else fd.fileno()
        self._keys.pop(number, None)
        if mask is not None:
            self._keys[number] = now = watched(mask)
            self._waitable.has_extras = self._waitable.has_extras or bool(now.extra_events)
        if self._waitable.loose:
            self._waitable.changed()

    def poll(self, timeout: Optional[float] = None, /) -> List[Pair]:
        """Wait for at most `timeout` milliseconds, for ever if it is None or -1.

        Returns ``[(fd, events), ...]``.
        """
        if offered("select") is not self._way.select:
            self._way = find_way()
        way = self._way
        pairs: List[Pair]
        if way.hub is NATIVE:
            pairs = self._native.poll(timeout)
            return pairs
        seconds = seconds_of(timeout, 1000)
        if seconds is None and timeout is not None and number_of(timeout) < -1:
            raise OverflowError("timeout is too large")
        if may_hurry(way):
            pairs = self._native.poll(0)
            if pairs:
                return pairs
        return wait(way, self._waitable, seconds)


class _Home:
    """Where `devpoll` is at home, which is its method; see `Select`."""

    def devpoll(self) -> Devpoll:
        """``select.devpoll``: takes, returns and raises what that does.

        In an ordinary process it waits in the kernel, and under gevent or eventlet only the calling
        greenlet waits: that is decided at each call of ``poll()``.
        """
        made = object.__new__(Devpoll)
        made._native = native = _originals.devpoll()
        made._keys = {}
        made._waitable = DevpollPoller(made._keys, lambda: native)
        made._way = find_way()
        return made


devpoll = _Home().devpoll
