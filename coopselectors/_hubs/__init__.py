"""How do I wait in this runtime?  One adapter per runtime, and the choice between them."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Dict, Tuple

from .. import _runtime
from ._base import Hub
from ._foreign import ForeignHub
from ._native import NativeHub

__all__ = ["NATIVE", "ForeignHub", "Hub", "hub_for", "is_usable", "pinned_hub", "seen"]

#: Nobody patched anything.
NATIVE = NativeHub()

# {runtime: its adapter}.  An adapter imports its library, so it is made when it is first needed:
# by then the library has patched `select`, or the caller has asked for it by name.
_adapters: Dict[str, Hub] = {NATIVE.name: NATIVE}

#: {name of a primitive: (the select.select seen last, the primitive seen last, the hub for them)}
seen: Dict[str, Tuple[Any, Any, Hub]] = {}


def hub_for(primitive: str) -> Hub:
    """The hub through which a selector built on `primitive` has to wait right now.

    It is looked for anew only when ``select.select`` or the primitive is not what it was.
    """
    select, own = _runtime.offered("select"), _runtime.offered(primitive)
    last = seen.get(primitive)
    if last is not None and last[0] is select and last[1] is own:
        return last[2]
    hub = _choose(select, own)
    seen[primitive] = select, own, hub
    return hub


def _choose(select: Any, own: Any) -> Hub:
    # Somebody who replaced the selector's own primitive means to be called; a missing one was
    # deleted by whoever patched select.select, and a broken one is as good as missing.
    if own is not select and _runtime.owner(own) == _runtime.FOREIGN and is_usable(own):
        return ForeignHub(select, own)
    runtime = _runtime.owner(select)
    if runtime != _runtime.FOREIGN:
        return _adapter(runtime)
    return ForeignHub(select, own if own is select else None)


def is_usable(primitive: Any) -> bool:
    """Whether a replaced primitive can be called at all: it is there, and does not say ENOSYS."""
    if primitive is None:
        return False
    try:
        made = primitive()
    except OSError:
        return False
    close = getattr(made, "close", None)
    if close is not None:
        close()
    return True


def pinned_hub(runtime: str) -> Hub:
    """The hub that a caller asked for by name.

    Raises ValueError for an unknown name, and ImportError for a library that is not installed.
    """
    if runtime not in _runtime.PINNABLE:
        known = ", ".join(map(repr, _runtime.PINNABLE))
        raise ValueError(f"unknown runtime {runtime!r}: it is one of {known}, or None")
    try:
        return _adapter(runtime)
    except ImportError as error:
        raise ImportError(
            f"runtime={runtime!r} needs {runtime}, which cannot be imported ({error}); "
            f"install it with: python -m pip install 'coopselectors[{runtime}]'",
            name=runtime,
        ) from error


def _adapter(runtime: str) -> Hub:
    hub = _adapters.get(runtime)
    if hub is None:
        module = import_module(f"{__name__}._{runtime}")
        hub = _adapters[runtime] = module.adapter
    return hub
