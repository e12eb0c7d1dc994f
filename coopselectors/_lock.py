"""What keeps two real threads from changing the same poller at once?

A lock that no patcher replaces.  eventlet turns every RLock that it finds into a green one, and
gevent replaces the function that makes plain locks.  No patcher touches the interpreter's own
queue, which is written in C.

The lock is re-entrant, because a finalizer or a signal handler may run while it is held.  A handler
that raises may run between taking the lock and noting its owner.  The lock is never held for longer
than a few system calls take.  So a thread that finds it without an owner for a second takes it.
"""

from __future__ import annotations

from typing import Any

try:
    from _queue import Empty, SimpleQueue
except ImportError:  # PyPy
    from queue import Empty, SimpleQueue

from ._unpatched import get_ident

# Seconds after which a waiting thread looks whether the lock has an owner.
_PATIENCE = 1.0


class Lock:
    """A re-entrant lock of real threads; nothing may switch, block or import while it is held."""

    __slots__ = ("_depth", "_free", "_owner")

    def __init__(self) -> None:
        #: Has one item while nobody holds the lock.
        self._free: Any = SimpleQueue()
        self._free.put(None)
        self._owner: Any = None
        #: How often the owner has entered it; 0 while nobody holds it.
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
