"""What of ours stands in the place of each standard class and function?"""

from __future__ import annotations

from types import MethodType
from typing import Any, Dict

from . import _default, _selectors, select

NAMES = (
    "DefaultSelector",
    "SelectSelector",
    "PollSelector",
    "EpollSelector",
    "DevpollSelector",
    "KqueueSelector",
)
PRIMITIVES = ("select", "poll", "epoll", "devpoll", "kqueue")


def counterpart(name: str) -> Any:
    """Our selector class of that name, if this platform has it."""
    if name == "DefaultSelector":
        return _default.DefaultSelector
    return vars(_selectors).get(name) if name in NAMES else None


def our_primitive(name: str) -> Any:
    """Ours of that name, if this platform has it."""
    return _POLLERS.get(name) or vars(select).get(name)


class _ByStandardName:
    """Where a function is at home that `install` has put in the place of a standard one.

    It is pickled by the standard name, so that any process can read it, and a copy is itself.
    """

    __slots__ = ()

    def __reduce__(self) -> Any:
        return __import__, ("select",)  # the method is looked up there by its name

    def __deepcopy__(self, memo: Any) -> Any:
        return self


class StandardSelect(_ByStandardName, select.Select):
    __slots__ = ()


def _pollers() -> Dict[str, Any]:
    """Our ``poll`` and ``devpoll``, where they are functions, as they are to be put in place."""
    found = {}
    for name in ("poll", "devpoll"):
        ours = vars(select).get(name)
        if type(ours) is MethodType:
            home = type(f"_{name}", (_ByStandardName, type(ours.__self__)), {"__slots__": ()})
            found[name] = getattr(home(), name)
    return found


_POLLERS = _pollers()
