"""gevent, with its libev and its libuv loop.

Written against the sources of gevent 26.7 and 26.9.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from gevent import get_hub
from gevent._hub_local import get_hub_if_exists
from gevent.monkey import get_original
from greenlet import getcurrent

from ._cooperative import CooperativeHub
from ._nest import Nest

_READ = 1


class GeventHub(CooperativeHub):
    name = "gevent"
    thread_local = get_original("_thread", "_local")()

    def describe(self) -> str:
        hub = get_hub_if_exists()
        if hub is None or hub.loop is None:
            return "a gevent hub that is not started yet"
        kind = type(hub.loop)
        return f"{kind.__module__}.{kind.__qualname__}, backend {hub.loop.backend}"

    def hub(self) -> Any:
        return get_hub()

    def greenlet(self, hub: Any) -> Any:
        return hub

    def refuse_to_block(self, hub: Any) -> None:
        hub.switch()  # raises BlockingSwitchOutError

    def yield_once(self, hub: Any) -> None:
        callback = hub.loop.run_callback(getcurrent().switch)
        try:
            hub.switch()
        finally:
            callback.stop()

    def sleep(self, hub: Any, seconds: Optional[float]) -> None:
        if seconds is None:
            hub.switch()
        else:
            self._sleep_at_most(hub, seconds)

    def _sleep_at_most(self, hub: Any, seconds: float) -> None:
        timer = hub.loop.timer(seconds)
        # The loop's idea of the time is as old as its last turn: without the update it is early.
        timer.start(getcurrent().switch, update=True)
        try:
            hub.switch()
        finally:
            timer.stop()
            timer.close()

    def call_soon(self, hub: Any, function: Callable[[], None]) -> None:
        hub.loop.run_callback_threadsafe(function)

    def has_ended(self, hub: Any) -> bool:
        return hub.loop is None

    def watch(self, hub: Any, nest: Nest) -> Callable[[], None]:
        # Without a kernel object there is only something to hold: nobody sends to it.
        watcher = hub.loop.async_() if nest.fd is None else hub.loop.io(nest.fd, _READ)
        watcher.start(nest.on_ready)
        # libuv's loop hands out a front; what counts as a reference is the handle behind it.
        nest.watcher = getattr(watcher, "_watcher_ref", watcher)
        self.release(nest)
        loop = hub.loop

        def end() -> None:
            if loop.ptr:
                watcher.stop()
                watcher.close()
            else:
                watcher.callback = None  # a destroyed loop stops nothing, and lets go of nothing

        return end

    def watch_anew(self, hub: Any) -> None:
        """gevent's loop takes in all that its watchers name when it is re-initialised."""

    def hold(self, nest: Nest) -> None:
        nest.watcher.ref = True

    def release(self, nest: Nest) -> None:
        nest.watcher.ref = False

    def watch_file(
        self, hub: Any, fd: int, events: int, callback: Callable[..., None]
    ) -> Callable[[], None]:
        watcher = hub.loop.io(fd, events)  # gevent's numbers for read and write are the same
        watcher.start(callback)

        def end() -> None:
            watcher.stop()
            watcher.close()

        return end

    def report(self, hub: Any, culprit: Any, *exc_info: Any) -> None:
        # Without a culprit, gevent raises it in the main greenlet.
        hub.handle_error(culprit, *exc_info)


adapter = GeventHub()
