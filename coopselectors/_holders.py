"""Who refers to these objects?  What the collector knows, and the frames that it does not.

The collector answers in C, and one question costs one pass over all that it tracks, however many
modules there are.  It does not know of everything:

* What ``gc.freeze()`` has set aside is left out of its answers.
* A dictionary or tuple with nothing in it that the collector tracks, such as ``{1: epoll}``, is
  not tracked either (CPython before 3.14).
* The variables of a function that is running are in no object that it knows (since CPython 3.11).
"""

from __future__ import annotations

import gc
import operator
import sys
from contextlib import contextmanager
from itertools import compress
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType, ModuleType
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

from . import _inert

# With more things than this to look for, comparing identities in a set is faster than to have
# the collector compare each reference with each of them.
_FEW = 60

# How many objects are asked for what they refer to in one call.
_CHUNK = 2000

# On CPython 3.12.1 it never comes back from listing what the module _asyncio refers to.
_ASK_NO_MODULE = sys.version_info[:2] == (3, 12)

_CO_OPTIMIZED = 1

_MAY_BE_UNTRACKED = {id(dict), id(tuple)}


#: {a type of what is suspended: where it keeps its frame}
SUSPENDED = {GeneratorType: "gi_frame", CoroutineType: "cr_frame", AsyncGeneratorType: "ag_frame"}

# Objects of these are records of what was found, by this call or an earlier one.
_OWN = frozenset(
    f"{__package__}.{name}"
    for name in ("_audit", "_bindings", "_holders", "_install", "_paths", "_standard")
)


class Kept(List[Any]):
    """A list that nobody takes for a holder of what is in it."""


class Table(Dict[int, Any]):
    """A dictionary by identity that nobody takes for a holder of what is in it."""


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the collector from running: it would untrack containers, and call finalizers."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def holders_of(things: List[Any]) -> Kept:
    """The objects that refer to one of `things`, but for frames and our own records."""
    if not things:
        return Kept()
    if len(things) <= _FEW and not _frozen_count():
        found = gc.get_referrers(*things)
    else:
        wanted = set(map(id, things))
        found = [each for chunk in _chunks(everything()) for each in _among(chunk, wanted)]
    return Kept(
        each
        for each in found
        if type(each) is not FrameType and _inert.home_of(type(each)) not in _OWN
    )


def referents_of(holder: Any) -> List[Any]:
    if _inert.is_module(holder):
        return [_inert.module_vars(holder)]
    return gc.get_referents(holder)


def everything() -> List[Any]:
    """All objects that the collector tracks, those that were frozen included."""
    tracked: List[Any] = gc.get_objects()
    if not _frozen_count():
        return tracked
    # They can only be reached by going from one to the next.
    seen = set(map(id, tracked))
    left: List[Any] = [tracked, [sys.modules, *_inert.subclasses_of(object)]]
    frozen = Kept()
    while left:
        fresh = Kept()
        for chunk in _chunks(left.pop()):
            for each in _referents(chunk):
                if id(each) not in seen and gc.is_tracked(each):
                    seen.add(id(each))
                    fresh.append(each)
        if fresh:
            frozen.extend(fresh)
            left.append(fresh)
    return [*tracked, *frozen]


def objects_of(kinds: Set[int]) -> Tuple[Kept, Table]:
    """The objects of the types with these identities, whether the collector knows them or not.

    These must be types whose objects the collector does not track, as those of ``select``.
    Returns the objects, and {id of an object: the untracked containers that hold it}.
    """
    found, seen = Table(), Table()
    interesting = kinds | _MAY_BE_UNTRACKED
    levels = [Kept(everything())]  # then the untracked containers that the last one refers to
    while levels[-1]:
        untracked = Table()
        for chunk in _chunks(levels[-1]):
            things = _of_types(_referents(chunk), interesting)
            inside = list(compress(things, map(operator.not_, map(gc.is_tracked, things))))
            untracked.update(zip(map(id, inside), inside))
        fresh = Kept(untracked.values())
        if seen:
            fresh = Kept(each for each in fresh if id(each) not in seen)
        chosen = _of_types(fresh, kinds)
        found.update(zip(map(id, chosen), chosen))
        levels.append(Kept(_of_types(fresh, _MAY_BE_UNTRACKED)))
        seen.update(untracked)
    holders = Table()
    wanted = set(found)
    for level in reversed(levels[1:]):
        for chunk in _chunks(level):
            for holder in _among(chunk, wanted):
                for each in wanted.intersection(map(id, gc.get_referents(holder))):
                    holders.setdefault(each, Kept()).append(holder)
                wanted.add(id(holder))
    return Kept(found.values()), holders


def running_frames() -> Iterator[FrameType]:
    """Of all functions that run in a thread or greenlet, but for modules and for our own."""
    tops: List[Optional[FrameType]] = list(sys._current_frames().values())
    greenlet = sys.modules.get("greenlet")
    kind = _inert.module_vars(greenlet).get("greenlet") if _inert.is_module(greenlet) else None
    if kind is not None and _inert.is_class(kind):
        kinds = {id(kind), *map(id, _inert.subclasses_of(kind))}
        frame_of = _inert.inherited(kind, "gr_frame").__get__
        tops += map(frame_of, _of_types(everything(), kinds))
    seen: Set[int] = set()
    for top in tops:
        frame = top
        while frame is not None and id(frame) not in seen:
            seen.add(id(frame))
            name = frame.f_globals.get("__name__")
            ours = type(name) is str and name.partition(".")[0] == _inert.OURS
            if frame.f_code.co_flags & _CO_OPTIMIZED and not ours:
                yield frame
            frame = frame.f_back


def variables_of(frame: FrameType) -> List[Tuple[str, Any]]:
    snapshot: Any = frame.f_locals
    if type(snapshot) is not dict:  # it is a proxy for the variables since CPython 3.13
        return list(snapshot.items())
    found = list(snapshot.items())
    # It belongs to the frame, and would keep all that is in it alive.
    if sys.getrefcount(snapshot) <= 3:
        snapshot.clear()
    return found


def variables_of_suspended(holder: Any) -> List[Tuple[str, Any]]:
    """(label, content) of the variables of a generator or coroutine that has begun to run."""
    frame = getattr(holder, SUSPENDED[type(holder)])
    return [] if frame is None else [
        (variable(frame, name), value) for name, value in variables_of(frame)
    ]


def variable(frame: FrameType, name: str) -> str:
    """The label of a variable of a function that runs."""
    home = frame.f_globals.get("__name__")
    return (
        f"{name!r} in {home if type(home) is str else ''}.{frame.f_code.co_name}()"
        f' (File "{frame.f_code.co_filename}", line {frame.f_lineno})'
    )


def _frozen_count() -> int:
    count = getattr(gc, "get_freeze_count", None)  # PyPy has none
    return count() if count is not None else 0


def _chunks(objects: List[Any]) -> Iterator[Kept]:
    for start in range(0, len(objects), _CHUNK):
        yield Kept(objects[start : start + _CHUNK])


def _referents(chunk: List[Any]) -> List[Any]:
    if not _ASK_NO_MODULE:
        return gc.get_referents(*chunk)
    asked = [each for each in chunk if not issubclass(type(each), ModuleType)]
    found = gc.get_referents(*asked)
    found += [_inert.module_vars(each) for each in chunk if issubclass(type(each), ModuleType)]
    return found


def _among(chunk: List[Any], wanted: Set[int]) -> Iterator[Any]:
    """Those of a chunk that refer to a thing whose identity is wanted."""
    if not wanted.isdisjoint(map(id, _referents(chunk))):
        for each in chunk:
            if not wanted.isdisjoint(map(id, referents_of(each))):
                yield each


def _of_types(things: List[Any], kinds: Set[int]) -> List[Any]:
    """Those whose types have these identities; all in C, for there may be millions."""
    return list(compress(things, map(kinds.__contains__, map(id, map(type, things)))))
