"""What would a person call the place where something is held?

From a holder one goes outwards, from whom it is held to whom that is held, until something has a
name of its own: a module, a class or a function.  What has none within a few steps is named by its
type.
"""

from __future__ import annotations

import gc
import sys
from collections import OrderedDict, defaultdict, deque
from functools import partial
from types import CellType, FunctionType
from typing import Any, Dict, List, NamedTuple, Optional, Set

from . import _inert
from ._holders import (
    SUSPENDED,
    Kept,
    Table,
    holders_of,
    referents_of,
    variables_of_suspended,
)

# How many steps to go outwards, and with how many objects at most.
_STEPS = 6
_MOST = 5000

#: The types of dictionary, and of what is indexed by number, that are looked into.
MAPPINGS = (dict, OrderedDict, defaultdict)
SEQUENCES = (list, tuple, deque)
_CONTAINERS = (*MAPPINGS, *SEQUENCES, CellType, partial, staticmethod, classmethod)

# The types of objects that may be anybody's.
_WITHOUT_HOME = (*_CONTAINERS, set, frozenset)

# Whose objects hold what a hub itself waits with.
_WAITS_FOR_A_HUB = "eventlet.hubs"

# What the content of a container is to its owner.
NAMESPACE = "namespace"  # of a module or an object
CLASS = "class"
DEFAULTS = "defaults"
KEYWORD_DEFAULTS = "keyword defaults"
CLOSURE = "closure"
ARGUMENTS = "arguments"
INTERNAL = "internal"  # the interpreter's own, such as a __mro__
PLAIN = "plain"


class Path(NamedTuple):
    """How an object is reached."""

    #: The name of the module that it is in; empty if nobody knows.
    root: str
    text: str
    role: str = PLAIN
    #: Whose namespace, defaults or closure it is.
    owner: Any = None


class Paths:
    """Names objects, after `look_for` has found who holds them."""

    def __init__(self) -> None:
        #: {id of an object: Path}, for what only the variable of a running function holds.
        self.variables: Dict[int, Path] = {}
        #: {id of an object: Kept(those that hold it and that the collector does not know)}
        self.untracked = Table()
        self._parents = Table()  # {id of an object: Kept(who holds it)}
        self._known: Dict[int, Path] = {}
        self._alive = Kept()  # or an identity would be used again
        self._levels = Kept()  # what was looked for, from step to step
        self._modules: Dict[int, str] = {}  # {id of a module's namespace: its name}
        for name, module in list(sys.modules.items()):
            if type(name) is str and _inert.is_module(module):
                namespace = _inert.module_vars(module)
                self._modules.setdefault(id(namespace), name)
                if namespace.get("__name__") is name or namespace.get("__name__") == name:
                    self._modules[id(namespace)] = name

    def look_for(self, objects: List[Any]) -> None:
        """Find out who holds these, and who holds those, until all can be named."""
        frontier = Kept(self._new(objects))
        for _ in range(_STEPS):
            self._levels.append(frontier)
            wanted = set(map(id, frontier))
            for holder in holders_of(frontier):
                for each in wanted.intersection(map(id, referents_of(holder))):
                    self._parents.setdefault(each, Kept()).append(holder)
            outer = Kept()
            for each in frontier:
                holders = self._parents.get(id(each), ())
                named = any(self._own(holder) for holder in holders)
                for holder in holders[:50]:
                    if not named or type(holder) in _CONTAINERS:
                        outer.append(holder)
            frontier = Kept(self._new(outer)[:_MOST])
            if not frontier:
                break
        self._name_all()

    def held_by(self, thing: Any) -> List[Any]:
        """Whose attribute it is, or which container holds it, as far as it was looked for."""
        owners = Kept()
        for holder in self._parents.get(id(thing), ()):
            path = self.of(holder)
            owned = path.role in (NAMESPACE, CLASS) and path.owner is not None
            owners.append(path.owner if owned else holder)
        return owners

    def of(self, thing: Any) -> Path:
        """The path to `thing`; by its type where it has no other."""
        known = self._known.get(id(thing)) or self._own(thing) or self.variables.get(id(thing))
        return known or _anonymous(thing)

    def _name_all(self) -> None:
        """Name what was found: the shortest way from something with a name, or the next best."""
        self._known.clear()
        self._name_from_holders()
        for thing in self._unnamed():
            module = self._module(thing) if type(thing) is dict else None
            path = module or self.variables.get(id(thing))
            if path is not None:
                self._known[id(thing)] = path
        self._name_from_holders()
        self._name_from_holders(internal=True)
        for level in reversed(self._levels):  # the outermost first
            for thing in level:
                self._known.setdefault(id(thing), _anonymous(thing))
            self._name_from_holders()

    def _name_from_holders(self, internal: bool = False) -> None:
        for _ in range(_STEPS):
            fresh: Dict[int, Path] = {}
            for thing in self._unnamed():
                ways = [
                    step(holder, above, thing)
                    for holder in self._parents[id(thing)]
                    for above in (self._known.get(id(holder)) or self._own(holder),)
                    if above is not None
                ]
                ways = [way for way in ways if internal or way.role != INTERNAL]
                if ways:
                    fresh[id(thing)] = min(ways, key=_rank)
            if not fresh:
                break
            self._known.update(fresh)

    def _unnamed(self) -> List[Any]:
        return Kept(each for each in self._alive if id(each) not in self._known)

    def _new(self, objects: List[Any]) -> Kept:
        """Those that have no name of their own, and have not been looked for."""
        seen: Set[int] = set(self._parents)
        fresh = Kept()
        for each in objects:
            if id(each) not in seen and self._own(each) is None:
                seen.add(id(each))
                self._alive.append(each)
                self._parents[id(each)] = Kept(self.untracked.get(id(each), ()))
                fresh.append(each)
        return fresh

    def _own(self, thing: Any) -> Optional[Path]:
        if type(thing) is dict:
            name = self._modules.get(id(thing))
            return Path(name, name, NAMESPACE) if name is not None else None
        if _inert.is_class(thing):
            return Path(_inert.home_of(thing), _inert.full_name(thing))
        if type(thing) is FunctionType:
            home = self._module(thing.__globals__)
            if home is None:
                return Path("", f"<a function>.{thing.__qualname__}")
            return Path(home.root, f"{home.text}.{thing.__qualname__}")
        return None

    def _module(self, namespace: Dict[Any, Any]) -> Optional[Path]:
        """The path to a module's namespace; None if it is none."""
        name = self._modules.get(id(namespace))
        if name is None and "__builtins__" in namespace:
            name = namespace.get("__name__")
            # Another one of that name is loaded, or this one was run like a script.
            name = f"{name} (not in sys.modules)" if type(name) is str else None
        return None if name is None else Path(name, name, NAMESPACE)


def step(holder: Any, above: Path, thing: Any) -> Path:
    """The path to `thing` by way of `holder`, to which `above` leads."""
    kind = type(holder)
    if issubclass(kind, dict):
        return Path(above.root, at_key(above, _key_of(holder, thing)))
    if kind in SEQUENCES:
        index = next((i for i, each in enumerate(list(holder)) if each is thing), 0)
        if above.role == CLOSURE and above.owner.__code__.co_freevars[index] == "__class__":
            return Path(above.root, above.text, INTERNAL)  # what super() goes by
        return Path(above.root, at_index(above, index))
    if _inert.is_class(holder):
        if type(thing) is dict and gc.get_referents(_inert.vars_of_class(holder))[0] is thing:
            return Path(above.root, above.text, CLASS, holder)
        return Path(above.root, above.text, INTERNAL)
    if kind is FunctionType:
        return _in_function(holder, above, thing)
    if kind is partial:
        if thing is holder.args:
            return Path(above.root, f"{above.text}.args", ARGUMENTS, holder)
        name = "keywords" if thing is holder.keywords else "func"
        return Path(above.root, f"{above.text}.{name}")
    if kind in (CellType, staticmethod, classmethod):
        return Path(above.root, above.text)
    if kind in SUSPENDED:
        inside = (label for label, value in variables_of_suspended(holder) if value is thing)
        return Path("", next(inside, above.text))
    home = _inert.home_of(kind)
    if home.startswith(_WAITS_FOR_A_HUB) or _inert.is_ours(kind):
        above = above._replace(root=home)
    namespace = _inert.own_vars(holder)
    if namespace is not None and namespace is thing:
        return Path(above.root, above.text, NAMESPACE, holder)
    name = _key_of(namespace or {}, thing, None)
    if name is None:
        name = next((name for name, _, value in _inert.slots_of(holder) if value is thing), None)
    if name is None:
        return Path(above.root, f"{above.text}<in a {_inert.full_name(kind)}>")
    return Path(above.root, in_object(holder, above, name))


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


def _in_function(function: FunctionType, above: Path, thing: Any) -> Path:
    if thing is function.__defaults__:
        return Path(above.root, above.text, DEFAULTS, function)
    if thing is function.__kwdefaults__:
        return Path(above.root, above.text, KEYWORD_DEFAULTS, function)
    if thing is function.__closure__:
        return Path(above.root, above.text, CLOSURE, function)
    if thing is _inert.own_vars(function):
        return Path(above.root, above.text, NAMESPACE, function)
    if type(thing) is dict and thing is not function.__globals__:
        return Path(above.root, f"{above.text}.__annotations__")
    return Path(above.root, above.text, INTERNAL)


def _key_of(table: Dict[Any, Any], thing: Any, default: Any = "?") -> Any:
    return next((key for key, each in list(dict.items(table)) if each is thing), default)


def _rank(path: Path) -> Any:
    """A way from a module first, then the shortest."""
    return not path.root or path.text[0] == "<", path.text.count("__"), len(path.text), path.text


def _anonymous(thing: Any) -> Path:
    kind = type(thing)
    home = "" if kind in _WITHOUT_HOME else _inert.home_of(kind)
    return Path("" if home == "builtins" else home, f"<a {_inert.full_name(kind)} object>")
