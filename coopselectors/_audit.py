"""What in this process would block a hub, and who holds it?"""

from __future__ import annotations

import gc
import select
import selectors
import sys
from types import FrameType, FunctionType, ModuleType
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

from . import _standard
from ._bindings import is_a, places_in
from ._runtime import NATIVE, current_runtime

# Whoever holds what a hub itself waits with.
_HUBS = "eventlet.hubs"

# How many steps we go from an object towards a module that has a name for it.
_STEPS = 4


class Finding(NamedTuple):
    """Something that waits in the kernel, and its hub with it."""

    #: An expression for it, from the module, class or object that holds it; or the variable of a
    #: function that is running.
    where: str
    #: What it is.
    what: str
    #: The class, function or object itself.
    held: Any

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def audit() -> List[Finding]:
    """Find what would block the hub in this process: what no patch has reached, or can reach.

    Looks through every loaded module, its classes, dictionaries and default arguments, through the
    variables of every function that is running in any thread or greenlet, and through all objects,
    for

    * classes of the standard ``selectors`` module that were captured before the patch,
    * the functions and types of the ``select`` module that wait, such as ``select.epoll``,
    * objects of any of these.

    In a process that nobody has patched it finds what a patch from here on would miss; what the
    standard modules themselves offer is left out then.  What gevent, eventlet and this package keep
    for their own use is left out always.  It may take seconds in a large process, and stops it for
    that long.

    Returns a list, empty at best, of named tuples: ``where`` it is, ``what`` it is, and the thing
    that is ``held`` there.
    """
    objects = _Objects()
    try:
        return [*_captured(), *objects.findings()]
    finally:
        objects.clear()


def _captured() -> Iterator[Finding]:
    """Classes and functions."""
    patched = current_runtime() != NATIVE
    for name, module in _standard.modules_of_others():
        if module in (select, selectors):
            if not patched:
                continue
            for key, value in list(vars(module).items()):
                if _standard.blocks(value):
                    yield Finding(f"{name}.{key}", _what(value), value)
        else:
            for place in places_in(module, name):
                value = place.get()
                if _standard.blocks(value):
                    yield Finding(place.label, _what(value), value)


class _Objects:
    """The objects that block, and who refers to them, as it was when this was made."""

    def __init__(self) -> None:
        # Taken first: what we make from here on, and put into `self`, refers to all that is found.
        everything = [each for each in gc.get_objects() if each is not self]
        self._listed = set(map(id, everything))
        self._found: Dict[int, Any] = {}
        #: {id of an object: who refers to it}, from what was found a few steps outwards.
        self._holders: Dict[int, List[Any]] = {}
        self._local = self._look_into_functions(everything)
        self._collect(everything)
        del everything  # it would be a holder of all
        for _ in range(_STEPS):
            self._step_outwards()

    def findings(self) -> Iterator[Finding]:
        for thing in self._found.values():
            owners = list(self._owners(thing))
            if any(id(each) in self._found or self._is_for_a_hub(each) for each in owners):
                continue
            where = self._local.get(id(thing)) or self._where(thing)
            yield Finding(where, _what(thing), thing)

    def clear(self) -> None:
        """Refer to nothing any more: the next audit may come before the collector."""
        self.__dict__.clear()

    def _look_into_functions(self, everything: List[Any]) -> Dict[int, str]:
        """{id of an object: the variable that holds it}, of all that run in threads and greenlets.

        The collector knows nothing of these.
        """
        where: Dict[int, str] = {}
        for frame in _frames(everything):
            name = frame.f_globals.get("__name__", "")
            if frame.f_code.co_name == "<module>":
                continue
            for variable, value in list(frame.f_locals.items()):
                if _standard.object_blocks(value):
                    self._found[id(value)] = value
                    where[id(value)] = (
                        f"{variable!r} in {name}.{frame.f_code.co_name}()"
                        f' (File "{frame.f_code.co_filename}", line {frame.f_lineno})'
                    )
        return where

    def _collect(self, everything: List[Any]) -> None:
        """Find the objects, and who holds each."""
        # The collector knows nothing of the primitives' objects, but of their holders.
        may_block: Dict[type, bool] = {}
        for holder in everything:
            for thing in self._referents(holder):
                kind = type(thing)
                if kind not in may_block:
                    may_block[kind] = _standard.is_primitive(kind) or _standard.is_selector(kind)
                if may_block[kind] and _standard.object_blocks(thing):
                    self._found[id(thing)] = thing
                    self._holders.setdefault(id(thing), []).append(holder)

    def _step_outwards(self) -> None:
        """Note who holds the holders."""
        known = {id(one): one for some in self._holders.values() for one in some}
        new: Dict[int, List[Any]] = {each: [] for each in known.keys() - self._holders.keys()}
        for holder in gc.get_referrers(*map(known.get, new)):
            if id(holder) in self._listed:  # what we have made ourselves is no answer
                for thing in self._referents(holder):
                    if id(thing) in new and thing is not holder:
                        new[id(thing)].append(holder)
        self._holders.update(new)

    def _referents(self, holder: Any) -> Iterator[Any]:
        if is_a(holder, ModuleType):
            # Not by asking the collector: CPython 3.12.1 never comes back from that of _asyncio.
            yield vars(holder)
            return
        for thing in gc.get_referents(holder):
            yield thing
            # The collector does not list what has nothing in it that it would know.
            if type(thing) is dict and id(thing) not in self._listed:
                yield from list(thing.values())
            elif type(thing) is tuple and id(thing) not in self._listed:
                yield from thing

    def _owners(self, thing: Any) -> Iterator[Any]:
        """The modules and objects that have it as an attribute, or contain it otherwise."""
        for holder in self._holders.get(id(thing), ()):
            if type(holder) is dict:
                above = self._holders.get(id(holder), ())
                yield from [each for each in above if _is_namespace(holder, each)] or [holder]
            else:
                yield holder

    def _is_for_a_hub(self, owner: Any) -> bool:
        """Whether it is ours, or a hub of theirs: what a hub waits with has to block."""
        home = type(owner).__module__ or ""
        if not home.startswith("asyncio."):
            return home.startswith((_standard.OURS, _HUBS))
        # The loop of eventlet's asyncio hub, or one that it made first and has kept in a default
        # argument: seen in 0.40.4.
        near = list(self._owners(owner))
        near += [each for tuples in near if is_a(tuples, tuple) for each in self._owners(tuples)]
        homes = [
            each.__module__ if is_a(each, FunctionType) else type(each).__module__ for each in near
        ]
        return any(str(home).startswith(_HUBS) for home in homes)

    def _where(self, thing: Any) -> str:
        """An expression for it, from a module on if one is near."""
        ways = [("", thing)]
        seen = {id(thing)}
        near = ""
        for tail, inner in ways:  # grows as we go: the shortest way comes first
            for owner in self._owners(inner):
                if id(owner) in seen:
                    continue
                seen.add(id(owner))
                step = _step(owner, inner) + tail
                if is_a(owner, ModuleType):
                    return f"{owner.__name__}{step}"
                if is_a(owner, type):
                    return _name(owner) + step
                near = near or f"<a {_name(type(owner))}>{step}"
                ways.append((step, owner))
        return near or "<somewhere>"


def _frames(everything: List[Any]) -> Iterator[FrameType]:
    """Of all functions that are running, in any thread or greenlet."""
    tops: List[Optional[FrameType]] = list(sys._current_frames().values())
    greenlet = getattr(sys.modules.get("greenlet"), "greenlet", None)
    tops += [each.gr_frame for each in everything if greenlet in type(each).__mro__]
    for top in tops:
        frame = top
        while frame is not None:
            yield frame
            frame = frame.f_back


def _is_namespace(table: Any, owner: Any) -> bool:
    """Whether a dictionary is what an object, a class or a module keeps its attributes in."""
    if is_a(owner, type):
        return "__module__" in table and table.keys() == vars(owner).keys()
    return _attributes(owner) is table


def _attributes(owner: Any) -> Any:
    try:
        return getattr(owner, "__dict__", {})
    except Exception:  # a proxy asks what it stands for, if anything
        return {}


def _step(owner: Any, thing: Any) -> str:
    """The way from a holder to what it holds, as in an expression."""
    if is_a(owner, (dict, list, tuple)):
        return _index(owner, thing)
    for name, value in list(_attributes(owner).items()):
        if value is thing:
            return f".{name}"
        if is_a(value, (dict, list, tuple)):
            index = _index(value, thing)
            if index:
                return f".{name}{index}"
    return f"<in a {_name(type(owner))}>"


def _index(container: Any, thing: Any) -> str:
    items = container.items() if is_a(container, dict) else enumerate(container)
    return next((f"[{key!r}]" for key, value in list(items) if value is thing), "")


def _what(thing: Any) -> str:
    if is_a(thing, type):
        return f"the class {_name(thing)}"
    if _standard.is_primitive(thing):
        return f"the function {_name(thing)}"
    return f"a {_name(type(thing))} object"


def _name(thing: Any) -> str:
    if thing.__module__ == "builtins":
        return str(thing.__qualname__)
    return f"{thing.__module__}.{thing.__qualname__}"
