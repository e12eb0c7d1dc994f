"""eventlet, with any of its hubs.

Written against the sources of eventlet 0.40.4 and 0.41.3.
"""

from __future__ import annotations

import sys
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, Callable, List

from eventlet.hubs import _threadlocal, get_hub
from eventlet.patcher import original
from greenlet import getcurrent

from .. import _owned, _unpatched
from .._pollers._duplicates import is_epoll
from .._pollers._poller import Poller
from .._unpatched import system
from ._cooperative import CooperativeHub
from ._guarded import guarded
from ._per_file import do_all
from ._waiters import Outer

# Seconds until a timer tries again to wake its greenlet.
_AGAIN = 0.001


def _nothing(*_: Any) -> None:
    """What eventlet calls if it believes that the descriptor of a listener was closed."""


def _innermost(greenlet: Any) -> Any:
    """The frame in which a greenlet has switched to its hub."""
    frame = greenlet.gr_frame
    while frame is not None and frame.f_code.co_name == "switch":
        frame = frame.f_back
    return frame


class EventletHub(CooperativeHub):
    name = "eventlet"
    thread_local = original("threading").local()
    start_thread = staticmethod(original("_thread").start_new_thread)

    def describe(self) -> str:
        hub = getattr(_threadlocal, "hub", None)
        return "an eventlet hub that is not started yet" if hub is None else type(hub).__module__

    def hub_if_any(self) -> Any:
        return getattr(_threadlocal, "hub", None)

    hub = staticmethod(get_hub)

    def greenlet(self, hub: Any) -> Any:
        return hub.greenlet

    def refuse_to_block(self, hub: Any) -> None:
        # eventlet's own words.
        raise RuntimeError("do not call blocking functions from the mainloop")

    def waits_with(self, hub: Any, poller: Poller) -> bool:
        # The loop of asyncio's hub has a selector, made of what `select` had at that time.
        selector = getattr(getattr(hub, "loop", None), "_selector", None)
        primitive = getattr(selector, "__dict__", {}).get("_selector")
        return poller in (getattr(selector, "_poller", None), getattr(primitive, "_poller", None))

    def yield_once(self, hub: Any) -> None:
        self.sleep_at_most(hub, 0)

    def sleep_at_most(self, hub: Any, seconds: float) -> None:
        # This very sleep: a signal handler may begin another one in the middle of it.
        timer, sleep = None, [sys._getframe()]
        greenlet = getcurrent()

        def wake(_: Any) -> None:
            if sleep and _innermost(greenlet) is sleep[0]:
                self._switch_to(hub, greenlet)
            if sleep:  # a signal handler waits there for something else, or has just raised here
                hub.schedule_call_global(_AGAIN, again, None)

        def failed(*exc_info: Any) -> None:
            if sleep:
                hub.schedule_call_global(_AGAIN, again, None)
            self.report(hub, None, *exc_info)

        again = guarded(wake, failed)
        try:
            try:
                timer = hub.schedule_call_global(seconds, again, None)
                hub.switch()
            finally:
                sleep.clear()
        finally:
            sleep.clear()
            if timer is not None:
                timer.cancel()

    def _switch_to(self, hub: Any, greenlet: Any) -> None:
        try:
            greenlet.switch()
        except BaseException:
            exc_info = sys.exc_info()
            self.report(hub, greenlet if greenlet.dead else None, *exc_info)

    def call_soon(self, hub: Any, function: Callable[[], None]) -> None:
        if hub is not None:
            hub.schedule_call_global(0, function)

    def retry_soon(self, hub: Any, outer: Outer) -> None:
        if not (outer.timers and outer.timers[0].pending):
            outer.timers[:] = [hub.schedule_call_global(_AGAIN, outer.retry, None)]

    def others_are_due(self, hub: Any) -> bool:
        return True  # eventlet gains nothing from a chain of wake-ups; see `OuterPoller`

    def has_ended(self, hub: Any) -> bool:
        return False

    def watch(self, hub: Any, outer: Outer) -> None:
        if outer.fd is None:
            return
        undo: List[Callable[[], None]] = []
        outer.unwatch = partial(do_all, undo)
        self.watch_file(hub, outer.fd, EVENT_READ, outer.callback(), undo)
        # The listener would keep the greenlet alive that happened to be the first to wait.
        hub.listeners[hub.READ][outer.fd].greenlet = hub.greenlet

    def watch_anew(self, hub: Any, outer: Outer, is_needed: bool) -> None:
        # eventlet keeps using the parent's epoll.  Whatever either process registers there wakes
        # the other one too.  So the child's hub gets its own epoll, with the same listeners.
        if hub is not self.hub_if_any():
            return  # another thread's hub, or one that use_hub() has replaced: nobody runs it
        if hasattr(getattr(hub, "poll", None), "fromfd"):
            self._give_own_epoll(hub)
            for fd in {*hub.listeners[hub.READ], *hub.listeners[hub.WRITE]}:
                try:
                    hub.register(fd, new=True)
                except OSError:
                    continue  # closed while watched
        elif hasattr(hub, "kqueue"):
            # A kqueue is not inherited.  Its number may be ours now, and eventlet would close it.
            _owned.abandon(hub.kqueue)
            hub._init_kqueue()
            for events in list(hub._events.values()):
                for event in list(events.values()):
                    try:
                        hub.kqueue.control([event], 0, 0)
                    except OSError:
                        continue
        elif hasattr(hub, "loop"):  # asyncio's hub; there is no public way to do this
            loop = hub.loop
            parents, loop._selector = loop._selector, type(loop._selector)()
            for key in list(parents.get_map().values()):
                try:
                    loop._selector.register(key.fileobj, key.events, key.data)
                except OSError:
                    continue
            parents.close()

    @staticmethod
    def _give_own_epoll(hub: Any) -> None:
        fresh = _unpatched.epoll()
        if not hub.poll.closed and is_epoll(hub.poll.fileno()):
            # Under its number, as a signal handler may have forked in the middle of a call.
            system.dup2(fresh.fileno(), hub.poll.fileno(), False)
            fresh.close()
        else:
            _owned.abandon(hub.poll)  # the number is somebody else's
            hub.poll = fresh

    def watch_file(
        self,
        hub: Any,
        fd: int,
        events: int,
        callback: Callable[..., None],
        undo: List[Callable[[], None]],
    ) -> None:
        def end() -> None:
            for direction in (hub.READ, hub.WRITE):
                listener = hub.listeners[direction].get(fd)
                if listener is not None:
                    hub.remove(listener)

        undo.append(end)  # eventlet keeps the listener even where the kernel refused the file
        for event, direction in ((EVENT_READ, hub.READ), (EVENT_WRITE, hub.WRITE)):
            if events & event:
                hub.add(direction, fd, callback, _nothing, _nothing)

    def report(self, hub: Any, culprit: Any, *exc_info: Any) -> None:
        # If an exception left our callback, eventlet would drop the listener.
        if hub is None:
            return
        if culprit is None or isinstance(exc_info[1], hub.SYSTEM_EXCEPTIONS):
            hub.greenlet.parent.throw(*exc_info)
        else:
            hub.squelch_generic_exception(exc_info)


adapter = EventletHub()
