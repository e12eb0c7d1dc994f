"""Which of our objects replaces each standard class and function?"""

from __future__ import annotations

from typing import Any

from .. import _default, _selectors, select

NAMES = (
    "DefaultSelector",
    "SelectSelector",
    "PollSelector",
    "EpollSelector",
    "DevpollSelector",
    "KqueueSelector",
)
#: The one that the standard module chooses on this platform.
BEST = _default.BEST
PRIMITIVES = ("select", "poll", "epoll", "devpoll", "kqueue")


def counterpart(name: str) -> Any:
    """Our selector class of a name, if this platform has it."""
    if name == "DefaultSelector":
        return _default.DefaultSelector
    return vars(_selectors).get(name) if name in NAMES else None


def select_for(thing: Any) -> Any:
    """A function of ours to replace `thing`, a ``select`` function."""
    return select.Select(thing).select


def our_primitive(name: str) -> Any:
    """Our primitive of a name, if this platform has it."""
    return vars(select).get(name)
