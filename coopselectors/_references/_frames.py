"""What do running and suspended functions hold?

Since CPython 3.11 the collector knows nothing of the variables of a function that runs.
"""

from __future__ import annotations

import sys
from types import (
    AsyncGeneratorType,
    CellType,
    CodeType,
    CoroutineType,
    FrameType,
    GeneratorType,
)
from typing import Any, Iterator, List, Optional, Set, Tuple

from .._threads import may_see_frames
from . import _inert
from ._holders import everything, is_in_snapshot, of_types

#: {a type of what is suspended: where it keeps its frame}
SUSPENDED = {GeneratorType: "gi_frame", CoroutineType: "cr_frame", AsyncGeneratorType: "ag_frame"}

_CO_OPTIMIZED = 1


def running_frames() -> Iterator[FrameType]:
    """Of all functions that run in a thread or greenlet, but for modules and for our own.

    In an isolated subinterpreter, only those of the calling thread.
    """
    tops: List[Optional[FrameType]] = [sys._getframe()]
    tops += sys._current_frames().values() if may_see_frames else ()
    kind = _greenlet_type()
    if kind is not None:
        kinds = {id(kind), *map(id, _inert.subclasses_of(kind))}
        frame_of = _inert.inherited(kind, "gr_frame").__get__
        tops += map(frame_of, of_types(everything(), kinds))
    if sys.version_info < (3, 11):  # later the collector knows these variables, of the generator
        suspended = of_types(everything(), set(map(id, SUSPENDED)))
        tops += [getattr(each, SUSPENDED[type(each)]) for each in suspended]
    seen: Set[int] = set()
    frame: Optional[FrameType] = None
    try:
        while tops:
            frame = tops.pop()
            while frame is not None and id(frame) not in seen:
                seen.add(id(frame))
                name = frame.f_globals.get("__name__")
                ours = type(name) is str and name.partition(".")[0] == _inert.OURS
                if frame.f_code.co_flags & _CO_OPTIMIZED and not ours:
                    yield frame
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


def is_around_running(inner: CodeType, cell: CellType) -> bool:
    """Whether a cell of a function with the code `inner` is a variable of one that runs."""
    for frame in running_frames():
        code = frame.f_code
        if any(each is inner for each in code.co_consts):
            shared = {*code.co_cellvars} & {*inner.co_freevars}
            inside = [value for name, value in variables_of(frame) if name in shared]
            if any(value is cell.cell_contents for value in inside):
                return True
    return False


def variables_of(frame: FrameType) -> List[Tuple[str, Any]]:
    snapshot: Any = frame.f_locals
    if sys.version_info >= (3, 13):  # it is a proxy for the variables on CPython
        return list(snapshot.items())
    found = list(snapshot.items())
    # It belongs to the frame, and would keep all that is in it alive; unless somebody else has it.
    count = sys.getrefcount(snapshot)
    if count <= 3 or (count == 4 and is_in_snapshot(snapshot)):
        snapshot.clear()
    return found


def variables_of_suspended(holder: Any) -> List[Tuple[str, Any]]:
    """(label, content) of the variables of a generator or coroutine that has begun to run."""
    frame = getattr(holder, SUSPENDED[type(holder)])
    return (
        []
        if frame is None
        else [(variable(frame, name), value) for name, value in variables_of(frame)]
    )


def variable(frame: FrameType, name: str) -> str:
    """The label of a variable of a function that runs."""
    home = frame.f_globals.get("__name__")
    return (
        f"{name!r} in {home if type(home) is str else ''}.{frame.f_code.co_name}()"
        f' (File "{frame.f_code.co_filename}", line {frame.f_lineno})'
    )
