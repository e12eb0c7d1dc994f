"""Which objects refer to these?

The collector answers in C, and one question costs one pass over all that it tracks, however many
modules there are.  It does not know of everything:

* What ``gc.freeze()`` has set aside is left out of its answers.
* A dictionary or tuple with nothing in it that the collector tracks, such as ``{1: epoll}``, is
  not tracked either (CPython before 3.14).
* The variables of a function that is running are in no object that it knows, see `_frames`.
"""

from __future__ import annotations

import gc
import os
import sys
from contextlib import contextmanager
from itertools import compress, filterfalse
from types import FrameType, ModuleType
from typing import Any, Callable, Dict, Iterator, List, Set, Tuple, TypeVar

from .._threads import get_ident
from . import _inert

_Found = TypeVar("_Found")

# With more things than this to look for, comparing identities in a set is faster than to have
# the collector compare each reference with each of them.
_FEW = 60

# How many objects are asked for what they refer to in one call.
_CHUNK = 1000

# CPython 3.12 freezes some hundred objects when it starts.
_FROZEN_BY_PYTHON = 2000

_MAY_BE_UNTRACKED = {id(dict), id(tuple)}


# Objects of these are records of what was found, by this call or an earlier one.
_OWN = tuple(f"{_inert.OURS}.{name}" for name in ("_references.", "_audit", "_install"))


class Kept(List[Any]):
    """A list that nobody takes for a holder of what is in it."""


class Table(Dict[int, Any]):
    """A dictionary by identity that nobody takes for a holder of what is in it."""


class _Call:
    """A call that looks for something."""

    def __init__(self) -> None:
        self.thread = get_ident()
        self.collects = gc.isenabled()


# {a function: what it has found}, for as long as one call looks for something; see `once`.
_found: Dict[Any, Any] = Table()

# Those of all threads that go on now.
_calls: Set[_Call] = set()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the collector from running: it would untrack containers, and call finalizers."""
    call = _Call()
    try:
        _calls.add(call)
        gc.disable()
        yield
    finally:
        try:
            _end(call)
        finally:
            _end(call)  # for a signal handler may have raised at any line of the first


def _end(call: _Call) -> None:
    if call in _calls:
        if call.collects:
            gc.enable()
        _found.clear()
        _calls.discard(call)


def _end_calls_of_the_parent() -> None:
    """End, in a forked child, the calls of threads that the child does not have."""
    gone = [call for call in _calls if call.thread != get_ident()]
    if gone:
        for found in list(_found.values()):
            found.clear()  # the functions that were running there keep it for good
        _found.clear()
        _calls.difference_update(gone)
        if any(call.collects for call in gone):
            gc.enable()


# Windows has neither fork() nor this function.
getattr(os, "register_at_fork", lambda **_: None)(after_in_child=_end_calls_of_the_parent)


def once(look: Callable[[], _Found]) -> Callable[[], _Found]:
    """`look`, but its answer is the same until `undisturbed` ends."""

    def ask() -> _Found:
        found: Any = _found.get(ask)
        if found is None:
            found = _found[ask] = look()
        return found  # type: ignore[no-any-return]

    return ask


def holders_of(things: List[Any]) -> Kept:
    """The objects that refer to one of `things`, but for frames and our own records."""
    if not things:
        return Kept()
    arguments = tuple(things)
    if len(things) <= _FEW and not _is_frozen():
        found = gc.get_referrers(*arguments)
    else:
        wanted = set(map(id, things))
        found = [each for chunk in _chunks(everything()) for each in _among(chunk, wanted)]
    return Kept(
        each
        for each in found
        if each is not arguments
        and type(each) is not FrameType
        and not _inert.home_of(type(each)).startswith(_OWN)
    )


def referents_of(holder: Any) -> List[Any]:
    if _inert.is_module(holder):
        return [_inert.module_vars(holder)]
    return gc.get_referents(holder)


@once
def everything() -> Kept:
    """All objects that the collector tracks, those that were frozen included."""
    found = Kept(gc.get_objects())
    return _reached_from(found) if _is_frozen() else found


def is_in_snapshot(thing: Any) -> bool:
    """Whether the list of `everything` refers to this object, if there is one by now."""
    return everything in _found and id(thing) in _identities()


@once
def _identities() -> Set[int]:
    return set(map(id, everything()))


def _reached_from(tracked: List[Any]) -> Kept:
    """All that is tracked or was frozen, which can only be reached from one to the next."""
    found = Kept(tracked)
    seen = set(map(id, tracked))
    level = Kept([*tracked, sys.modules, *_inert.subclasses_of(object)])
    while level:
        reached = Table()
        for chunk in _chunks(level):
            things = _referents(chunk)
            reached.update(zip(map(id, things), things))
        fresh = reached.keys() - seen
        seen.update(fresh)
        level = Kept(filter(gc.is_tracked, map(reached.__getitem__, fresh)))
        found.extend(level)
    return found


def objects_of(kinds: Set[int]) -> Tuple[Kept, Table]:
    """The objects of the types with these identities, whether the collector knows them or not.

    These must be types whose objects the collector does not track, as those of ``select``.
    Returns the objects, and {id of an object: the untracked containers that hold it}.
    """
    found, seen = Table(), Table()
    interesting = kinds | _MAY_BE_UNTRACKED
    levels = [everything()]  # then the untracked containers that the last one refers to
    while levels[-1]:
        untracked = Table()
        for chunk in _chunks(levels[-1]):
            # Half of all references lead to what is tracked, and to ask for that costs least.
            inside = of_types(list(filterfalse(gc.is_tracked, _referents(chunk))), interesting)
            untracked.update(zip(map(id, inside), inside))
        fresh = Kept(untracked.values())
        if seen:
            fresh = Kept(each for each in fresh if id(each) not in seen)
        chosen = of_types(fresh, kinds)
        found.update(zip(map(id, chosen), chosen))
        levels.append(Kept(of_types(fresh, _MAY_BE_UNTRACKED)))
        seen.update(untracked)
    holders = Table()
    wanted = set(found)
    for level in reversed(levels[1:] if found else ()):
        for chunk in _chunks(level):
            for holder in _among(chunk, wanted):
                for each in wanted.intersection(map(id, gc.get_referents(holder))):
                    holders.setdefault(each, Kept()).append(holder)
                wanted.add(id(holder))
    return Kept(found.values()), holders


def of_types(things: List[Any], kinds: Set[int]) -> List[Any]:
    """Those whose types have these identities; all in C, for there may be millions."""
    return list(compress(things, map(kinds.__contains__, map(id, map(type, things)))))


def _is_frozen() -> bool:
    count = getattr(gc, "get_freeze_count", None)  # PyPy has none
    return count is not None and count() > _FROZEN_BY_PYTHON


def _chunks(objects: List[Any]) -> Iterator[Kept]:
    for start in range(0, len(objects), _CHUNK):
        yield Kept(objects[start : start + _CHUNK])


def _referents(chunk: List[Any]) -> List[Any]:
    if sys.version_info[:2] == (3, 12):
        # CPython 3.12.1 never comes back from listing what the module _asyncio refers to.
        asked = [each for each in chunk if not issubclass(type(each), ModuleType)]
        found = gc.get_referents(*asked)
        found += [_inert.module_vars(each) for each in chunk if issubclass(type(each), ModuleType)]
        return found
    return gc.get_referents(*chunk)


def _among(chunk: List[Any], wanted: Set[int]) -> Iterator[Any]:
    """Those of a chunk that refer to a thing whose identity is wanted."""
    if not wanted.isdisjoint(map(id, _referents(chunk))):
        for each in chunk:
            if not wanted.isdisjoint(map(id, referents_of(each))):
                yield each
