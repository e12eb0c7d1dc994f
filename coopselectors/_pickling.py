"""By which name are our classes and functions pickled?

By the standard one while they stand in its place, so that a process without coopselectors can load
it; by their own otherwise.

A pickle of a class says its module and its name, unless `copyreg` knows better for the metaclass.
"""

from __future__ import annotations

import copyreg
import sys
from abc import ABCMeta
from importlib import import_module
from typing import Any, Callable, Dict, List

from . import _runtime

#: {a class of ours: the classes that it replaces while it is installed}
REPLACED: Dict[type, List[type]] = {}

#: {a class: what is called with each name, and its new value, that is set on it while installed}
FOLLOWERS: Dict[type, Callable[..., None]] = {}


# Whatever a metaclass has made of the attribute.
_bases_of: Any = type.__dict__["__mro__"].__get__


class InstalledSelectorType(ABCMeta):
    """The metaclass of our selector classes, and of what is derived from them, while installed.

    Not before: a class with two bases whose metaclasses are both derived from ABCMeta has to say
    which one it wants.

    Selectors that were made before, and classes that were derived before, count as instances and
    subclasses of what stands in the place of their class.

    It also has what is set on DefaultSelector, by `mock.patch.object` for example, reach the class
    of its instances.  In the standard module the two are one class.
    """

    def __subclasscheck__(cls, kind: type) -> bool:
        return super().__subclasscheck__(kind) or any(
            base in REPLACED.get(cls, ()) for base in _bases_of(kind)
        )

    def __setattr__(cls, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if cls in FOLLOWERS:
            FOLLOWERS[cls](name, value)

    def __delattr__(cls, name: str) -> None:
        super().__delattr__(name)
        if cls in FOLLOWERS:
            FOLLOWERS[cls](name)


class PrimitiveType(type):
    """The metaclass of our own `epoll` and the like."""


class _Module:
    """Is pickled as the module of that name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __reduce__(self) -> Any:
        return import_module, (self._name,)


def reduced_class(kind: type) -> Any:
    """What a pickle says of a class of ours, or one that is derived from it."""
    name = kind.__name__
    if kind.__module__.partition(".")[0] == __package__:
        for module in ("selectors", "select"):
            if getattr(sys.modules.get(module), name, None) is kind:
                return getattr, (_Module(module), name)
    return kind.__qualname__  # of its own module, as usual


def reduced_home(home: Any, name: str) -> Any:
    """Return how to pickle the object that has our function `name` as a method."""
    if _runtime.offered(name) == getattr(home, name):
        return import_module, ("select",)
    return import_module, (_runtime.OURS,)


copyreg.pickle(InstalledSelectorType, reduced_class)
copyreg.pickle(PrimitiveType, reduced_class)
