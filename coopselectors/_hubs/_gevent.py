"""gevent, with its libev and its libuv loop.

Written against the sources of gevent 26.7 and 26.9.
"""

from __future__ import annotations

import sys
from typing import Any, Callable, List, Optional, Tuple

from gevent import get_hub
from gevent.monkey import get_original
from greenlet import getcurrent

from ._cooperative import NEST, CooperativeHub
from ._nest import Nest

_READ = 1


class _Nests:
    """The nests of one thread's hubs, which are not told when they are destroyed.

    gevent's hub object outlives its ``destroy()``, and an active watcher outlives even its loop.
    So what they hold of ours is given back when the thread gets another hub, or ends.
    """

    def __init__(self) -> None:
        self._nests: List[Tuple[Any, Any, Nest, Any]] = []

    def add(self, hub: Any, nest: Nest, watcher: Any) -> None:
        self._give_back(only_destroyed=True)
        self._nests.append((hub, hub.loop, nest, watcher))

    def __del__(self) -> None:
        if not sys.is_finalizing():
            self._give_back(only_destroyed=False)

    def _give_back(self, only_destroyed: bool) -> None:
        for entry in tuple(self._nests):
            hub, loop, nest, watcher = entry
            if only_destroyed and hub.loop is not None:
                continue
            self._nests.remove(entry)
            if loop.ptr:
                watcher.stop()
                watcher.close()
            else:
                watcher.callback = None
            vars(hub).pop(NEST, None)
            nest.close()


_local = get_original("_thread", "_local")()


def _of_this_thread() -> _Nests:
    if not hasattr(_local, "nests"):
        _local.nests = _Nests()
    nests: _Nests = _local.nests
    return nests


class GeventHub(CooperativeHub):
    name = "gevent"

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

    def watch(self, hub: Any, nest: Nest) -> None:
        # Without a kernel object there is only something to hold: nobody sends to it.
        watcher = hub.loop.async_() if nest.fd is None else hub.loop.io(nest.fd, _READ)
        watcher.start(nest.on_ready)
        _of_this_thread().add(hub, nest, watcher)
        # libuv's loop hands out a front; what counts as a reference is the handle behind it.
        nest.watcher = getattr(watcher, "_watcher_ref", watcher)
        self.release(nest)

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
