"""What of ours stands in the place of each standard class and function?"""

from __future__ import annotations

import select as _standard_select
from importlib import import_module
from types import MethodType
from typing import Any

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
    return vars(select).get(name)


class StandardSelect(select.Select):
    """Where a function is at home that `install` has put in the place of ``select.select``.

    It is pickled by the standard name, so that any process can read it, and a copy is itself.
    """

    __slots__ = ()

    def __reduce__(self) -> Any:
        return __import__, ("select",)  # the method is looked up there by its name

    def __deepcopy__(self, memo: Any) -> Any:
        return self


def _pickle_by_standard_name(name: str) -> None:
    """The same for ``poll`` and ``devpoll``, which are methods too, while they stand there."""
    ours = vars(select).get(name)
    if type(ours) is not MethodType:
        return

    def reduce(home: Any) -> Any:
        is_in_place = vars(_standard_select).get(name) is ours
        return import_module, ("select" if is_in_place else select.__name__,)

    home: Any = type(ours.__self__)
    home.__reduce__ = reduce
    home.__deepcopy__ = lambda home, memo: home


_pickle_by_standard_name("poll")
_pickle_by_standard_name("devpoll")
