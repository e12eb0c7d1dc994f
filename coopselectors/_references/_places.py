"""How is each kind of reference read and written?

By C alone: neither the ``__setattr__`` of a class or metaclass, nor the methods of a subclass, take
part.  Each function here returns two others: one that reads what is held now, and one that replaces
it, so that what was there before can be put back as it was.
"""

from __future__ import annotations

import operator
from collections import deque
from functools import partial
from types import FunctionType
from typing import Any, Callable, NamedTuple, Optional, Tuple, cast

from . import _inert

#: What `Place.get` returns, and `Place.set` takes, where there is nothing.
ABSENT: Any = object()

Access = Tuple[Callable[[], Any], Callable[[Any], None]]


class Place(NamedTuple):
    """Where something is held."""

    #: The name of the module that the holder belongs to; empty if nobody knows.
    root: str
    #: As ``package.module.Class.attribute``, or ``default argument 'name' of package.function``.
    label: str
    #: The name, key or number under which it is held.
    key: Any
    held: Any
    get: Callable[[], Any]
    #: None where it cannot be replaced.
    set: Optional[Callable[[Any], None]]
    #: Why it cannot.
    reason: str = ""


def fixed(root: str, label: str, held: Any, reason: str) -> Place:
    """A place that cannot be written to."""
    return Place(root, label, None, held, lambda: held, None, reason)


def entry(table: Any, key: Any) -> Access:
    """Access to an entry of a dictionary."""

    def put(value: Any) -> None:
        if value is ABSENT:
            dict.pop(table, key, None)
        else:
            dict.__setitem__(table, key, value)

    return (lambda: dict.get(table, key, ABSENT)), put


def key(table: Any, held: Any) -> Access:
    """The key of an entry, whose place among the others is kept."""
    now = [held]

    def put(value: Any) -> None:
        moves = False
        for each, content in list(dict.items(table)):
            if each is now[0]:
                dict.pop(table, each)
                dict.__setitem__(table, value, content)
                moves = True
            elif moves:
                dict.__setitem__(table, each, dict.pop(table, each))
        now[0] = value

    return (lambda: _if_in(table, now[0])), put


def class_attribute(kind: type, name: str) -> Access:
    return (
        lambda: _inert.vars_of_class(kind).get(name, ABSENT),
        partial(type.__setattr__, kind, name),
    )


def type_of(thing: Any) -> Access:
    """Of a class or a module."""
    return (lambda: type(thing)), partial(object.__dict__["__class__"].__set__, thing)


def slot(holder: Any, accessor: Any) -> Access:
    def get() -> Any:
        try:
            return accessor.__get__(holder)
        except AttributeError:
            return ABSENT

    return get, partial(accessor.__set__, holder)


def is_read_only(holder: Any, accessor: Any) -> bool:
    """Whether a slot cannot be written to, as those of a property or a bound method."""
    if "__slots__" in _inert.vars_of_class(accessor.__objclass__):
        return False
    # Nothing else tells it of a slot of a type in C.  What is there is written again, all in C, so
    # that no other thread comes in between.
    there = map(accessor.__get__, (holder,))
    try:
        deque(map(accessor.__set__, (holder,), there), maxlen=0)
    except (AttributeError, TypeError):
        return True
    return False


def item(sequence: Any, index: int) -> Access:
    """Access to an item of a list or deque."""

    def put(value: Any) -> None:
        sequence[index] = value

    return (lambda: _at(sequence, index)), put


def element(elements: Any, held: Any) -> Access:
    """Access to an element of a set."""
    now = [held]

    def put(value: Any) -> None:
        elements.discard(now[0])
        elements.add(value)
        now[0] = value

    return (lambda: _if_in(elements, now[0])), put


def default(function: FunctionType, index: int) -> Access:
    original = function.__defaults__

    def put(value: Any) -> None:
        function.__defaults__ = _with(function.__defaults__, index, value, original)

    return (lambda: _at(function.__defaults__, index)), put


def cell(holder: Any) -> Access:
    def get() -> Any:
        try:
            return holder.cell_contents
        except ValueError:
            return ABSENT

    return get, partial(setattr, holder, "cell_contents")


def partial_function(holder: Any) -> Access:
    def put(value: Any) -> None:
        _, arguments, keywords, more = holder.__reduce__()[2]
        holder.__setstate__((value, arguments, keywords, more))

    return (lambda: holder.func), put


def partial_argument(holder: Any, index: int) -> Access:
    original = holder.args

    def put(value: Any) -> None:
        function, arguments, keywords, more = holder.__reduce__()[2]
        arguments = _with(arguments, index, value, original)
        holder.__setstate__((function, arguments, keywords, more))

    return (lambda: _at(holder.args, index)), put


def wrapped(holder: Any) -> Access:
    """What a staticmethod or classmethod is of."""
    kind = cast(Any, type(holder))
    return (lambda: holder.__func__), partial(kind.__init__, holder)


def _at(sequence: Any, index: int) -> Any:
    return sequence[index] if sequence is not None and index < len(sequence) else ABSENT


def _with(values: Any, index: int, value: Any, original: Any) -> Tuple[Any, ...]:
    """`values` with another one at `index`; `original` itself, if that is what it comes to."""
    changed = (*values[:index], value, *values[index + 1 :])
    same = len(changed) == len(original) and all(map(operator.is_, changed, original))
    return original if same else changed


def _if_in(container: Any, thing: Any) -> Any:
    return thing if any(each is thing for each in list(container)) else ABSENT
