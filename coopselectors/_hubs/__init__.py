"""Which adapter waits in the current runtime?"""

from __future__ import annotations

import os
from typing import Any, Dict, Tuple

from .. import _runtime
from .._lock import Lock
from ._base import Hub, Source
from ._foreign import NO_PRIMITIVE, ForeignHub, are_three
from ._native import NativeHub

__all__ = [
    "NATIVE",
    "NO_PRIMITIVE",
    "ForeignHub",
    "Hub",
    "Source",
    "hub_for",
    "is_usable",
    "is_usable_select",
    "pinned_hub",
    "seen",
]

#: Nobody patched anything.
NATIVE = NativeHub()

# {runtime: its adapter}.  An adapter imports its library, so it is made when it is first needed:
# by then the library has patched `select`, or the caller has asked for it by name.
_adapters: Dict[str, Hub] = {NATIVE.name: NATIVE}

#: {name of a primitive: (the select module seen last, what it offers, the select.select and the
#: primitive seen last, the hub for them, that name)}
Seen = Tuple[Any, Any, Any, Any, Hub, str]
seen: Dict[str, Seen] = {}


def hub_for(primitive: str) -> Hub:
    """The hub through which a selector built on `primitive` must wait now."""
    return look(primitive)[4]


def look(primitive: str) -> Seen:
    """The hub, with everything that must be unchanged for it to be still the right one."""
    select, own = _runtime.offered("select"), _runtime.offered(primitive)
    module = _runtime.modules.get("select")
    last = seen.get(primitive)
    if last is not None and last[0] is module and last[2] is select and last[3] is own:
        hub = last[4]
        if not (isinstance(hub, ForeignHub) and hub.is_broken):
            return last
    # What is patched from here on is noticed next time.
    offers = _runtime.offers_of(_runtime.select_module())
    found = module, offers, select, own, _choose(select, own), primitive
    seen[primitive] = found
    return found


def _choose(select: Any, own: Any) -> Hub:
    # Whoever replaced the selector's own primitive wants the replacement to be called.  A missing
    # primitive was deleted by whoever patched select.select.  A broken one counts as missing.
    if own is not select and _runtime.owner(own) == _runtime.FOREIGN and is_usable(own):
        return ForeignHub(select, own)
    runtime = _runtime.owner(select)
    if runtime != _runtime.FOREIGN:
        return _adapter(runtime)
    return ForeignHub(select, own if own is select else None)


def is_usable(primitive: Any) -> bool:
    """Whether a replaced poll, epoll or the like can be called, and returns an object to poll."""
    try:
        made: Any = primitive()
        methods = ("control",) if hasattr(made, "control") else ("poll", "register")
        usable = all(callable(getattr(made, method)) for method in methods)
    except Exception:  # a sandbox may raise anything
        return False
    try:
        made.close()
    except Exception:
        pass  # a poll object has none
    return usable


def is_usable_select(select: Any) -> bool:
    """Whether a replacement of ``select.select`` returns a result like the original's."""
    try:
        return are_three(select([], [], [], 0))
    except Exception:
        return False


def pinned_hub(runtime: str) -> Hub:
    """The hub that a caller asked for by name.

    Raises ValueError for an unknown name, and ImportError for a library that is not installed.
    """
    if runtime not in _runtime.PINNABLE:
        known = ", ".join(map(repr, _runtime.PINNABLE))
        raise ValueError(f"unknown runtime {runtime!r}: use {known} or None")
    try:
        return _adapter(runtime)
    except ImportError as error:
        raise ImportError(
            f"runtime={runtime!r} needs {runtime}, which cannot be imported ({error}); "
            f"install it with: python -m pip install 'coopselectors[{runtime}]'",
            name=runtime,
        ) from error


# Held while an adapter is imported, and while the process forks.  Otherwise a child that needs the
# adapter could wait for ever for the import of a thread that does not exist there.
_importing = Lock(during_imports=True)
# Windows has neither fork() nor this function.
getattr(os, "register_at_fork", lambda **_: None)(
    before=_importing.__enter__,
    after_in_parent=_importing.__exit__,
    after_in_child=_importing.__exit__,
)


def _adapter(runtime: str) -> Hub:
    hub = _adapters.get(runtime)
    if hub is None:
        with _importing:
            # Not by a computed name, which tools that freeze a program do not find.
            if runtime == _runtime.GEVENT:
                from ._gevent import adapter
            else:
                from ._eventlet import adapter  # type: ignore[assignment]
        hub = _adapters[runtime] = adapter
    return hub
