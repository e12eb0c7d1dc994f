"""Which classes and functions do the same as ours, and which of them would block a hub?"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, Dict, Iterator, Optional, Tuple, Type

from . import _runtime, _selectors, _unpatched, select
from ._bindings import is_a
from ._default import DefaultSelector

NAMES = (
    "DefaultSelector",
    "SelectSelector",
    "PollSelector",
    "EpollSelector",
    "DevpollSelector",
    "KqueueSelector",
)

#: The modules whose selector classes are replaced by `install`.
_HOMES = ("selectors", "gevent.selectors", "eventlet.green.selectors")

PRIMITIVES = ("select", "poll", "epoll", "devpoll", "kqueue")

# The modules whose functions ``install(select=True)`` replaces, beside the standard one's.
_GREEN = ("gevent.select", "eventlet.green.select")

# How eventlet names the copies that it makes of other modules.
_PRIVATE = ("__original_module_", "__patched_module_")

#: The name of our own package.
OURS = __name__.partition(".")[0]


def counterpart(name: str) -> Optional[Type[Any]]:
    """Our class of that name, if this platform has it."""
    return DefaultSelector if name == "DefaultSelector" else getattr(_selectors, name, None)


class Replacements:
    """What stands for the classes of the standard module, of gevent's and of eventlet's."""

    def __init__(self) -> None:
        # By identity: not every class that we may be asked about can be compared or hashed.
        self._all: Dict[int, Tuple[type, Type[Any]]] = {}
        # What eventlet's classes derive from is the BaseSelector of a copy.
        for home in filter(None, map(sys.modules.get, _HOMES)):
            for kind in _subclasses(home.BaseSelector):
                name = "DefaultSelector" if kind.__name__ == "GeventSelector" else kind.__name__
                ours = counterpart(name) if kind.__module__ in _HOMES else None
                if ours is not None:
                    self._all[id(kind)] = (kind, ours)

    def get(self, thing: Any) -> Optional[Type[Any]]:
        """The class of ours in the place of `thing`, or None if that is nothing to be replaced."""
        return self._all.get(id(thing), (None, None))[1]

    def stand_for(self, kind: type) -> bool:
        """Whether `kind` is such a class, or derived from one."""
        return any(id(each) in self._all for each in kind.__mro__)


def our_primitive(name: str) -> Any:
    """Ours of that name, if this platform has it."""
    return getattr(select, name, None) if name else None


class Primitives:
    """What stands for the functions and types of the ``select`` module."""

    def __init__(self) -> None:
        self._green = {
            id(thing): name
            for home in filter(None, map(sys.modules.get, _GREEN))
            for name, thing in vars(home).items()
            # gevent copies what it finds there, and may have found ours.
            if name in PRIMITIVES and _runtime.owner(thing) in (_runtime.GEVENT, _runtime.EVENTLET)
        }
        self._selects: Dict[int, Any] = {}

    def get(self, thing: Any) -> Any:
        """Ours in the place of `thing`, or None if that is nothing to be replaced."""
        if is_primitive(thing):
            name = thing.__name__
            # The type of what select.poll() returns is called "poll", too.
            if is_a(thing, type) != is_a(our_primitive(name), type):
                return None
        else:
            name = self._green.get(id(thing), "")
        if name != "select":
            return our_primitive(name)
        # What was one thing in all places stays one.
        return self._selects.setdefault(id(thing), select.Select(thing).select)


def modules_of_others() -> Iterator[Tuple[str, ModuleType]]:
    """The loaded modules, but for our own and those that patchers keep for themselves."""
    seen = set()
    for name, module in list(sys.modules.items()):
        package = name.partition(".")[0]
        private = package in (OURS, "gevent", "eventlet") or name.startswith(_PRIVATE)
        # Some are there under two names: multiprocessing calls __main__ __mp_main__, too.
        if is_a(module, ModuleType) and not private and id(module) not in seen:
            seen.add(id(module))
            yield name, module


def is_selector(kind: type) -> bool:
    """Whether a class derives from the standard BaseSelector, or from that of a private copy."""
    # issubclass() is another matter for an ABC: asked of every type in a process, it has crashed
    # CPython 3.9 within _abc.
    return any(each.__name__ == "BaseSelector" for each in kind.__mro__)


def is_primitive(thing: Any) -> bool:
    """Whether it is the interpreter's own ``select.select``, ``poll``, ``epoll`` or the like."""
    return _unpatched.is_builtin(thing) and getattr(thing, "__name__", None) in PRIMITIVES


def blocks(thing: Any) -> bool:
    """Whether a class or a function waits in the kernel, whoever has patched what.

    True for the primitives, and for a selector class that has kept one.  gevent and eventlet put
    their own in the place of what some of the standard classes have kept.
    """
    if not is_a(thing, type) or not is_selector(thing):
        return is_primitive(thing)
    if thing.__module__.partition(".")[0] == OURS:
        return False
    kept = getattr(thing, "_selector_cls", None) or getattr(thing, "_select", None)
    # The standard KqueueSelector asks for select.kqueue each time; but patchers take away the both.
    return is_primitive(kept) or thing.__name__ == "KqueueSelector" == thing.__qualname__


def object_blocks(thing: Any) -> bool:
    """Whether an object waits in the kernel: one of a primitive, or a selector that has one."""
    kind = type(thing)
    if is_primitive(kind):
        return True
    if not is_selector(kind):
        return False
    kept = getattr(thing, "__dict__", {}).get("_selector")
    return blocks(kind) if kept is None else is_primitive(type(kept))


def _subclasses(kind: type) -> Iterator[type]:
    each: type
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses(each)
