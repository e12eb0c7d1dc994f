"""gevent, with its libev and its libuv loop.

Written against the sources of gevent 26.7 and 26.9.
"""

from __future__ import annotations

import errno
import sys
from functools import partial
from typing import Any, Callable, List

import gevent.os
from gevent import config, get_hub
from gevent._hub_local import get_hub_if_exists
from gevent.hub import Waiter
from gevent.monkey import get_original

from .. import _unpatched
from .._pollers._duplicates import is_epoll
from .._unpatched import clock
from ._cooperative import CooperativeHub
from ._waiters import Outer

_READ = 1

# Files that gevent's os.close has not closed yet (since 25.8).  It closes them in a turn of the
# loop, and an idle libev loop never turns (seen in 26.9).
_put_off = getattr(gevent.os, "_closing_fd_to_event", ())

# Seconds for which a greenlet may select again and again before the loop takes a whole turn; until
# then, no timer and no file wakes anybody.  gevent itself switches between greenlets without a turn
# for 25 times as long (seen in 26.9).
_TURN_INTERVAL = sys.getswitchinterval() / 25

# Seconds until a greenlet is woken again that was in a signal handler.
_PAUSE = 0.001

# libuv does not say which callbacks are pending.
_says_what_is_pending = "libuv" not in config.loop.__module__


class GeventHub(CooperativeHub):
    name = "gevent"
    thread_local = get_original("_thread", "_local")()
    start_thread = staticmethod(get_original("_thread", "start_new_thread"))

    def __init__(self) -> None:
        super().__init__()
        self.needs_a_turn = _put_off

    def describe(self) -> str:
        hub = get_hub_if_exists()
        if hub is None or hub.loop is None:
            return "a gevent hub that is not started yet"
        kind = type(hub.loop)
        return f"{kind.__module__}.{kind.__qualname__}, backend {hub.loop.backend}"

    hub_if_any = staticmethod(get_hub_if_exists)

    hub = staticmethod(get_hub)

    def greenlet(self, hub: Any) -> Any:
        return hub

    def refuse_to_block(self, hub: Any) -> None:
        hub.switch()  # raises BlockingSwitchOutError

    def yield_once(self, hub: Any) -> None:
        now = clock.monotonic()
        try:
            is_due = now >= hub._coopselectors_due
        except AttributeError:  # this hub's first time
            is_due = True
        if is_due:
            hub._coopselectors_due = now + _TURN_INTERVAL
            self.sleep_at_most(hub, 0)
        else:
            loop = hub.loop
            # Between two turns of the loop, only what is in its queues already can run.
            if not _says_what_is_pending or loop._callbacks or loop.pendingcnt:
                self._let_queued_run(hub, loop)
        if _put_off:  # perhaps by a greenlet that ran just now
            self.sleep_at_most(hub, 0)

    def _let_queued_run(self, hub: Any, loop: Any) -> None:
        """Let those run that wait for no turn of the loop."""
        waiter = Waiter(hub)
        callback = loop.run_callback(waiter.switch, None)
        try:
            waiter.get()
        finally:
            callback.stop()

    def sleep_at_most(self, hub: Any, seconds: float) -> None:
        # The waiter switches only to a greenlet that waits in it, not to a signal handler that
        # waits elsewhere.
        waiter = Waiter(hub)
        timer = hub.loop.timer(seconds)
        try:
            try:
                # The loop's time is that of its last turn; without the update, the timer would be
                # early.
                timer.start(waiter.switch, None, update=True)
                waiter.get()
            finally:
                timer.close()
        finally:
            timer.close()  # see `_end`

    def call_soon(self, hub: Any, function: Callable[[], None]) -> None:
        try:
            hub.loop.run_callback_threadsafe(function)
        except (AttributeError, ValueError):
            if hub is not None and hub.loop is not None and hub.loop.ptr:
                raise
            # Another thread's hub, which has just been destroyed: nobody waits there any more.

    def retry_soon(self, hub: Any, outer: Outer) -> None:
        loop = hub.loop
        if loop is None:
            return  # it has just been destroyed
        timers = outer.timers
        if timers and timers[0].active:
            return
        outer.end_timers = partial(_end, loop, timers)
        outer.end_timers()  # libev would not wait with one that has fired before
        timers.append(loop.timer(_PAUSE))
        timers[0].start(outer.retry, None, update=True)

    def others_are_due(self, hub: Any) -> bool:
        # libuv gains nothing from a chain of wake-ups; see `OuterPoller`.
        loop = hub.loop
        return not _says_what_is_pending or loop is None or bool(loop._callbacks)

    def has_ended(self, hub: Any) -> bool:
        return hub.loop is None

    def watch(self, hub: Any, outer: Outer) -> None:
        if not _has_its_epoll(hub.loop):
            # libev would abort the process at the next start of any watcher.
            raise OSError(
                errno.EBADF,
                "the descriptor of gevent's loop was closed; gevent.reinit() or a new hub opens "
                "another",
            )
        loop = hub.loop
        made: List[Any] = []
        outer.unwatch = partial(_end, loop, made)
        # Without a kernel object, this watcher only keeps the loop alive: nobody sends to it.
        made.append(loop.async_() if outer.fd is None else loop.io(outer.fd, _READ))
        watcher = made[0]
        watcher.start(outer.callback(), None)
        # libuv's loop hands out a front; what counts as a reference is the handle behind it.
        outer.watcher = getattr(watcher, "_watcher_ref", watcher)
        outer.watcher.ref = False

    def watch_anew(self, hub: Any, outer: Outer, is_needed: bool) -> None:
        # gevent's loop adds whatever its watchers name when it is reinitialized.  It aborts if a
        # descriptor is closed by then, and many children close all that they have.
        if not is_needed:
            self.forget(hub, outer)
        elif not _says_what_is_pending and hub is get_hub_if_exists():
            # libuv would go on with the parent's kernel object if gevent does not know of the fork.
            hub.loop.reinit()

    def watch_file(
        self,
        hub: Any,
        fd: int,
        events: int,
        callback: Callable[..., None],
        undo: List[Callable[[], None]],
    ) -> None:
        made: List[Any] = []
        undo.append(partial(_end, hub.loop, made))
        made.append(hub.loop.io(fd, events))  # gevent's numbers for read and write are the same
        made[0].start(callback, None)

    def report(self, hub: Any, culprit: Any, *exc_info: Any) -> None:
        # Without a culprit, gevent raises it in the main greenlet.
        if hub is not None:
            hub.handle_error(culprit, *exc_info)


def _end(loop: Any, watchers: List[Any]) -> None:
    """Close these watchers of a loop, and forget those that are closed.

    Each must be closed, whatever a signal handler raises.  libuv goes on using the memory of one
    that was freed without that, and the process is killed or hangs (seen in gevent 26.9).
    """
    while watchers:
        if loop.ptr:
            watchers[-1].stop()
            watchers[-1].close()
        else:
            watchers[-1].callback = None  # a destroyed loop stops and frees nothing
        watchers.pop()


def _has_its_epoll(loop: Any) -> bool:
    """Whether libev's epoll, if it has one, is still that."""
    if loop.backend != "epoll" or not _says_what_is_pending or _unpatched.epoll is None:
        return True
    return is_epoll(loop.fileno(), or_outer=False)


adapter = GeventHub()
