"""Where can a module keep a class or a function?

As an attribute of its own or of a class of its own, as an entry of a dictionary that is one, or as
a default argument.
"""

from __future__ import annotations

from types import FunctionType, ModuleType
from typing import Any, Callable, Dict, Iterator, NamedTuple

#: What `Place.get` returns, and `Place.set` takes, where there is nothing.
ABSENT: Any = object()


def is_a(thing: Any, kind: Any) -> bool:
    """``isinstance()``, but by what a thing is, and not by what it says that it is.

    A weak proxy says that it is what it stands for, and fails when that is gone; a lazy object has
    to be set up to say anything.
    """
    return issubclass(type(thing), kind)


class Place(NamedTuple):
    """One such place."""

    #: As ``module.Class.attribute``, ``module.TABLE['key']`` or ``module.function(argument=)``.
    label: str
    get: Callable[[], Any]
    set: Callable[[Any], None]


def places_in(module: ModuleType, name: str) -> Iterator[Place]:
    """All that there are in `module`, which `sys.modules` calls `name`."""
    for key, value in list(vars(module).items()):
        label = f"{name}.{key}"
        yield attribute(module, key, label)
        yield from _inside(value, name, label)
        if is_a(value, type) and value.__module__ == name:
            for inner, member in list(vars(value).items()):
                yield attribute(value, inner, f"{label}.{inner}")
                yield from _inside(member, name, f"{label}.{inner}")


def attribute(owner: Any, name: str, label: str) -> Place:
    """An attribute of a module or of a class."""

    def put(value: Any) -> None:
        if value is ABSENT:
            delattr(owner, name)
        else:
            setattr(owner, name, value)

    return Place(label, lambda: vars(owner).get(name, ABSENT), put)


def _inside(value: Any, module: str, label: str) -> Iterator[Place]:
    if is_a(value, (staticmethod, classmethod)):
        value = value.__func__
    if is_a(value, dict):
        for key in list(value):
            yield _entry(value, key, f"{label}[{key!r}]")
    elif is_a(value, FunctionType) and value.__module__ == module:
        arguments = value.__code__.co_varnames[: value.__code__.co_argcount]
        defaults = len(value.__defaults__ or ())
        for index in range(defaults):
            argument = arguments[len(arguments) - defaults + index]
            yield _default(value, index, f"{label}({argument}=)")
        keyword_only = value.__kwdefaults__ or {}
        for argument in list(keyword_only):
            yield _entry(keyword_only, argument, f"{label}({argument}=)")


def _entry(table: Dict[Any, Any], key: Any, label: str) -> Place:
    return Place(label, lambda: table.get(key, ABSENT), lambda value: table.update({key: value}))


def _default(function: FunctionType, index: int, label: str) -> Place:
    def get() -> Any:
        values = function.__defaults__ or ()
        return values[index] if index < len(values) else ABSENT

    def put(value: Any) -> None:
        values = list(function.__defaults__ or ())
        values[index] = value
        function.__defaults__ = tuple(values)

    return Place(label, get, put)
