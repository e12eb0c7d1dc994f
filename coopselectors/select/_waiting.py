"""How does one call of a primitive wait, and when does it let others run?

In an ordinary process the primitive waits by itself.  Under a hub, `Hub.wait` does, but not at each
call.  A greenlet that polls again and again, and finds something each time, lets others run once in
each time slice only, because a poll takes less time than a switch.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any, List, NamedTuple, Optional

from .. import _runtime
from .._hubs import NO_PRIMITIVE, Hub, Source, hub_for, pinned_hub
from .._runtime import modules
from .._unpatched import clock

# Seconds for which a greenlet that polls again and again may keep others from running: as long as
# CPython lets a thread run while others want to.
_TIME_SLICE = sys.getswitchinterval()


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
