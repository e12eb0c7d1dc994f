"""How is each kind of reference read and written?

By C alone: neither the ``__setattr__`` of a class or metaclass, nor the methods of a subclass, take
part.  Each function here returns two others: one that reads what is held now, and one that replaces
it, so that what was there before can be put back as it was.  They keep the holder alive only if
there are no weak references to its type, as to a dict or a list.
"""

from __future__ import annotations

import operator
from collections import OrderedDict, deque
from functools import partial
from types import FunctionType
from typing import Any, Callable, NamedTuple, Optional, Tuple, cast
from weakref import ref

from . import _inert

_call: Any = partial.__call__

#: What `Place.get` returns, and `Place.set` takes, where there is nothing.
ABSENT: Any = object()
#: What `Place.get` returns when the holder is no more.
GONE: Any = object()

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


def _access(holder: Any, read: Callable[[Any], Any], write: Callable[[Any, Any], None]) -> Access:
    """Functions that read from `holder`, and write to it, as long as it lives."""
    try:
        alive: Any = ref(holder)
    except TypeError:
        return partial(read, holder), partial(write, holder)

    def get() -> Any:
        found = alive()
        return GONE if found is None else read(found)

    def put(value: Any) -> None:
        found = alive()
        if found is not None:
            write(found, value)

    return get, put


def entry(table: Any, key: Any) -> Access:
    """Access to an entry of a dictionary."""
    return _access(table, partial(_entry, key), partial(_put_entry, key))


def attribute(holder: Any, name: Any) -> Access:
    """Access to what an object keeps in its namespace."""

    def read(holder: Any) -> Any:
        namespace = _inert.own_vars(holder)
        return ABSENT if namespace is None else _entry(name, namespace)

    def write(holder: Any, value: Any) -> None:
        _put_entry(name, _inert.own_vars(holder), value)

    return _access(holder, read, write)


def _entry(key: Any, table: Any) -> Any:
    return dict.get(table, key, ABSENT)


def _put_entry(key: Any, table: Any, value: Any) -> None:
    kind = _dictionary(table)
    if value is ABSENT:
        kind.pop(table, key, None)
    else:
        kind.__setitem__(table, key, value)


def _dictionary(table: Any) -> Any:
    """The type whose methods change a dictionary: an OrderedDict has its order beside the dict."""
    return OrderedDict if type(table) is OrderedDict else dict


def key(table: Any, held: Any) -> Access:
    """The key of an entry, whose place among the others is kept."""
    now = [held]

    def write(table: Any, value: Any) -> None:
        kind = _dictionary(table)
        if value in kind.keys(table):
            raise KeyError(value)  # one of the two entries would be lost
        instead, content = {now[0]: value}.get, kind()
        keys = map(instead, kind.keys(table), kind.keys(table))
        _at_once(  # if another thread was here before, the iterators raise RuntimeError
            partial(kind.update, content, zip(keys, kind.values(table))),
            partial(kind.clear, table),
            partial(kind.update, table, content),
            partial(now.__setitem__, 0, value),
        )

    return _access(table, lambda table: _if_in(table, now[0]), write)


def class_attribute(kind: Any, name: str) -> Access:
    def write(kind: Any, value: Any) -> None:
        type.__setattr__(kind, name, value)

    return _access(kind, lambda kind: _inert.vars_of_class(kind).get(name, ABSENT), write)


def is_for_the_metaclass(kind: Any, name: str) -> bool:
    """Whether to set an attribute of a class calls a descriptor of the metaclass instead."""
    found = _inert.inherited(type(kind), name)
    return found is not None and _inert.inherited(type(found), "__set__") is not None


def type_of(thing: Any) -> Access:
    """Of a class or a module."""
    return _access(thing, type, object.__dict__["__class__"].__set__)


def slot(holder: Any, accessor: Any) -> Access:
    def read(holder: Any) -> Any:
        try:
            return accessor.__get__(holder)
        except AttributeError:
            return ABSENT

    return _access(holder, read, accessor.__set__)


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

    def write(sequence: Any, value: Any) -> None:
        sequence[index] = value

    return _access(sequence, partial(_at, index), write)


def element(elements: Any, held: Any) -> Access:
    """Access to an element of a set."""
    now = [held]

    def write(elements: Any, value: Any) -> None:
        if value in elements:
            raise KeyError(value)  # one of the two would be lost
        _at_once(
            partial(elements.discard, now[0]),
            partial(elements.add, value),
            partial(now.__setitem__, 0, value),
        )

    return _access(elements, lambda elements: _if_in(elements, now[0]), write)


def default(function: FunctionType, index: int) -> Access:
    original = function.__defaults__

    def write(function: Any, value: Any) -> None:
        function.__defaults__ = _with(function.__defaults__, index, value, original)

    return _access(function, lambda function: _at(index, function.__defaults__), write)


def cell(holder: Any) -> Access:
    def read(holder: Any) -> Any:
        try:
            return holder.cell_contents
        except ValueError:
            return ABSENT

    def write(holder: Any, value: Any) -> None:
        holder.cell_contents = value

    return _access(holder, read, write)


def partial_function(holder: Any) -> Access:
    def write(holder: Any, value: Any) -> None:
        _, arguments, keywords, more = holder.__reduce__()[2]
        holder.__setstate__((value, arguments, keywords, more))

    return _access(holder, lambda holder: holder.func, write)


def partial_argument(holder: Any, index: int) -> Access:
    original = holder.args

    def write(holder: Any, value: Any) -> None:
        function, arguments, keywords, more = holder.__reduce__()[2]
        arguments = _with(arguments, index, value, original)
        holder.__setstate__((function, arguments, keywords, more))

    return _access(holder, lambda holder: _at(index, holder.args), write)


def wrapped(holder: Any) -> Access:
    """What a staticmethod or classmethod is of."""
    kind = cast(Any, type(holder))

    def write(holder: Any, value: Any) -> None:
        namespace = holder.__dict__
        _at_once(
            partial(kind.__init__, holder, value),  # it copies the function's name and the like
            partial(namespace.clear),
            partial(namespace.update, namespace.copy()),
        )

    return _access(holder, lambda holder: holder.__func__, write)


def _at_once(*steps: Callable[[], Any]) -> None:
    """Call these in C, so that no other thread and no signal handler comes in between."""
    deque(map(_call, steps), maxlen=0)


def _at(index: int, sequence: Any) -> Any:
    try:
        return ABSENT if sequence is None else sequence[index]
    except IndexError:  # perhaps because of another thread
        return ABSENT


def _with(values: Any, index: int, value: Any, original: Any) -> Tuple[Any, ...]:
    """`values` with another one at `index`; `original` itself, if that is what it comes to."""
    changed = (*values[:index], value, *values[index + 1 :])
    same = len(changed) == len(original) and all(map(operator.is_, changed, original))
    return original if same else changed


def _if_in(container: Any, thing: Any) -> Any:
    return thing if any(each is thing for each in list(container)) else ABSENT
