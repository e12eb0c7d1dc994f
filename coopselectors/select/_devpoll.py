"""/dev/poll, poll(7d), that waits through the hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Optional

from .. import _unpatched
from .._pollers import IN, OUT, DevpollPoller, Pair
from ._kernel import WithDescriptor
from ._poll import PRI, Watched, watched
from ._waiting import (
    NATIVE,
    descriptor_of,
    find_way,
    judge_with,
    may_hurry,
    number_of,
    offered,
    wait,
)


class Devpoll(WithDescriptor):
    """What `devpoll` returns."""

    __slots__ = ("_keys",)

    _keys: Dict[int, Watched]

    def __new__(cls) -> Devpoll:
        raise TypeError(f"cannot create '{cls.__module__}.{cls.__qualname__}' instances")

    def register(self, fd: Any, eventmask: int = IN | PRI | OUT, /) -> None:
        """Watch a file, a number or an object with ``fileno()``."""
        fd = descriptor_of(fd)
        self._native.register(fd, eventmask)
        self._note(fd, eventmask)

    def modify(self, fd: Any, eventmask: int = IN | PRI | OUT, /) -> None:
        """Watch a registered file for other events."""
        fd = descriptor_of(fd)
        self._native.modify(fd, eventmask)
        self._note(fd, eventmask)

    def unregister(self, fd: Any, /) -> None:
        """Watch a file no longer; no error if it is not registered."""
        fd = descriptor_of(fd)
        self._native.unregister(fd)
        self._note(fd, None)

    def _note(self, number: int, mask: Optional[int]) -> None:
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
        if way.hub is NATIVE or self._native.closed:
            pairs = self._native.poll(timeout)
            return pairs
        seconds = number_of(timeout, self._judge)
        if seconds is not None:
            if seconds < -1:
                self._judge(timeout)
            seconds = None if seconds < 0 else seconds / 1000
        if may_hurry(way):
            pairs = self._native.poll(0)
            if pairs:
                return pairs
        return wait(way, self._waitable, seconds)

    def _judge(self, timeout: Any) -> None:
        judge_with(_unpatched.devpoll(), timeout)


class _Home:
    """Where `devpoll` is at home, which is its method; see `Select`."""

    def devpoll(self) -> Devpoll:
        """``select.devpoll``: takes, returns and raises what that does.

        In an ordinary process it waits in the kernel, and under gevent or eventlet only the calling
        greenlet waits: that is decided at each call of ``poll()``.
        """
        made = object.__new__(Devpoll)
        made._native = native = _unpatched.devpoll()
        made._keys = {}
        made._waitable = DevpollPoller(made._keys, lambda: native)
        made._way = find_way()
        return made


if TYPE_CHECKING:
    devpoll = Devpoll  # the class, as in typeshed: programs annotate with it
else:
    devpoll = _Home().devpoll
