"""What do running and suspended functions hold?

Since CPython 3.11 the collector knows nothing of the variables of a function that runs.
"""

from __future__ import annotations

import sys
from types import (
    AsyncGeneratorType,
    CodeType,
    CoroutineType,
    FrameType,
    GeneratorType,
)
from typing import Any, FrozenSet, Iterator, List, Optional, Set, Tuple

from .._threads import may_see_frames
from . import _inert
from ._holders import Kept, Table, everything, is_in_snapshot, of_types, once

#: {a type of what is suspended: where it keeps its frame}
SUSPENDED = {GeneratorType: "gi_frame", CoroutineType: "cr_frame", AsyncGeneratorType: "ag_frame"}

_CO_OPTIMIZED = 1

# Before CPython 3.13, a frame has one dictionary for its variables, which is written anew whenever
# somebody reads it.  A function that names one of the first gets its own, and may have changed it.
# One that names one of the others may have those of its callers as well.
_GIVE_OWN = frozenset(("locals", "vars", "dir", "eval", "exec"))
_GIVE_OTHERS = frozenset(("f_locals", "getargvalues", "curframe_locals"))

_UNKNOWN: Any = object()


def running_frames() -> Iterator[Tuple[FrameType, bool]]:
    """Of all functions that run in a thread or greenlet, but for modules and for our own.

    Yields each with whether its variables may be read.  In an isolated subinterpreter, only those
    of the calling thread.
    """
    tops: List[Optional[FrameType]] = []
    if sys.version_info < (3, 11):  # later the collector knows these variables, of the generator
        suspended = of_types(everything(), set(map(id, SUSPENDED)))
        tops += [getattr(each, SUSPENDED[type(each)]) for each in suspended]
    tops.append(sys._getframe())
    tops += sys._current_frames().values() if may_see_frames else ()
    kind = _greenlet_type()
    if kind is not None:
        kinds = {id(kind), *map(id, _inert.subclasses_of(kind))}
        frame_of = _inert.inherited(kind, "gr_frame").__get__
        tops += map(frame_of, of_types(everything(), kinds))
    seen: Set[int] = set()
    frame: Optional[FrameType] = None
    try:
        while tops:
            frame = tops.pop()  # the innermost of its thread
            is_given = False
            while frame is not None and id(frame) not in seen:
                seen.add(id(frame))
                name = module_of(frame)
                if name is None or name.partition(".")[0] != _inert.OURS:
                    is_given = is_given or _names(frame, _GIVE_OTHERS)
                    if frame.f_code.co_flags & _CO_OPTIMIZED:
                        yield frame, not is_given and not _names(frame, _GIVE_OWN)
                frame = frame.f_back
    finally:
        # This function's own frame is among them: a cycle that would keep alive what all hold.
        tops.clear()
        frame = None


def _greenlet_type() -> Any:
    greenlet = sys.modules.get("greenlet")
    kind = _inert.module_vars(greenlet).get("greenlet") if _inert.is_module(greenlet) else None
    return kind if kind is not None and _inert.is_class(kind) else None


def is_greenlet(thing: Any) -> bool:
    kind = _greenlet_type()
    return kind is not None and any(each is kind for each in _inert.bases_of(type(thing)))


def module_of(frame: FrameType) -> Optional[str]:
    """The name of the module whose code runs there, None if it has none."""
    name = dict.get(frame.f_globals, "__name__")
    return name if type(name) is str else None


def is_around_running(inner: CodeType, held: Any) -> bool:
    """Whether `held`, in a cell of a function with the code `inner`, is in one that runs, too."""
    return any(each is held or each is _UNKNOWN for each in _shared().get(id(inner), ()))


@once
def _shared() -> Table:
    """{id of the code of an inner function: what is in variables that a running one shares}"""
    found = Table()
    for frame, is_free in running_frames():
        code = frame.f_code
        inside = [each for each in code.co_consts if type(each) is CodeType]
        shares = [(each, {*each.co_freevars} & {*code.co_cellvars}) for each in inside]
        if any(names for _, names in shares):
            variables = variables_of(frame) if is_free else []
            for inner, names in shares:
                values = found.setdefault(id(inner), Kept())
                values += [value for name, value in variables if name in names]
                values += [_UNKNOWN for _ in names if not is_free]
    return found


def variables_of(frame: FrameType) -> List[Tuple[str, Any]]:
    snapshot: Any = frame.f_locals
    found = [(name, value) for name, value in list(snapshot.items()) if type(name) is str]
    # Since CPython 3.13 it is a proxy for the variables.  Before, it belongs to the frame, and
    # would keep all that is in it alive; unless somebody else has it.
    if sys.version_info < (3, 13):
        count = sys.getrefcount(snapshot)
        if count <= 3 or (count == 4 and is_in_snapshot(snapshot)):
            snapshot.clear()
    return found


def variables_of_suspended(holder: Any) -> List[Tuple[str, Any]]:
    """(label, content) of the variables of a generator or coroutine that has begun to run.

    Empty if they may not be read.
    """
    frame = getattr(holder, SUSPENDED[type(holder)])
    if frame is None or _names(frame, _GIVE_OWN | _GIVE_OTHERS):
        return []
    return [(variable(frame, name), value) for name, value in variables_of(frame)]


def _names(frame: FrameType, names: FrozenSet[str]) -> bool:
    return sys.version_info < (3, 13) and not names.isdisjoint(frame.f_code.co_names)


def variable(frame: FrameType, name: str) -> str:
    """The label of a variable of a function that runs."""
    code = frame.f_code
    return (
        f"{name!r} in {module_of(frame) or ''}.{str.__str__(code.co_name)}()"
        f' (File "{str.__str__(code.co_filename)}", line {frame.f_lineno})'
    )
