"""How does one call of a primitive wait, and when does it let others run?

In an ordinary process the primitive waits by itself.  Under a hub, `Hub.wait` does, but not at each
call.  A greenlet that polls again and again, and finds something each time, lets others run once in
each time slice only, because a poll takes less time than a switch.
"""

from __future__ import annotations

import operator
import sys
from types import SimpleNamespace
from typing import Any, Callable, List, NamedTuple, Optional

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
    "latest_way",
    "modules",
    "number_of",
    "wait",
]

# Seconds for which a greenlet that polls again and again may keep others from running: as long as
# CPython lets a thread run while others want to.
_TIME_SLICE = sys.getswitchinterval()

#: Every primitive accepts a plain time-out between this and its negative.
LONGEST = 2_000_000

#: The types that need no conversion.
PLAIN = frozenset((int, float))


class Way(NamedTuple):
    """How to wait, with everything that must be unchanged for this to be still right."""

    module: Any
    offers: _runtime.Offers
    #: What ``select.select`` is, as long as this holds.
    select: Any
    hub: Hub
    #: Its ``slice_ends`` is the time at which the calling thread must let others run again; missing
    #: before the first wait.
    thread: Any

    def holds(self) -> bool:
        try:
            return modules["select"] is self.module and self.offers["select"] is self.select
        except KeyError:
            return False


def find_way(runtime: Optional[str] = None) -> Way:
    """How to wait now; with `runtime`, how to wait in that runtime."""
    select = _runtime.offered("select")
    # For our objects, only ``select.select`` decides, and not a replaced ``select.epoll``.
    hub = hub_for(NO_PRIMITIVE) if runtime is None else pinned_hub(runtime)
    thread = SimpleNamespace() if hub.thread_local is None else hub.thread_local
    offers = _runtime.offers_of(_runtime.select_module())
    return Way(modules.get("select"), offers, select, hub, thread)


_latest: Optional[Way] = None


def latest_way() -> Way:
    """The same as `find_way`, without a search if nothing has changed since the last one."""
    global _latest
    way = _latest
    if way is None or not way.holds():
        way = _latest = find_way()
    return way


def wait(
    way: Way, poller: Any, seconds: Optional[float], source: Optional[Source] = None
) -> List[Any]:
    """Wait for at most `seconds`, None forever, and at least until others have run."""
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
    """Return a time-out as a plain number, in its own unit; None if there is none.

    `validate` is called for values of other types, and raises what the primitive raises for them.
    """
    if timeout is None or (type(timeout) in PLAIN and -LONGEST <= timeout <= LONGEST):
        return timeout
    validate(timeout)
    # The value that C sees, whatever the class does in Python.
    if isinstance(timeout, float):
        return float.__add__(timeout, 0.0)
    number = integer_of(timeout)
    return number if isinstance(number, int) else float(number)


# Since 3.10, CPython accepts no object that has `__int__` alone.
_TAKES_INT = sys.version_info < (3, 10) or sys.implementation.name == "pypy"


def integer_of(number: Any) -> Any:
    """Return the integer that C takes `number` for, or `number` itself if it is none."""
    try:
        return int.__add__(operator.index(number), 0)
    except TypeError:
        pass
    takes_int = _TAKES_INT and not isinstance(number, float)
    return number.__int__() if takes_int and hasattr(number, "__int__") else number


def descriptor_of(file: Any) -> Any:
    """The descriptor of a file, asked for once; `file` itself if the native object must refuse."""
    if isinstance(file, int):
        return file
    fileno = getattr(file, "fileno", None)
    if fileno is None:
        return file
    number = fileno()
    return number if isinstance(number, int) else file
