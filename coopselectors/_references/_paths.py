"""What would a person call the place where something is held?

From a holder one goes outwards, from whom it is held to whom that is held, until something has a
name of its own: a module, a class or a function.  What has none within a few steps is named by its
type.
"""

from __future__ import annotations

import sys
from itertools import zip_longest
from types import FunctionType
from typing import Any, Dict, List, Optional, Set

from . import _inert
from ._frames import is_greenlet
from ._holders import Kept, Table, holders_of, referents_of
from ._steps import CLASS, CONTAINERS, INTERNAL, NAMESPACE, Keys, Path, home_of_any, step

# How many steps to go outwards.  From what belongs to no module after these, one goes on, so that
# there are this many rounds at most.
_STEPS = 6
_ROUNDS = 3
# With how many objects a step may begin: this many, or so many for each that is asked for.
_MOST = 5000
_MOST_FOR_EACH = 4
# By how many of its holders one object is followed.
_WAYS = 50

_NOBODY = object()


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
        self._keys = Keys(self._parents)
        self._levels = Kept()  # what was looked for, from step to step
        self._asked: Set[int] = set()  # the identities of all that
        self._modules: Dict[int, str] = {}  # {id of a module's namespace: its name}
        for name, module in list(sys.modules.items()):
            if type(name) is str and _inert.is_module(module):
                namespace = _inert.module_vars(module)
                self._modules.setdefault(id(namespace), name)
                if _inert.module_name(module) == name:
                    self._modules[id(namespace)] = name

    def look_for(self, objects: List[Any]) -> None:
        """Find out who holds these, and who holds those, until all can be named."""
        left = frontier = Kept(self._new(objects))
        for _ in range(_ROUNDS):
            self._go_outwards(frontier)
            self._name_all()
            left = Kept(each for each in left if not self._is_of_somebody(each))
            frontier = self._outermost(left)
            if not frontier:
                break

    def _go_outwards(self, frontier: Kept) -> None:
        """Note who holds these, and who holds those, for a round of steps."""
        most = _most(frontier)
        for _ in range(_STEPS):
            self._levels.append(frontier)
            self._asked.update(map(id, frontier))
            wanted = set(map(id, frontier))
            for holder in holders_of(frontier):
                held = wanted.intersection(map(id, referents_of(holder)))
                if sys.version_info >= (3, 15):  # a greenlet refers to its functions' variables
                    if held & self.variables.keys() and is_greenlet(holder):
                        held -= self.variables.keys()
                for each in held:
                    self._parents.setdefault(each, Kept()).append(holder)
            frontier = Kept(self._new(self._outwards(frontier))[:most])

    def _is_of_somebody(self, thing: Any) -> bool:
        """Whether a module is known that it belongs to, or at least a function."""
        path = self.of(thing)
        return path.root != "" or not path.text.startswith("<")

    def _outermost(self, things: Kept) -> Kept:
        """The ends of all ways outwards from these: those whose own holders are not known yet."""
        found, seen, left = Kept(), Table(), Kept(things)
        while left:
            each = left.pop()
            if id(each) not in seen:
                seen[id(each)] = each
                if id(each) in self._asked:
                    left.extend(self._parents[id(each)])
                else:
                    found.append(each)
        known = Kept(each for each in found if id(each) in self._parents)
        return Kept([*known, *self._new(found)][: _most(things)])

    def _outwards(self, frontier: Kept) -> Kept:
        """The holders to go on from: the first one of each object, then the second ones."""
        ways = Kept()
        for thing in frontier:
            holders = self._parents[id(thing)]
            if any(self._own(holder) for holder in holders):
                holders = Kept(each for each in holders if _inert.is_one_of(type(each), CONTAINERS))
            ways.append(Kept(holders[:_WAYS]))
        turns = zip_longest(*ways, fillvalue=_NOBODY)
        return Kept(each for turn in turns for each in turn if each is not _NOBODY)

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
        self._keys = Keys(self._parents)
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
        while True:
            fresh: Dict[int, Path] = {}
            for thing in self._unnamed():
                ways = [
                    step(holder, above, thing, self._keys)
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
            home, qualname = self._module(thing.__globals__), str.__str__(thing.__qualname__)
            if home is None:
                return Path("", f"<a function>.{qualname}")
            return Path(home.root, f"{home.text}.{qualname}")
        return None

    def _module(self, namespace: Dict[Any, Any]) -> Optional[Path]:
        """The path to a module's namespace; None if it is none."""
        name = self._modules.get(id(namespace))
        if name is None and dict.__contains__(namespace, "__builtins__"):
            name = dict.get(namespace, "__name__")
            # Another one of that name is loaded, or this one was run like a script.
            name = f"{name} (not in sys.modules)" if type(name) is str else None
        return None if name is None else Path(name, name, NAMESPACE)


def _most(objects: Kept) -> int:
    """With how many a step may begin that leads outwards from these."""
    return max(_MOST, _MOST_FOR_EACH * len(objects))


def _rank(path: Path) -> Any:
    """A way from a module first, then the shortest."""
    return not path.root or path.text[0] == "<", path.text.count("__"), len(path.text), path.text


def _anonymous(thing: Any) -> Path:
    return Path(home_of_any(thing), f"<a {_inert.full_name(type(thing))} object>")
