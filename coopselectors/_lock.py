"""What keeps two real threads from changing the same poller at once?

A lock that no patcher replaces: eventlet makes every RLock that it finds a green one, and gevent
replaces what makes plain locks.  Nobody touches the interpreter's queue in C.

It is re-entrant, since a finalizer or a signal handler may run while it is held.  A handler that
raises may come between taking it and noting that.  Whoever finds it held by nobody for a second,
where it is never held longer than some system calls take, takes it over.
"""

from __future__ import annotations

from typing import Any

try:
    from _queue import Empty, SimpleQueue
except ImportError:  # PyPy
    from queue import Empty, SimpleQueue

from ._unpatched import get_ident

# Seconds after which it is looked whether anybody holds it.
_PATIENCE = 1.0


class Lock:
    """A re-entrant lock of real threads; nothing may switch, block or import while it is held."""

    __slots__ = ("_depth", "_free", "_owner")

    def __init__(self) -> None:
        #: Has one item while nobody holds the lock.
        self._free: Any = SimpleQueue()
        self._free.put(None)
        self._owner: Any = None
        #: How often the owner has entered; 0 while nobody holds it.
        self._depth = 0

    def __enter__(self) -> None:
        me = get_ident()
        if self._owner != me:
            self._take()
            self._owner = me
        self._depth += 1

    def __exit__(self, *_: Any) -> None:
        self._depth -= 1
        if not self._depth:
            self._owner = None
            self._free.put(None)

    def _take(self) -> None:
        while True:
            try:
                self._free.get(True, _PATIENCE)
                return
            except Empty:
                if not self._depth:
                    return
