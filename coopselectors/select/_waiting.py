"""How does one call of a primitive wait, and when does it give way to others?

In an ordinary process it is the primitive's own business.  Under a hub it is `Hub.wait`, but not at
each call: whoever polls again and again, and finds something each time, gives way once in a
while, and not for every microsecond in the kernel.
"""

from __future__ import annotations

import operator
import sys
from time import monotonic
from types import SimpleNamespace
from typing import Any, Callable, List, NamedTuple, Optional

from .._hubs import NATIVE, Hub, hub_for, pinned_hub
from .._pollers import IN, Pair, Waitable, doorbell
from .._runtime import offered

__all__ = [
    "MOST",
    "NATIVE",
    "PLAIN",
    "Way",
    "descriptor_of",
    "find_way",
    "integer_of",
    "judge_with",
    "may_hurry",
    "number_of",
    "offered",
    "wait",
]

# How to wait for ours is not said by a replaced ``select.epoll``, only by ``select.select``.
_NO_PRIMITIVE = ""

# Seconds for which one who asks again and again may keep the others from their turn: as long as
# CPython lets a thread run while others want to.
_HURRY = sys.getswitchinterval()

#: A plain time-out up to this, or down to its negative, is one that every primitive can count.
MOST = 2_000_000

#: The types of which it is known what they say.
PLAIN = frozenset((int, float))


class Way(NamedTuple):
    """How to wait."""

    #: What ``select.select`` is, as long as this holds.
    select: Any
    hub: Hub
    #: Its ``hurry_until`` is when the calling thread has to give way again, if it ever has.
    thread: Any


def find_way(runtime: Optional[str] = None) -> Way:
    """How to wait now, or whenever it is up to `runtime`."""
    select = offered("select")
    hub = hub_for(_NO_PRIMITIVE) if runtime is None else pinned_hub(runtime)
    thread = SimpleNamespace() if hub.thread_local is None else hub.thread_local
    return Way(select, hub, thread)


def wait(way: Way, waitable: Waitable, seconds: Optional[float]) -> List[Pair]:
    """Wait for at most so long, None for ever, and at least until others have had their turn."""
    deadline = monotonic() + seconds if seconds else None
    try:
        return way.hub.wait(waitable, seconds, deadline)
    except OSError as error:
        raise waitable.closed_or(error) from None
    finally:
        way.thread.hurry_until = monotonic() + _HURRY


def may_hurry(way: Way) -> bool:
    """Whether others had their turn so lately that what finds something need not give way."""
    return monotonic() < getattr(way.thread, "hurry_until", 0) and not way.hub.owes_a_turn


def number_of(timeout: Any, judge: Callable[[Any], Any]) -> Any:
    """A time-out as a plain number, in whatever unit it counts; None for none.

    `judge` raises what the primitive raises for one that is none, and is asked where that may be.
    """
    if timeout is None or (type(timeout) in PLAIN and -MOST <= timeout <= MOST):
        return timeout
    judge(timeout)
    # What it is to C, whatever its class makes of it in Python.
    return float.__add__(timeout, 0.0) if isinstance(timeout, float) else integer_of(timeout)


def judge_with(native: Any, *how: Any) -> None:
    """Have a native object, which is new and so has nothing to lose, refuse these arguments."""
    native.register(doorbell(), IN)  # so that it does not wait for what it does not refuse
    try:
        native.poll(*how)
    finally:
        if hasattr(native, "close"):
            native.close()


def integer_of(number: Any) -> Any:
    """What C takes `number` for, or itself if that is nothing."""
    try:
        return int.__add__(operator.index(number), 0)
    except TypeError:
        pass
    takes_int = sys.version_info < (3, 10) and not isinstance(number, float)
    return number.__int__() if takes_int and hasattr(number, "__int__") else number


def descriptor_of(file: Any) -> Any:
    """The number of a file, asked for once; `file` itself, if the native object is to refuse it."""
    if isinstance(file, int):
        return file
    fileno = getattr(file, "fileno", None)
    if fileno is None:
        return file
    number = fileno()
    return number if isinstance(number, int) else file
