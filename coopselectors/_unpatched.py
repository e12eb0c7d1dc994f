"""What did ``select``, ``os`` and the clock offer before anyone patched them?

This module holds the unpatched primitives, and nothing that depends on who patched them.  It does
not ask the patcher.  Functions that are still the built-in ones are used as they are.  Others are
taken from a second, pristine copy of the interpreter's own module.

Tests replace the clock and the functions of `os` wherever a module has them as attributes
(freezegun, pyfakefs).  They do not look into classes, so `system` and `clock` are classes.
"""

from __future__ import annotations

import os as _patched_os
import select as _patched_select
import sys
import time as _patched_time
from importlib.machinery import BuiltinImporter, PathFinder
from importlib.util import module_from_spec
from types import BuiltinFunctionType, ModuleType
from typing import Any, Dict, Optional

# `os` re-exports the system's calls from this module, and patchers replace the re-export only.
_os: Any = sys.modules.get("posix") or sys.modules.get("nt") or _patched_os


def is_builtin(offered: object) -> bool:
    """Whether `offered` comes from the interpreter's own ``select`` module.

    ``select.select`` and ``select.poll`` are built-in functions, ``select.epoll`` and its like
    are types of that module.
    """
    # By its type, because a proxy may claim to be anything.  For these types, no foreign code runs.
    if type(offered) is BuiltinFunctionType:
        return offered.__module__ == "select"
    return type(offered) is type and type.__getattribute__(offered, "__module__") == "select"


def _pristine(name: str) -> ModuleType:
    """A fresh copy of an interpreter's own extension module, which nobody else can see."""
    public = sys.modules[name]
    try:
        for finder in (BuiltinImporter, PathFinder):
            spec = finder.find_spec(name)
            if spec is not None and spec.loader is not None:
                module = module_from_spec(spec)
                loader: Any = spec.loader
                loader.exec_module(module)
                return module
    finally:
        # CPython 3.9 puts the copy into sys.modules, where everybody patches the module.
        sys.modules[name] = public
    raise ImportError(f"this interpreter has no built-in {name!r} module, and none on sys.path")


def _unreplaced(module: ModuleType, name: str) -> Any:
    """A function of an extension module, from a pristine copy if somebody has replaced it."""
    found = getattr(module, name, None)
    if type(found) is BuiltinFunctionType:
        return found
    return getattr(_pristine(module.__name__), name)


class system:
    """The operating system's own calls.

    gevent's ``os.close``, for instance, closes a file in a later turn of its loop, when the number
    may belong to another file.
    """

    close: Any = _os.close
    dup: Any = _os.dup
    dup2: Any = _os.dup2
    fstat: Any = _os.fstat
    getpid: Any = _os.getpid
    pipe: Any = _os.pipe
    # Windows has neither, and does not need them.
    get_blocking: Any = getattr(_os, "get_blocking", lambda fd: False)
    set_blocking: Any = getattr(_os, "set_blocking", lambda fd, blocking: None)


def is_open(fd: int) -> bool:
    """Whether the process has an open file of this number."""
    try:
        system.fstat(fd)
    except OSError:
        return False
    return True


class clock:
    """The clock that measures all our waits, in seconds."""

    # `time.monotonic` under another name.  time-machine 2 replaces the C function behind that one,
    # so that whoever has kept it has a clock that stands still, too.
    monotonic: Any = _unreplaced(_patched_time, "perf_counter")


_pristine_select: Optional[ModuleType] = None


def find(name: str) -> Any:
    """The unpatched ``select.<name>``, or None if this platform does not have it."""
    global _pristine_select
    offered = getattr(_patched_select, name, None)
    if is_builtin(offered):
        return offered
    if _pristine_select is None:
        _pristine_select = _pristine("select")
    return getattr(_pristine_select, name, None)


def number(name: str) -> int:
    """A constant of the ``select`` module; 0 if it has none of that name."""
    found: int = getattr(_patched_select, name, 0)
    return found


def constants() -> Dict[str, int]:
    """All constants of the ``select`` module."""
    return {name: value for name, value in vars(_patched_select).items() if name.isupper()}


select = find("select")
poll = find("poll")
epoll = find("epoll")
devpoll = find("devpoll")
kqueue = find("kqueue")
kevent = find("kevent")
