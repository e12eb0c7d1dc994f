"""How is one object reached from another that holds it?

A `Path` leads to an object from the module that it is in.  `step` goes on from a holder to what it
holds, as far as the holder is of a type that Python itself has for holding something.
"""

from __future__ import annotations

import gc
from collections import OrderedDict, defaultdict, deque
from functools import partial
from selectors import SelectorKey
from types import CellType, FunctionType, MappingProxyType
from typing import Any, Callable, Container, Dict, Iterable, List, NamedTuple, Tuple

from . import _inert
from ._frames import SUSPENDED, variables_of_suspended
from ._holders import Kept

#: The types of dictionary, and of what is indexed by number, that are looked into.
MAPPINGS = (dict, OrderedDict, defaultdict)
SEQUENCES = (list, tuple, deque)
#: Those whose content says more than they do.
CONTAINERS = (
    *(*MAPPINGS, *SEQUENCES),
    *(CellType, MappingProxyType, partial, staticmethod, classmethod),
)

# The types of objects that may be anybody's.
_WITHOUT_HOME = (*CONTAINERS, set, frozenset)

# Whose objects hold what a hub itself waits with.
_WAITS_FOR_A_HUB = "eventlet.hubs"

# What the content of a container is to its owner.
NAMESPACE = "namespace"  # of a module or an object
CLASS = "class"
DEFAULTS = "defaults"
KEYWORD_DEFAULTS = "keyword defaults"
CLOSURE = "closure"
VARIABLE = "variable"  # of the function around the owner
ARGUMENTS = "arguments"
INTERNAL = "internal"  # the interpreter's own, such as a __mro__
PLAIN = "plain"

_NO_KEY: Any = object()


class Path(NamedTuple):
    """How an object is reached."""

    #: The name of the module that it is in; empty if nobody knows.
    root: str
    text: str
    role: str = PLAIN
    #: Whose namespace, defaults or closure it is.
    owner: Any = None


class Keys:
    """The first key or index under which a container holds each of the objects that are wanted.

    A container is read once, however many of them it holds.
    """

    def __init__(self, wanted: Container[int]) -> None:
        self._wanted = wanted  # their identities
        #: {id of a container: {id of an object in it: its key}}
        self._found: Dict[int, Dict[int, Any]] = {}
        self._alive = Kept()  # or an identity would be used again

    def in_dict(self, table: Any, thing: Any, default: Any) -> Any:
        known = self._found.get(id(table))
        if known is None:
            known = self._note(table, list(dict.items(table)))
        return known.get(id(thing), default)

    def in_sequence(self, sequence: Any, thing: Any, default: Any) -> Any:
        known = self._found.get(id(sequence))
        if known is None:
            builtin = next(each for each in SEQUENCES if issubclass(type(sequence), each))
            known = self._note(sequence, enumerate(list(builtin.__iter__(sequence))))
        return known.get(id(thing), default)

    def _note(self, container: Any, items: Iterable[Tuple[Any, Any]]) -> Dict[int, Any]:
        self._alive.append(container)
        known = self._found[id(container)] = {}
        for key, each in items:
            if id(each) in self._wanted:
                known.setdefault(id(each), key)
        return known


def step(holder: Any, above: Path, thing: Any, keys: Keys) -> Path:
    """The path to `thing` by way of `holder`, to which `above` leads."""
    kind = type(holder)
    by = _BY_TYPE.get(id(kind))
    if by is None:
        by = next((by for base, by in _BY_BASE if issubclass(kind, base)), _in_object)
    return by(holder, above, thing, keys)


def _in_dict(holder: Any, above: Path, thing: Any, keys: Keys) -> Path:
    if _inert.is_a_hint(type(above.owner)):
        return above
    key = keys.in_dict(holder, thing, _NO_KEY)
    if key is _NO_KEY and type(holder) is not dict:
        # It is an attribute, or the factory of a defaultdict.
        return _in_object(holder, above, thing, keys)
    return Path(above.root, at_key(above, "?" if key is _NO_KEY else key))


def _in_sequence(holder: Any, above: Path, thing: Any, keys: Keys) -> Path:
    index = keys.in_sequence(holder, thing, None)
    if index is None and not _inert.is_one_of(type(holder), SEQUENCES):
        return _in_object(holder, above, thing, keys)  # an attribute
    index = index or 0
    if above.role == CLOSURE and above.owner.__code__.co_freevars[index] == "__class__":
        return Path(above.root, above.text, INTERNAL)  # what super() goes by
    role = VARIABLE if above.role == CLOSURE else PLAIN
    return Path(above.root, at_index(above, index), role, above.owner)


def _in_tuple(holder: Any, above: Path, thing: Any, keys: Keys) -> Path:
    path = _in_sequence(holder, above, thing, keys)
    if issubclass(type(holder), SelectorKey) and above.root.partition(".")[0] == _inert.OURS:
        # What a program has registered with a selector of ours is the program's.
        return path._replace(root=home_of_any(thing))
    return path


def _in_class(holder: Any, above: Path, thing: Any, keys: Keys) -> Path:
    if type(thing) is dict and gc.get_referents(_inert.vars_of_class(holder))[0] is thing:
        return Path(above.root, above.text, CLASS, holder)
    return Path(above.root, above.text, INTERNAL)


def _in_function(function: FunctionType, above: Path, thing: Any, keys: Keys) -> Path:
    roles = (
        (function.__defaults__, DEFAULTS),
        (function.__kwdefaults__, KEYWORD_DEFAULTS),
        (function.__closure__, CLOSURE),
        (_inert.own_vars(function), NAMESPACE),
        (function.__globals__, INTERNAL),
    )
    for part, role in roles:
        if part is thing:
            return Path(above.root, above.text, role, function)
    if type(thing) is dict:
        return Path(above.root, f"{above.text}.__annotations__")
    return Path(above.root, above.text, INTERNAL)


def _in_partial(holder: Any, above: Path, thing: Any, keys: Keys) -> Path:
    if thing is holder.args:
        return Path(above.root, f"{above.text}.args", ARGUMENTS, holder)
    name = "keywords" if thing is holder.keywords else "func"
    return Path(above.root, f"{above.text}.{name}")


def _as_the_holder(holder: Any, above: Path, thing: Any, keys: Keys) -> Path:
    return Path(above.root, above.text)


def _in_suspended(holder: Any, above: Path, thing: Any, keys: Keys) -> Path:
    inside = (label for label, value in variables_of_suspended(holder) if value is thing)
    return Path("", next(inside, above.text))


def _in_object(holder: Any, above: Path, thing: Any, keys: Keys) -> Path:
    kind = type(holder)
    home = _inert.home_of(kind)
    if _inert.is_a_hint(kind):
        return Path(above.root, above.text, INTERNAL, holder)
    root = home if home.startswith(_WAITS_FOR_A_HUB) or _inert.is_ours(kind) else above.root
    namespace = _inert.own_vars(holder)
    if namespace is not None and namespace is thing:
        return Path(root, above.text, NAMESPACE, holder)
    name = None if namespace is None else keys.in_dict(namespace, thing, None)
    if name is None:
        name = next((name for name, _, value in _inert.slots_of(holder) if value is thing), None)
    if name is None:
        return Path(root, f"{above.text}<in a {_inert.full_name(kind)}>")
    return Path(root, in_object(holder, above, name if type(name) is str else _inert.text_of(name)))


def home_of_any(thing: Any) -> str:
    """The module of an object's class; empty for what may be anybody's."""
    kind = type(thing)
    home = "" if _inert.is_one_of(kind, _WITHOUT_HOME) else _inert.home_of(kind)
    return "" if home == "builtins" else home


_Step = Callable[[Any, Path, Any, Keys], Path]

# {id of a type: how to go on from its objects}
_BY_TYPE: Dict[int, _Step] = {
    **dict.fromkeys(map(id, SEQUENCES), _in_sequence),
    id(FunctionType): _in_function,
    id(partial): _in_partial,
    **dict.fromkeys(
        map(id, (CellType, MappingProxyType, staticmethod, classmethod)), _as_the_holder
    ),
    **dict.fromkeys(map(id, SUSPENDED), _in_suspended),
}
_BY_BASE: List[Tuple[Any, _Step]] = [
    (dict, _in_dict),
    (tuple, _in_tuple),
    (list, _in_sequence),
    (deque, _in_sequence),
    (type, _in_class),
]


def at_key(above: Path, key: Any) -> str:
    """What is held in a dictionary under `key`."""
    if above.role in (NAMESPACE, CLASS) and type(key) is str:
        return f"{above.text}.{key}"
    if above.role == KEYWORD_DEFAULTS:
        return f"default argument {_inert.text_of(key)} of {above.text}"
    return f"{above.text}[{_inert.text_of(key)}]"


def at_index(above: Path, index: int) -> str:
    """What is held by a sequence at `index`."""
    if above.role == DEFAULTS:
        code = above.owner.__code__
        names = code.co_varnames[: code.co_argcount]
        name = names[index - len(above.owner.__defaults__ or ())]
        return f"default argument {name!r} of {above.text}"
    if above.role == CLOSURE:
        name = above.owner.__code__.co_freevars[index]
        return f"variable {name!r} in the closure of {above.text}"
    return f"{above.text}[{index}]"


def in_object(holder: Any, above: Path, name: str) -> str:
    """What is held by an object as its attribute."""
    if _inert.full_name(type(holder)) == "dataclasses.Field":
        owner, _, field = above.text.partition(".__dataclass_fields__[")
        if field:
            return f"field {field[:-1]} of dataclass {owner}, its {name}"
    return f"{above.text}.{name}"
