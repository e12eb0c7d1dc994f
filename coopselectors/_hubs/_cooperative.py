"""How does one greenlet wait for a poller while its hub and all others run on?

Yield once, then collect: a select that finds something at once must still let others run, and
what it reports must be true when it returns, not before the others ran.  If there is nothing,
sleep in the hub until the poller's descriptor is readable, and collect again; who had to sleep
lately begins with that, for it lets others run as well.  Collecting never blocks, and every answer
comes from the kernel at the moment of returning, so a wake-up needs no message: one that comes too
early, too late or from a stranger costs a look and no more.
"""

from __future__ import annotations

import errno
import math
import time
from abc import abstractmethod
from functools import partial
from typing import Any, Callable, ClassVar, List, Optional, Set

from greenlet import getcurrent

from .. import _unpatched
from .._pollers import Pair, Waitable
from ._base import Hub
from ._deputy import Errand, office
from ._ends import Tenancy, of_this_thread
from ._nest import Nest, Pulse, Seat, open_nest

# The attribute of a hub that holds its nest.  It is kept there, and in no table of ours, so that it
# belongs to one hub, and thereby to one thread, and goes when the hub goes.
_NEST = "_coopselectors_nest"

# No single timer is longer than a day; the deadline decides, not the timer.
_LONGEST = 86400.0

# How many waits go straight to sleep after one that had to sleep in the end.  Whoever waits for the
# network is spared a look and a switch each time, a quarter of what a wait costs under gevent.
_SLEEPY = 32

# Seconds until a file is looked at again of which the hub and the primitive say different things.
_SECOND_LOOK = 0.02


class CooperativeHub(Hub):
    """What the adapters for greenlet hubs share.

    `hub` in the signatures is the runtime's own hub object, of the calling thread; its ``switch()``
    lets it run until it, or a callback of its, switches back.
    """

    #: ``_thread.start_new_thread``, which starts a real thread, whatever is patched.
    start_thread: ClassVar[Callable[..., Any]]
    #: ``_thread.allocate_lock``, likewise.
    allocate_lock: ClassVar[Callable[..., Any]]

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
    def sleep_at_most(self, hub: Any, seconds: float) -> None:
        """Sleep until somebody switches here, or for `seconds`."""

    @abstractmethod
    def call_soon(self, hub: Any, function: Callable[[], None]) -> None:
        """Have the hub call `function` at its next turn; any thread may ask, if the hub allows."""

    @abstractmethod
    def has_ended(self, hub: Any) -> bool:
        """Whether `hub` has been destroyed."""

    @abstractmethod
    def watch(self, hub: Any, nest: Nest) -> Callable[[], None]:
        """Have `nest.on_ready` called whenever `nest.fd`, if any, is readable.

        Returns what ends that, also if the hub has ended before.  If the hub would end by itself,
        it may not while ``nest.watcher.ref`` is true.
        """

    @abstractmethod
    def watch_anew(self, hub: Any) -> None:
        """In a forked child: have the hub see that `nest.fd` names another kernel object."""

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

    def wait(
        self, poller: Waitable, timeout: Optional[float], deadline: Optional[float]
    ) -> List[Pair]:
        hub = self.hub()
        if getcurrent() is self.greenlet(hub):
            if timeout != 0:
                self.refuse_to_block(hub)
            return poller.poll(0)
        pairs: Optional[List[Pair]] = None
        if timeout == 0 or not poller.sleepy or self.owes_a_turn or poller.must_not_sleep():
            self.yield_once(hub)
            pairs = poller.poll(0)
            if pairs or timeout == 0:
                return pairs
            poller.sleepy = _SLEEPY if poller.seats else 0
        else:  # a sleep lets others run, too, and ends at once if something is ready
            poller.sleepy -= 1
        patience = poller.prepare_to_sleep()
        while True:
            seconds = patience
            if deadline is not None:
                rest = deadline - time.monotonic()
                if rest <= 0:
                    if pairs is not None:
                        return pairs
                    rest = 0.0
                # Up to the next millisecond, like the standard module: some loops count so.
                seconds = min(math.ceil(rest * 1e3) * 1e-3, patience or _LONGEST)
            nest = self._sleep_until_ready(hub, poller, seconds, pairs is not None)
            pairs = poller.poll(0)
            if not pairs and poller.woken_in_vain():
                pairs = poller.poll(0)
            if pairs:
                return pairs
            nest.trust = 0
            if patience is not None:
                patience = poller.prepare_to_sleep(again=True)

    def pulse(self) -> Pulse:
        """What the calling thread's hub can be asked by whether it still turns."""
        hub = self.hub()
        return Pulse(getattr(hub, _NEST, None) or self._open_nest(hub))

    def _sleep_until_ready(
        self, hub: Any, poller: Waitable, seconds: Optional[float], has_looked: bool
    ) -> Nest:
        nest: Nest = getattr(hub, _NEST, None) or self._open_nest(hub)
        seat = nest.threshold or nest.seat(poller)
        if seat is not None:
            self._sleep_on(hub, seat, seconds)
        elif poller.needs_thread:
            self._sleep_beside_a_thread(hub, nest, poller, seconds)
        elif has_looked:
            self._sleep_on_files(hub, nest, poller, seconds)
        else:  # a regular file is always ready, and no hub may be given one
            self.yield_once(hub)
        return nest

    def _sleep_on(self, hub: Any, seat: Seat, seconds: Optional[float]) -> None:
        current = getcurrent()
        nest = seat.nest
        if not nest.waiting:
            nest.watcher.ref = True
        nest.waiting += 1
        nest.latest = seat
        seat.waiting[current] = None
        try:
            if not seat.stale:  # asked for after the line above, see KernelNest.wake_soon
                if seconds is None:
                    hub.switch()
                else:
                    self.sleep_at_most(hub, seconds)
        finally:
            del seat.waiting[current]
            nest.waiting -= 1
            if not nest.waiting:
                nest.watcher.ref = False

    def _sleep_beside_a_thread(
        self, hub: Any, nest: Nest, poller: Waitable, seconds: Optional[float]
    ) -> None:
        seat = Seat(nest)
        errand = Errand(poller, seconds, seat)
        office.begin(errand, self.start_thread, self.allocate_lock)
        try:
            while not errand.is_over:
                self._sleep_on(hub, seat, None)
        except BaseException:
            office.call_back(errand)
            raise
        poller.put_back(errand.pairs)

    def _sleep_on_files(
        self, hub: Any, nest: Nest, poller: Waitable, seconds: Optional[float]
    ) -> None:
        """The kernel would not have `poller` in the nest: watch its files, each by itself.

        The hub is given duplicates, which nobody else knows of and so nobody can close.
        """
        seat = Seat(nest)
        if poller.has_extras and (seconds is None or seconds > _SECOND_LOOK):
            seconds = _SECOND_LOOK  # there is no asking a hub for anything but READ and WRITE
        poller.loose[seat] = None
        told: Set[int] = set()
        try:
            if poller.closed:  # asked for after the line above, see `Poller._close`
                return
            end = math.inf if seconds is None else time.monotonic() + seconds
            self._sleep_on_each(hub, poller, seat, told, seconds)
            end = min(end, time.monotonic() + _SECOND_LOOK)
            known = 0
            while len(told) > known:
                pairs = poller.poll(0)
                if pairs:
                    poller.put_back(pairs)
                    break
                # A hang-up, say, that select(2) does not report to who asked for writing only, or
                # a file of whose changes alone we are told: to watch that one on would be to spin.
                known = len(told)
                rest = max(end - time.monotonic(), 1e-3)  # libuv has no shorter timer
                self._sleep_on_each(hub, poller, seat, told, rest)
        finally:
            del poller.loose[seat]

    def _sleep_on_each(
        self, hub: Any, poller: Waitable, seat: Seat, told: Set[int], seconds: Optional[float]
    ) -> None:
        """Sleep until a file that is not in `told` is ready, and note there which."""
        undo: List[Callable[[], None]] = []

        def wake(fd: int, *_: Any) -> None:
            told.add(fd)
            seat.wake()

        try:
            for fd, key in list(poller.keys.items()):
                if fd in told or not key.events:
                    continue
                try:
                    duplicate = _unpatched.dup(fd)
                except OSError as error:
                    if error.errno != errno.EBADF:
                        raise
                    continue  # closed while registered: nothing more will come of it
                undo.append(partial(_unpatched.close, duplicate))
                undo.append(self.watch_file(hub, duplicate, key.events, partial(wake, fd)))
            self._sleep_on(hub, seat, seconds)
        finally:
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
