"""What did `select` (and the little we need of `os`) offer before anyone patched it?

Here live the unpatched primitives, and nothing that depends on who patched them.  They are
found without asking the patcher: what is still built in is taken as it is, and what was replaced
or deleted is taken from a second, pristine copy of the interpreter's own ``select`` module.
"""

from __future__ import annotations

import _frozen_importlib
import os as _patched_os
import select as _patched_select
import sys
from importlib.machinery import BuiltinImporter, PathFinder
from importlib.util import module_from_spec
from types import BuiltinFunctionType, ModuleType
from typing import Any, Dict

# The operating system's own calls.  `os` re-exports them from this module, and patchers replace
# the re-export only: gevent's os.close puts the real close off to a later turn of its loop, when
# the number may already belong to somebody else's file.
_os: Any = sys.modules.get("posix") or sys.modules.get("nt") or _patched_os

close = _os.close
dup = _os.dup
dup2 = _os.dup2
fstat = _os.fstat
pipe = _os.pipe


# Patchers write into `_thread` or put another module in its place; the import system has kept the
# real one.
_thread: Any = _frozen_importlib._thread  # type: ignore[attr-defined]

# No patcher has touched this one so far.
RLock: Any = _thread.RLock

_count = _thread._count


def has_other_threads() -> bool:
    """Whether there may be threads beside the main one."""
    # What eventlet puts there counts greenlets.
    return not isinstance(_count, BuiltinFunctionType) or _count() > 0


def is_builtin(offered: object) -> bool:
    """Whether `offered` comes from the interpreter's own ``select`` module.

    ``select.select`` and ``select.poll`` are built-in functions, ``select.epoll`` and its like
    are types of that module.
    """
    if not issubclass(type(offered), (BuiltinFunctionType, type)):  # see `_bindings.is_a`
        return False
    return getattr(offered, "__module__", None) == "select"


def _pristine_select() -> ModuleType:
    """A fresh copy of the interpreter's ``select`` module, which nobody else can see."""
    public = sys.modules["select"]
    try:
        for finder in (BuiltinImporter, PathFinder):
            spec = finder.find_spec("select")
            if spec is not None and spec.loader is not None:
                module = module_from_spec(spec)
                loader: Any = spec.loader
                loader.exec_module(module)
                return module
    finally:
        # CPython 3.9 puts the copy in the place of the module that everybody else patches.
        sys.modules["select"] = public
    raise ImportError("this interpreter has no built-in 'select' module")


_pristine: ModuleType | None = None


def find(name: str) -> Any:
    """The unpatched ``select.<name>``, or None where this platform never had it."""
    global _pristine
    offered = getattr(_patched_select, name, None)
    if is_builtin(offered):
        return offered
    if _pristine is None:
        _pristine = _pristine_select()
    return getattr(_pristine, name, None)


def number(name: str) -> int:
    """A constant of the ``select`` module, which no patcher has changed; 0 if it has none."""
    found: int = getattr(_patched_select, name, 0)
    return found


def constants() -> Dict[str, int]:
    """All of them that the ``select`` module has."""
    return {name: value for name, value in vars(_patched_select).items() if name.isupper()}


select = find("select")
poll = find("poll")
epoll = find("epoll")
devpoll = find("devpoll")
kqueue = find("kqueue")
kevent = find("kevent")
