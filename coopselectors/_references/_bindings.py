"""In which ways can an object hold a class or a function?

The ways that Python itself has are examined with the accessors of exact built-in types, which run
no other code.  A reference of any other kind is found as well, but cannot be replaced.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from functools import partial
from itertools import chain
from types import CellType, FunctionType, ModuleType
from typing import Any, Callable, Dict, Iterator, List, Tuple

from . import _inert, _places
from ._frames import SUSPENDED, is_around_running, variables_of_suspended
from ._holders import Table, referents_of
from ._paths import Paths
from ._places import Place, fixed
from ._steps import (
    ARGUMENTS,
    CLASS,
    DEFAULTS,
    INTERNAL,
    MAPPINGS,
    NAMESPACE,
    VARIABLE,
    Path,
    at_index,
    at_key,
    in_object,
)

#: How the label of a key of a dictionary begins.
KEY_OF = "a key of "


def places_in(holder: Any, wanted: Table, paths: Paths) -> Iterator[Place]:
    """Where `holder` itself holds something whose identity is in `wanted`."""
    kind = type(holder)
    path = paths.of(holder)
    if path.role == INTERNAL or _inert.is_ours(kind):
        return iter(())
    look = _BY_TYPE.get(id(kind))
    if look is not None:
        return look(holder, wanted, path)
    look = next((look for base, look in _BY_BASE if issubclass(kind, base)), None)
    if look is None:
        return _in_object(holder, wanted, path)
    return chain(look(holder, wanted, path), _attributes(holder, wanted, path))


def attribute(namespace: Any, name: str, root: str) -> Place:
    """The place of a name in a module, whether the name exists or not."""
    held = namespace.get(name, _places.ABSENT)
    return Place(root, f"{root}.{name}", name, held, *_places.entry(namespace, name))


def _in_dict(table: Any, wanted: Table, path: Path) -> Iterator[Place]:
    owner = path.owner
    for key, held in _entries(table, wanted):
        label = at_key(path, key)
        if path.role == CLASS and type(key) is str:
            access = _places.class_attribute(owner, key)
            reason = _places.is_for_the_metaclass(owner, key) and _OF_THE_METACLASS
        else:
            is_attribute = path.role == NAMESPACE and owner is not None
            access = _places.attribute(owner, key) if is_attribute else _places.entry(table, key)
            is_plain = _inert.is_one_of(type(table), MAPPINGS) and _inert.is_hashed_in_c(key)
            reason = not is_plain and _in_one_of_its_own(table)
        if reason:
            yield fixed(path.root, label, held, reason)
        else:
            yield Place(path.root, label, key, held, *access)
    for held in _elements(dict, table, wanted):
        label = f"{KEY_OF}{path.text}"
        plain = all(map(_inert.is_hashed_in_c, list(dict.keys(table))))
        if plain and _inert.is_one_of(type(table), MAPPINGS):
            yield Place(path.root, label, None, held, *_places.key(table, held))
        else:
            yield fixed(path.root, label, held, _in_one_of_its_own(table))


def _in_defaultdict(table: Any, wanted: Table, path: Path) -> Iterator[Place]:
    return chain(_in_dict(table, wanted, path), _attributes(table, wanted, path))


def _in_sequence(sequence: Any, wanted: Table, path: Path) -> Iterator[Place]:
    for index, held in _items(sequence, wanted):
        label = f"element {index} of {path.text}"
        if _inert.is_one_of(type(sequence), (list, deque)):
            yield Place(path.root, label, index, held, *_places.item(sequence, index))
        else:
            yield fixed(path.root, label, held, _in_one_of_its_own(sequence))


def _in_tuple(holder: Any, wanted: Table, path: Path) -> Iterator[Place]:
    for index, held in _items(holder, wanted):
        label = at_index(path, index)
        if path.role == DEFAULTS:
            yield Place(path.root, label, index, held, *_places.default(path.owner, index))
        elif path.role == ARGUMENTS:
            access = _places.partial_argument(path.owner, index)
            yield Place(path.root, label, index, held, *access)
        else:
            label = f"element {index} of {path.text}"
            yield fixed(path.root, label, held, "a tuple cannot be changed")


def _in_set(holder: Any, wanted: Table, path: Path) -> Iterator[Place]:
    for held in _elements(set, holder, wanted):
        label = f"an element of {path.text}"
        if type(holder) is set:
            yield Place(path.root, label, None, held, *_places.element(holder, held))
        else:
            yield fixed(path.root, label, held, _in_one_of_its_own(holder))


def _in_frozenset(holder: Any, wanted: Table, path: Path) -> Iterator[Place]:
    for held in _elements(frozenset, holder, wanted):
        yield fixed(path.root, f"an element of {path.text}", held, "it cannot be changed")


def _in_cell(holder: Any, wanted: Table, path: Path) -> Iterator[Place]:
    for place in _single(path.root, path.text, _places.cell(holder), wanted):
        if path.role == VARIABLE and is_around_running(path.owner.__code__, place.held):
            reason = "it is a variable of a function that runs"
            yield fixed(place.root, place.label, place.held, reason)
        else:
            yield place


def _in_partial(holder: Any, wanted: Table, path: Path) -> Iterator[Place]:
    return _single(path.root, f"{path.text}.func", _places.partial_function(holder), wanted)


def _in_method(holder: Any, wanted: Table, path: Path) -> Iterator[Place]:
    return _single(path.root, path.text, _places.wrapped(holder), wanted)


def _in_suspended(holder: Any, wanted: Table, path: Path) -> Iterator[Place]:
    for label, held in variables_of_suspended(holder):
        if id(held) in wanted:
            yield fixed(path.root, label, held, "it has begun to run")


def _attributes(holder: Any, wanted: Table, path: Path) -> Iterator[Place]:
    if _inert.is_class(holder) or _inert.is_module(holder):
        return  # whose namespace is a holder of its own
    namespace = _inert.own_vars(holder)
    for key, held in _entries(namespace, wanted) if namespace is not None else ():
        label = in_object(holder, path, key if type(key) is str else _inert.text_of(key))
        if _inert.is_hashed_in_c(key):
            yield Place(path.root, label, key, held, *_places.attribute(holder, key))
        else:
            yield fixed(path.root, label, held, _in_one_of_its_own(holder))
    for name, accessor, held in _inert.slots_of(holder):
        if id(held) not in wanted:
            continue
        label = in_object(holder, path, name)
        if _places.is_read_only(holder, accessor):
            yield fixed(path.root, label, held, _in_one_of_its_own(holder))
        else:
            yield Place(path.root, label, name, held, *_places.slot(holder, accessor))


def _in_object(holder: Any, wanted: Table, path: Path) -> Iterator[Place]:
    places = list(_attributes(holder, wanted, path))
    yield from places
    shown = Counter(id(place.held) for place in places)
    inside, namespace = referents_of(holder), _inert.own_vars(holder)
    if namespace is not None and any(each is namespace for each in inside):
        # It holds the dictionary, and not what is in it.
        shown -= Counter(map(id, dict.values(namespace)))
    # What C keeps to itself, as `functools.lru_cache` does the function beside its __wrapped__.
    for each in Counter(id(each) for each in inside if id(each) in wanted) - shown:
        yield fixed(path.root, path.text, wanted[each], _in_one_of_its_own(holder))


def _nothing(holder: Any, wanted: Table, path: Path) -> Iterator[Place]:
    """Yield nothing: its namespace holds its references, and is searched by itself."""
    return iter(())


# Why an attribute of a class is left alone whose metaclass has a property of that name.
_OF_THE_METACLASS = "its metaclass has an attribute of that name"

_Look = Callable[[Any, Table, Path], Iterator[Place]]

# {id of a type: how its objects are looked into}
_BY_TYPE: Dict[int, _Look] = {
    **dict.fromkeys(map(id, MAPPINGS), _in_dict),
    id(defaultdict): _in_defaultdict,
    **dict.fromkeys(map(id, (list, deque)), _in_sequence),
    id(tuple): _in_tuple,
    id(set): _in_set,
    id(frozenset): _in_frozenset,
    id(CellType): _in_cell,
    id(partial): _in_partial,
    **dict.fromkeys(map(id, (staticmethod, classmethod)), _in_method),
    id(FunctionType): _nothing,
    **dict.fromkeys(map(id, SUSPENDED), _in_suspended),
}
_BY_BASE: List[Tuple[Any, _Look]] = [
    (dict, _in_dict),
    (list, _in_sequence),
    (deque, _in_sequence),
    (tuple, _in_tuple),
    (set, _in_set),
    (frozenset, _in_frozenset),
    (type, _nothing),
    (ModuleType, _nothing),
]


def _single(root: str, label: str, access: Any, wanted: Table) -> Iterator[Place]:
    held = access[0]()
    if id(held) in wanted:
        yield Place(root, label, None, held, *access)


def _in_one_of_its_own(holder: Any) -> str:
    return f"it is in a {_inert.full_name(type(holder))}"


def _entries(table: Any, wanted: Table) -> List[Tuple[Any, Any]]:
    """The entries of a dictionary, which may have millions, with a wanted value."""
    if wanted.keys().isdisjoint(map(id, dict.values(table))):
        return []
    return [(key, each) for key, each in list(dict.items(table)) if id(each) in wanted]


def _items(sequence: Any, wanted: Table) -> List[Tuple[int, Any]]:
    builtin = next(each for each in (list, tuple, deque) if issubclass(type(sequence), each))
    found = list(builtin.__iter__(sequence))
    if wanted.keys().isdisjoint(map(id, found)):
        return []
    return [(index, each) for index, each in enumerate(found) if id(each) in wanted]


def _elements(builtin: Any, container: Any, wanted: Table) -> List[Any]:
    """The elements or keys that are wanted."""
    found = set(map(id, builtin.__iter__(container)))
    return [wanted[each] for each in wanted.keys() & found]
