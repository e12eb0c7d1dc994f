"""Which real threads are there, as far as can be seen?

gevent and eventlet count and name greenlets where a program asks for threads.
"""

from __future__ import annotations

import _frozen_importlib
import sys
from types import BuiltinFunctionType
from typing import Any

# Patchers write into `_thread` or replace the module; the import system has kept the real one.
_thread: Any = _frozen_importlib._thread  # type: ignore[attr-defined]

#: Identifies real threads.  gevent's identifies greenlets, which does no harm to a lock that no
#: switching greenlet holds.
get_ident: Any = _thread.get_ident

_count = _thread._count
# What eventlet puts there counts greenlets.
_counts_threads = type(_count) is BuiltinFunctionType

#: Whether `sys._current_frames` may be called.
may_see_frames = True
if sys.version_info >= (3, 12):
    # A subinterpreter may have its own memory.  `sys._current_frames` makes objects there for the
    # frames of all other interpreters, and the process aborts when these are freed.
    if hasattr(_thread, "_is_main_interpreter"):  # since 3.13
        may_see_frames = _thread._is_main_interpreter()
    else:
        try:
            import _xxsubinterpreters
        except ImportError:
            pass
        else:
            may_see_frames = _xxsubinterpreters.get_current() == _xxsubinterpreters.get_main()


def has_others() -> bool:
    """Whether there may be threads beside the calling one, started by Python or by a C library."""
    if not _counts_threads or not may_see_frames or _count() > 0:
        return True
    # uWSGI, mod_wsgi and other embedders start threads that `_thread` does not count.
    return len(sys._current_frames()) > 1
