"""How does one call of a primitive wait, and when does it give way to others?

In an ordinary process it is the primitive's own business.  Under a hub it is `Hub.wait`, but not at
each call: a greenlet that polls again and again, and finds something each time, gives way once in a
while, and not for every microsecond in the kernel.
"""

from __future__ import annotations

import operator
import sys
from importlib import import_module
from types import SimpleNamespace
from typing import Any, Callable, List, Mapping, NamedTuple, Optional

from .. import _runtime
from .._hubs import NATIVE, NO_PRIMITIVE, Hub, Source, hub_for, pinned_hub
from .._runtime import modules
from .._unpatched import clock

__all__ = [
    "LONGEST",
    "NATIVE",
    "PLAIN",
    "Source",
    "Way",
    "descriptor_of",
    "find_way",
    "in_time_slice",
    "integer_of",
    "modules",
    "number_of",
    "reduced",
    "wait",
]

# Seconds for which a greenlet that asks again and again may keep the others from their turn: as
# long as CPython lets a thread run while others want to.
_TIME_SLICE = sys.getswitchinterval()

#: A plain time-out up to this, or down to its negative, is one that every primitive can count.
LONGEST = 2_000_000

#: The types of which it is known what they say.
PLAIN = frozenset((int, float))


class Way(NamedTuple):
    """How to wait, and by what it can be seen whether that still holds."""

    module: Any
    offers: Mapping[str, Any]
    #: What ``select.select`` is, as long as this holds.
    select: Any
    hub: Hub
    #: Its ``slice_ends`` is when the calling thread has to give way again, if it ever has.
    thread: Any

    def holds(self) -> bool:
        try:
            return modules["select"] is self.module and self.offers["select"] is self.select
        except KeyError:
            return False


def find_way(runtime: Optional[str] = None) -> Way:
    """How to wait now, or whenever it is up to `runtime`."""
    select = _runtime.offered("select")
    # How to wait for ours is not said by a replaced ``select.epoll``, only by ``select.select``.
    hub = hub_for(NO_PRIMITIVE) if runtime is None else pinned_hub(runtime)
    thread = SimpleNamespace() if hub.thread_local is None else hub.thread_local
    offers = _runtime.offers_of(_runtime.select_module())
    return Way(modules.get("select"), offers, select, hub, thread)


def wait(
    way: Way, poller: Any, seconds: Optional[float], source: Optional[Source] = None
) -> List[Any]:
    """Wait for at most so long, None for ever, and at least until others have had their turn."""
    deadline = clock.monotonic() + seconds if seconds else None
    try:
        return way.hub.wait(poller, seconds, deadline, source)
    except OSError:
        if poller.closed:
            poller.raise_closed()
        raise
    finally:
        way.thread.slice_ends = clock.monotonic() + _TIME_SLICE


def in_time_slice(way: Way) -> bool:
    """True while the current time slice lasts: ready results may be returned without yielding."""
    return clock.monotonic() < getattr(way.thread, "slice_ends", 0) and not way.hub.needs_a_turn


def number_of(timeout: Any, validate: Callable[[Any], Any]) -> Any:
    """A time-out as a plain number, in whatever unit it counts; None for none.

    `validate` raises what the primitive raises for one that is none, and is asked where that may
    be.
    """
    if timeout is None or (type(timeout) in PLAIN and -LONGEST <= timeout <= LONGEST):
        return timeout
    validate(timeout)
    # What it is to C, whatever its class makes of it in Python.
    if isinstance(timeout, float):
        return float.__add__(timeout, 0.0)
    number = integer_of(timeout)
    return number if isinstance(number, int) else float(number)


# CPython has taken nothing with `__int__` alone since 3.10.
_TAKES_INT = sys.version_info < (3, 10) or sys.implementation.name == "pypy"


def integer_of(number: Any) -> Any:
    """What C takes `number` for, or itself if that is nothing."""
    try:
        return int.__add__(operator.index(number), 0)
    except TypeError:
        pass
    takes_int = _TAKES_INT and not isinstance(number, float)
    return number.__int__() if takes_int and hasattr(number, "__int__") else number


def reduced(home: Any, name: str) -> Any:
    """What a pickle says of the object whose method `name` is a function of ours.

    Where that stands in the place of the standard one, a process without coopselectors can load it.
    """
    if _runtime.offered(name) == getattr(home, name):
        return import_module, ("select",)
    return import_module, (_runtime.OURS,)


def descriptor_of(file: Any) -> Any:
    """The number of a file, asked for once; `file` itself, if the native object is to refuse it."""
    if isinstance(file, int):
        return file
    fileno = getattr(file, "fileno", None)
    if fileno is None:
        return file
    number = fileno()
    return number if isinstance(number, int) else file
