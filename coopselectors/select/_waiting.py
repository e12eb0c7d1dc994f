"""How does one call of a primitive wait, and when does it give way to others?

In an ordinary process it is the primitive's own business.  Under a hub it is `Hub.wait`, but not at
each call: whoever polls again and again, and finds something each time, gives way once in a
while, and not for every microsecond in the kernel.
"""

from __future__ import annotations

import math
import sys
from time import monotonic
from types import SimpleNamespace
from typing import Any, List, NamedTuple, Optional

from .._hubs import NATIVE, Hub, hub_for
from .._pollers import Pair, Waitable
from .._runtime import offered

__all__ = ["NATIVE", "Way", "find_way", "may_hurry", "number_of", "offered", "seconds_of", "wait"]

# How to wait for ours is not said by a replaced ``select.epoll``, only by ``select.select``.
_NO_PRIMITIVE = ""

# Seconds for which one who asks again and again may keep the others from their turn: as long as
# CPython lets a thread run while others want to.
_HURRY = sys.getswitchinterval()

_INT_MAX = 2**31 - 1


class Way(NamedTuple):
    """How to wait."""

    #: What ``select.select`` is, as long as this holds.
    select: Any
    hub: Hub
    #: Its ``hurry_until`` is when the calling thread has to give way again, if it ever has.
    thread: Any


def find_way() -> Way:
    """How to wait now."""
    select, hub = offered("select"), hub_for(_NO_PRIMITIVE)
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


def seconds_of(timeout: Any, per_second: int = 1) -> Optional[float]:
    """A time-out of a primitive that counts so many to the second, and waits for ever if negative.

    Raises what it would raise.
    """
    if timeout is None:
        return None
    timeout = number_of(timeout)
    if abs(timeout) * 1000 > _INT_MAX * per_second:  # it counts milliseconds in a C int
        raise OverflowError("timeout is too large")
    return None if timeout < 0 else timeout / per_second


def number_of(timeout: Any) -> Any:
    """A time-out that is a number, or the error that all primitives raise."""
    if not isinstance(timeout, (int, float)):
        if not hasattr(timeout, "__index__"):
            raise TypeError(f"timeout must be a number or None, not {type(timeout).__name__}")
        timeout = timeout.__index__()
    if math.isnan(timeout):
        raise ValueError("Invalid value NaN (not a number)")
    return timeout
