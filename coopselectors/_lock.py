"""What keeps two real threads from changing the same poller at once?

A lock that no patcher replaces: eventlet makes every RLock that it finds a green one, and gevent
replaces what makes plain locks.  Nobody touches the interpreter's dict and queue in C.

It is re-entrant, since a finalizer or a signal handler may run while it is held.  A signal handler
may raise while it is taken or given back, and leave it held by nobody.  It is never held for longer
than a few system calls.  So a thread that has waited for a second looks whether the owner runs code
of this package, and takes the lock over if not.  A lock that is held during an import is taken over
after that second in any case: the import may be waiting for the thread that waits here.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Dict

try:
    from _queue import Empty, SimpleQueue
except ImportError:  # PyPy
    from queue import Empty, SimpleQueue

from ._threads import get_ident, may_see_frames

__all__ = ["Lock", "SimpleQueue"]

# Seconds after which a waiting thread looks whether the lock has an owner.
_PATIENCE = 1.0

_HERE = os.path.dirname(__file__)


class Lock:
    """A re-entrant lock of real threads; nothing may switch, block or import while it is held.

    With `during_imports`, it may be held while something is imported, and is waited for no longer
    than a second.
    """

    __slots__ = ("_depth", "_during_imports", "_freed", "_owners")

    def __init__(self, during_imports: bool = False) -> None:
        self._during_imports = during_imports
        #: {0: the thread that holds it}, empty while none does.  A thread that finds itself in
        #: there holds it, so that taking it and noting that are one.
        self._owners: Dict[int, Any] = {}
        #: How often the owner has entered.
        self._depth = 0
        #: Has one item when somebody has given it back.
        self._freed: Any = SimpleQueue()

    def __enter__(self) -> None:
        me = get_ident()
        if self._owners.setdefault(0, me) != me:
            self._wait(me)
        self._depth += 1

    def __exit__(self, *_: Any) -> None:
        if self._depth > 1:
            self._depth -= 1
            return
        self._depth = 0
        self._owners.pop(0, None)
        if self._freed.empty():
            self._freed.put(None)

    def _wait(self, me: Any) -> None:
        while self._owners.setdefault(0, me) != me:
            try:
                self._freed.get(True, _PATIENCE)
            except Empty:
                self._take_over()

    def _take_over(self) -> None:
        owner = self._owners.get(0)
        if owner is None:
            return
        if self._depth and not self._during_imports and _is_in_here(owner):
            return
        self._depth = 0
        self._owners.pop(0, None)


def _is_in_here(thread: Any) -> bool:
    """Whether a thread is in a function of this package, as far as that can be seen."""
    if not may_see_frames:
        return True
    frame = sys._current_frames().get(thread)
    while frame is not None and not frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    return frame is not None
