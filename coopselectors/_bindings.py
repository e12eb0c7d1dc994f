"""In which ways can a holder hold a class or a function, and how is it replaced there?

Each way of holding that Python has is a `Place`.  Places are read and written by C alone: neither
the ``__setattr__`` of a class or metaclass, nor the methods of a subclass, take part.
"""

from __future__ import annotations

import operator
from collections import deque
from functools import partial
from types import CellType, FunctionType
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Tuple

from . import _inert
from ._holders import SUSPENDED, Table, referents_of, variables_of_suspended
from ._paths import (
    ARGUMENTS,
    CLASS,
    CLOSURE,
    DEFAULTS,
    INTERNAL,
    MAPPINGS,
    Path,
    Paths,
    at_index,
    at_key,
    in_object,
)

#: What `Place.get` returns, and `Place.set` takes, where there is nothing.
ABSENT: Any = object()

# Types that refer to a class because they describe it, or belong to it.
_DESCRIBES = frozenset(("typing", "types", "_abc", "weakref"))
_DESCRIPTORS = frozenset(
    f"{name}_descriptor" for name in ("getset", "member", "method", "wrapper", "classmethod")
)


class Place(NamedTuple):
    """Where something is held."""

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


def places_in(holder: Any, wanted: Table, paths: Paths) -> Iterator[Place]:
    """Where `holder` itself holds something whose identity is in `wanted`."""
    kind = type(holder)
    path = paths.of(holder)
    if path.role == INTERNAL or _inert.is_module(holder) or _only_describes(holder):
        return  # what a module holds, its namespace holds
    if issubclass(kind, dict):
        yield from _in_dict(holder, wanted, path)
    elif kind in (list, deque):
        for index, held in _indexed(holder, wanted):
            yield _item(holder, index, held, path)
    elif issubclass(kind, tuple):
        for index, held in _indexed(holder, wanted):
            yield _in_tuple(holder, index, held, path)
    elif issubclass(kind, (set, frozenset)):
        for held in _values(kind, holder, wanted):
            yield _in_set(holder, held, path)
    elif kind is CellType:
        held, get, put = _of_cell(holder)
        if id(held) in wanted:
            yield Place(path.root, path.text, None, held, get, put)
    elif kind is partial and id(holder.func) in wanted:
        held, get, put = _of_partial(holder)
        yield Place(path.root, f"{path.text}.func", "func", held, get, put)
    elif kind in (staticmethod, classmethod) and id(holder.__func__) in wanted:
        put = partial(kind.__init__, holder)
        yield Place(
            path.root, path.text, None, holder.__func__, lambda: holder.__func__, put
        )
    elif kind in SUSPENDED:
        for label, held in variables_of_suspended(holder):
            if id(held) in wanted:
                yield fixed(path.root, label, None, held, "it has begun to run")
    elif not _inert.is_class(holder) and kind is not FunctionType:
        yield from _in_object(holder, wanted, path)


def attribute(namespace: Any, name: str, root: str) -> Place:
    """A name of a module, whether there is something or not."""
    held = namespace.get(name, ABSENT)
    return Place(root, f"{root}.{name}", name, held, *_entry(namespace, name))


def fixed(root: str, label: str, key: Any, held: Any, reason: str) -> Place:
    """A place that cannot be written to."""
    return Place(root, label, key, held, lambda: held, None, reason)


def _only_describes(holder: Any) -> bool:
    kind = type(holder)
    return _inert.home_of(kind) in _DESCRIBES or _inert.name_of(kind) in _DESCRIPTORS


def _in_dict(table: Any, wanted: Table, path: Path) -> Iterator[Place]:
    for key, held in _entries(table, wanted):
        label = at_key(path, key)
        if path.role == CLASS and type(key) is str:
            yield Place(path.root, label, key, held, *_class_attribute(path.owner, key))
        elif type(table) in MAPPINGS and _inert.is_plain(key):
            yield Place(path.root, label, key, held, *_entry(table, key))
        else:
            reason = f"it is in a {_inert.full_name(type(table))} with methods of its own"
            yield fixed(path.root, label, key, held, reason)
    for held in _values(dict, table, wanted):
        label = f"a key of {path.text}"
        if type(table) in MAPPINGS:
            yield Place(path.root, label, None, held, *_key(table, held))
        else:
            yield fixed(path.root, label, None, held, "it is a key")


def _in_tuple(holder: Any, index: int, held: Any, path: Path) -> Place:
    owner = path.owner
    if path.role == DEFAULTS:
        return Place(path.root, at_index(path, index), index, held, *_default(owner, index))
    if path.role == ARGUMENTS:
        return Place(path.root, f"{path.text}[{index}]", index, held, *_argument(owner, index))
    return fixed(
        path.root, f"element {index} of {path.text}", index, held, "a tuple cannot be changed"
    )


def _in_set(holder: Any, held: Any, path: Path) -> Place:
    label = f"an element of {path.text}"
    if type(holder) is not set:
        return fixed(path.root, label, None, held, "it cannot be changed")
    inside = [held]

    def put(value: Any) -> None:
        holder.discard(inside.pop())
        holder.add(value)
        inside.append(value)

    return Place(path.root, label, None, held, lambda: _if_in(holder, inside[0]), put)


def _in_object(holder: Any, wanted: Table, path: Path) -> Iterator[Place]:
    found = False
    namespace = _inert.own_vars(holder)
    if namespace is not None:
        for key, held in _entries(namespace, wanted):
            found = True
            label = in_object(holder, path, str(key))
            yield Place(path.root, label, key, held, *_entry(namespace, key))
    for name, accessor, held in _inert.slots_of(holder):
        if id(held) in wanted:
            found = True
            label = in_object(holder, path, name)
            yield Place(path.root, label, name, held, *_slot(holder, accessor, held))
    if not found:
        for held in (wanted[each] for each in wanted.keys() & set(map(id, referents_of(holder)))):
            kind = _inert.full_name(type(holder))
            yield fixed(path.root, path.text, None, held, f"it is in a {kind} object")


# What stands after `held` in a Place: how to read it, and how to write it.
_Access = Tuple[Any, Any]


def _entry(table: Any, key: Any) -> _Access:
    def put(value: Any) -> None:
        if value is ABSENT:
            dict.pop(table, key, None)
        else:
            dict.__setitem__(table, key, value)

    return (lambda: dict.get(table, key, ABSENT)), put


def _class_attribute(kind: type, name: str) -> _Access:
    return (
        lambda: _inert.vars_of_class(kind).get(name, ABSENT),
        partial(type.__setattr__, kind, name),
    )


def _default(function: FunctionType, index: int) -> _Access:
    original = function.__defaults__

    def put(value: Any) -> None:
        function.__defaults__ = _with(function.__defaults__, index, value, original)

    return (lambda: _at(function.__defaults__, index)), put


def _argument(partially: Any, index: int) -> _Access:
    original = partially.args

    def put(value: Any) -> None:
        function, _, keywords, more = partially.__reduce__()[2]
        arguments = _with(partially.args, index, value, original)
        partially.__setstate__((function, arguments, keywords, more))

    return (lambda: _at(partially.args, index)), put


def _of_partial(partially: Any) -> Tuple[Any, Any, Any]:
    def put(value: Any) -> None:
        _, arguments, keywords, more = partially.__reduce__()[2]
        partially.__setstate__((value, arguments, keywords, more))

    return partially.func, (lambda: partially.func), put


def _of_cell(cell: Any) -> Tuple[Any, Any, Any]:
    def get() -> Any:
        try:
            return cell.cell_contents
        except ValueError:
            return ABSENT

    return get(), get, partial(setattr, cell, "cell_contents")


def _item(sequence: Any, index: int, held: Any, path: Path) -> Place:
    def put(value: Any) -> None:
        sequence[index] = value

    label = f"element {index} of {path.text}"
    return Place(path.root, label, index, held, lambda: _at(sequence, index), put)


def _slot(holder: Any, accessor: Any, held: Any) -> _Access:
    def get() -> Any:
        try:
            return accessor.__get__(holder)
        except AttributeError:
            return ABSENT

    return get, partial(accessor.__set__, holder)


def _key(table: Any, held: Any) -> _Access:
    now = [held]

    def put(value: Any) -> None:
        moves = False
        for key, each in list(dict.items(table)):
            if key is now[0]:
                dict.pop(table, key)
                dict.__setitem__(table, value, each)
                moves = True
            elif moves:  # to keep its place behind the other
                dict.__setitem__(table, key, dict.pop(table, key))
        now[0] = value

    hashes_in_c = all(_inert.is_plain(key) or key is held for key in dict.keys(table))
    return (lambda: _if_in(table, now[0])), (put if hashes_in_c else None)


def _entries(table: Any, wanted: Table) -> List[Tuple[Any, Any]]:
    """The entries of a dictionary, which may have millions, with a wanted value."""
    if wanted.keys().isdisjoint(map(id, dict.values(table))):
        return []
    return [(key, each) for key, each in list(dict.items(table)) if id(each) in wanted]


def _values(kind: Any, container: Any, wanted: Table) -> List[Any]:
    """What a container iterates over, as C does it, and is wanted."""
    builtin = next(each for each in (dict, set, frozenset) if issubclass(kind, each))
    each_one = builtin.__iter__(container)
    return [wanted[each] for each in wanted.keys() & set(map(id, each_one))]


def _indexed(sequence: Any, wanted: Table) -> List[Tuple[int, Any]]:
    builtin = next(each for each in (list, tuple, deque) if issubclass(type(sequence), each))
    elements = list(builtin.__iter__(sequence))
    if wanted.keys().isdisjoint(map(id, elements)):
        return []
    return [(index, each) for index, each in enumerate(elements) if id(each) in wanted]


def _at(sequence: Any, index: int) -> Any:
    return sequence[index] if sequence is not None and index < len(sequence) else ABSENT


def _with(values: Any, index: int, value: Any, original: Any) -> Tuple[Any, ...]:
    """`values` with another one at `index`; `original` itself, if that is what it comes to."""
    changed = (*values[:index], value, *values[index + 1 :])
    same = len(changed) == len(original) and all(map(operator.is_, changed, original))
    return original if same else changed


def _if_in(container: Any, thing: Any) -> Any:
    return thing if any(each is thing for each in list(container)) else ABSENT
