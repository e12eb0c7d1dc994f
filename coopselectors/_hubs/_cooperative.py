"""How does one greenlet wait for a poller while its hub and all others run on?

Yield once, then collect: a select that finds something at once must still let others run, and
what it reports must be true when it returns, not before the others ran.  If there is nothing,
sleep in the hub until the poller's descriptor is readable, and collect again.  Collecting never
blocks, and every answer comes from the kernel at the moment of returning, so a wake-up needs no
message: one that comes too early, too late or from a stranger costs a look and no more.
"""

from __future__ import annotations

import errno
import math
import time
from abc import abstractmethod
from functools import partial
from typing import Any, Callable, ClassVar, List, Optional

from greenlet import getcurrent

from .. import _originals
from .._pollers import Pair, Poller
from ._base import Hub
from ._ends import Tenancy, of_this_thread
from ._nest import Nest, Seat, open_nest

# The attribute of a hub that holds its nest.  It is kept there, and in no table of ours, so that it
# belongs to one hub, and thereby to one thread, and goes when the hub goes.
_NEST = "_coopselectors_nest"

# No single timer is longer than a day; the deadline decides, not the timer.
_LONGEST = 86400.0


class CooperativeHub(Hub):
    """What the adapters for greenlet hubs share.

    `hub` in the signatures is the runtime's own hub object, of the calling thread.
    """

    #: A variable of which each real thread has its own, whatever is patched.
    thread_local: ClassVar[Any]

    @abstractmethod
    def hub(self) -> Any:
        """The calling thread's hub, made if there is none."""

    @abstractmethod
    def greenlet(self, hub: Any) -> Any:
        """The greenlet in which `hub` runs, and which must never block."""

    @abstractmethod
    def refuse_to_block(self, hub: Any) -> None:
        """Raise what this runtime raises when the hub's own greenlet tries to block."""

    @abstractmethod
    def yield_once(self, hub: Any) -> None:
        """Let everybody else who can run do so, once."""

    @abstractmethod
    def sleep(self, hub: Any, seconds: Optional[float]) -> None:
        """Sleep until somebody switches here, or for `seconds` (None: for ever)."""

    @abstractmethod
    def call_soon(self, hub: Any, function: Callable[[], None]) -> None:
        """Have the hub call `function` at its next turn; any thread may ask, if the hub allows."""

    @abstractmethod
    def has_ended(self, hub: Any) -> bool:
        """Whether `hub` has been destroyed."""

    @abstractmethod
    def watch(self, hub: Any, nest: Nest) -> Callable[[], None]:
        """Have `nest.on_ready` called whenever `nest.fd`, if any, is readable.

        Returns what ends that, also if the hub has ended before.
        """

    @abstractmethod
    def watch_anew(self, hub: Any) -> None:
        """In a forked child: have the hub see that `nest.fd` names another kernel object."""

    @abstractmethod
    def hold(self, nest: Nest) -> None:
        """Somebody waits in `nest`: its hub may not end."""

    @abstractmethod
    def release(self, nest: Nest) -> None:
        """Nobody waits in `nest` any more: its hub may end as if the nest were not there."""

    @abstractmethod
    def watch_file(
        self, hub: Any, fd: int, events: int, callback: Callable[..., None]
    ) -> Callable[[], None]:
        """Have `callback` called when `fd`, which must be ours, is ready; return what ends that."""

    @abstractmethod
    def report(self, hub: Any, culprit: Any, *exc_info: Any) -> None:
        """Tell of an exception that nobody caught, the way this runtime does.

        `culprit` is what raised it; None if it came out of nowhere, as from a signal handler.
        """

    def wait(self, poller: Poller, timeout: Optional[float]) -> List[Pair]:
        hub = self.hub()
        if getcurrent() is self.greenlet(hub):
            if timeout != 0:
                self.refuse_to_block(hub)
            return poller.poll(0)
        deadline = None if timeout is None else time.monotonic() + timeout
        self.yield_once(hub)
        slept = False
        while True:
            pairs = poller.poll(0)
            if pairs or timeout == 0:
                return pairs
            if slept and poller.woken_in_vain():
                slept = False
                continue
            seconds = None
            if deadline is not None:
                seconds = deadline - time.monotonic()
                if seconds <= 0:
                    return pairs
                # Up to the next millisecond, like the standard module: some loops count so.
                seconds = min(math.ceil(seconds * 1e3) * 1e-3, _LONGEST)
            self._sleep_until_ready(hub, poller, seconds)
            slept = True

    def _sleep_until_ready(self, hub: Any, poller: Poller, seconds: Optional[float]) -> None:
        nest = getattr(hub, _NEST, None) or self._open_nest(hub)
        seat = nest.threshold or nest.seat(poller)
        if seat is not None:
            self._sleep_on(hub, seat, seconds)
        else:
            self._sleep_on_files(hub, nest, poller, seconds)

    def _sleep_on(self, hub: Any, seat: Seat, seconds: Optional[float]) -> None:
        current = getcurrent()
        nest = seat.nest
        if not nest.waiting:
            self.hold(nest)
        nest.waiting += 1
        seat.waiting[current] = None
        try:
            if not seat.stale:  # asked for after the line above, see KernelNest.wake_soon
                self.sleep(hub, seconds)
        finally:
            del seat.waiting[current]
            nest.waiting -= 1
            if not nest.waiting:
                self.release(nest)

    def _sleep_on_files(
        self, hub: Any, nest: Nest, poller: Poller, seconds: Optional[float]
    ) -> None:
        """The kernel would not have `poller` in the nest: watch its files, each by itself.

        The hub is given duplicates, which nobody else knows of and so nobody can close.
        """
        seat = Seat(nest)
        undo: List[Callable[[], None]] = []
        poller.loose[seat] = None
        try:
            for fd, key in list(poller.keys.items()):
                try:
                    duplicate = _originals.dup(fd)
                except OSError as error:
                    if error.errno != errno.EBADF:
                        raise
                    continue  # closed while registered: nothing more will come of it
                undo.append(partial(_originals.close, duplicate))
                undo.append(self.watch_file(hub, duplicate, key.events, seat.wake))
            self._sleep_on(hub, seat, seconds)
        finally:
            del poller.loose[seat]
            while undo:
                undo.pop()()

    def _open_nest(self, hub: Any) -> Nest:
        nest = open_nest(self, hub)
        try:
            end = self.watch(hub, nest)
        except BaseException:
            nest.close()
            raise
        setattr(hub, _NEST, nest)

        def unwatch() -> None:
            end()
            delattr(hub, _NEST)  # what is left of a hub may stay for ever

        of_this_thread(self.thread_local).add(Tenancy(nest, partial(self.has_ended, hub), unwatch))
        return nest
