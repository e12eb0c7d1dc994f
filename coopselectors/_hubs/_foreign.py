"""Somebody unknown patched `select`: call what it offers now.

What the patcher means to happen in a wait can only happen in its own functions, so these are
called, whatever they cost: a replaced ``select.poll`` or ``select.epoll`` is given the whole list
of files anew at each call, and a replaced ``select.select`` is asked to wait for our descriptor.
"""

from __future__ import annotations

import time
from selectors import EVENT_READ
from typing import Any, List, Optional, Type

from .._pollers import Pair, Poller, SelectPoller, Waitable, extra_of
from ._base import Hub


class ForeignHub(Hub):
    """Waits in `primitive`, a replaced primitive of the poller's own kind, or else in `select`."""

    name = "foreign"

    def __init__(self, select: Any, primitive: Any) -> None:
        self._select = select
        self._primitive = primitive

    def wait(
        self, poller: Waitable, timeout: Optional[float], deadline: Optional[float]
    ) -> List[Pair]:
        while True:
            pairs = self._ask(poller, timeout)
            if pairs or timeout == 0:
                return pairs
            if deadline is not None:
                timeout = deadline - time.monotonic()
                if timeout <= 0:
                    return pairs

    def describe(self) -> str:
        return repr(self._primitive or self._select)

    def _ask(self, poller: Waitable, timeout: Optional[float]) -> List[Pair]:
        """What is ready after one call of the foreign function, however early that returned."""
        try:
            if self._primitive is not None and isinstance(poller, Poller):
                # A new object would tell anew of each change that has been told of already.
                tells_once = poller.has_extras and poller.edges
                fd = poller.wait_fd() if tells_once else None
                if fd is None:
                    return _mirror(poller, type(poller), self._primitive, timeout)
                _wait_for(fd, type(poller), self._primitive, timeout)
                return poller.poll(0)
            fd = poller.wait_fd()
            if fd is not None:
                self._select([fd], [], [], timeout)
            else:
                _mirror(poller, SelectPoller, self._select, timeout)
        except InterruptedError:  # its author does not know PEP 475
            pass
        return poller.poll(0)


def _mirror(
    poller: Waitable, kind: Type[Poller], primitive: Any, timeout: Optional[float]
) -> List[Pair]:
    """Let a foreign primitive wait for the files of `poller`."""
    mirror = kind(poller.keys, primitive)
    try:
        for fd, key in list(poller.keys.items()):
            mirror.register(fd, key.events, extra_of(key))
        return mirror.poll(timeout)
    finally:
        mirror.close()


def _wait_for(fd: int, kind: Type[Poller], primitive: Any, timeout: Optional[float]) -> None:
    """Let a foreign primitive wait for one descriptor, a poller's own."""
    mirror = kind({}, primitive)
    try:
        mirror.register(fd, EVENT_READ)
        mirror.poll(timeout)
    finally:
        mirror.close()
