"""How do many waiting selectors share the one descriptor that a hub watches?

A hub is never given a user's file, nor a selector's own epoll: the event loops make their
``epoll_ctl`` later, on their own, and abort the process when the kernel refuses it.  What it is
given is the descriptor of a nest: one more kernel object of ours, one per hub, that holds the
kernel objects of the selectors that are waited for.  Every ``epoll_ctl`` that can fail is then
made by us, where failing is an ordinary OSError.

**The nest is taken in by the loop while it is empty, and stays.**  Adding an epoll to an epoll
makes the kernel walk all that hangs below it, and limits how many ways may lead to one file: 500
of two levels, 100 of three.  libev and libuv add a watcher's descriptor at their next turn and
call ``abort()`` when that fails (seen in gevent 26.9).  So the watcher is started while there is
nothing in the nest but the doorbell, no selector is let in before it has fired once, and it is
never stopped, for starting it again would be an addition with content.

**A selector that nobody waits for is muted, not taken out.**  Readiness is level-triggered: a ready
selector that nobody collects from would make the hub spin.  Muting (``EPOLL_CTL_MOD`` to no events)
costs the same however many files the selector has; adding it anew would not.
"""

from __future__ import annotations

import sys
from collections import deque
from functools import partial
from selectors import EVENT_READ
from types import SimpleNamespace
from typing import Any, Callable, Deque, Dict, Optional, Protocol

from .. import _fork
from .._pollers import Poller, Waitable, doorbell, open_pollable

# How often a nest with one who waits may be taken for ready because of that one, until it is asked
# again: somebody may have rung the bell, or a seat may have to be muted.
_TRUST = 32


class Keeper(Protocol):
    """What a nest asks of its hub's adapter; `CooperativeHub` says what each does."""

    def call_soon(self, hub: Any, function: Callable[[], None]) -> None: ...

    def report(self, hub: Any, culprit: Any, *exc_info: Any) -> None: ...

    def watch_anew(self, hub: Any) -> None: ...


class Seat:
    """A poller's place in a nest, and the greenlets that wait on it there."""

    __slots__ = ("fd", "muted", "nest", "stale", "waiting")

    def __init__(self, nest: Nest, fd: int = -1) -> None:
        self.nest: Nest = nest
        self.fd: int = fd
        self.muted: bool = False
        #: Something has happened since the seat was taken: look again, and do not sleep here.
        self.stale: bool = False
        #: {greenlet: None}, in the order of their coming.  Only a greenlet itself, on its way into
        #: and out of the hub, writes here; nobody may switch to one that is not in it.
        self.waiting: Dict[Any, None] = {}

    def wake(self, *_: Any) -> None:
        """Switch to each greenlet that waits here.  Only the hub may call this."""
        for greenlet in tuple(self.waiting):
            if greenlet in self.waiting:  # an earlier one may have killed it
                try:
                    greenlet.switch()
                except BaseException:
                    self.nest.report(greenlet, *sys.exc_info())


class Pulse(Seat):
    """Nobody's seat: it counts how often its hub has answered."""

    __slots__ = ("answers",)

    def __init__(self, nest: Nest) -> None:
        super().__init__(nest)
        self.answers: int = 0
        self.waiting[None] = None

    def ask(self) -> None:
        """Have the hub answer at its next turn.  Any thread may call this."""
        self.nest.wake_soon(self)

    def wake(self, *_: Any) -> None:
        self.answers += 1


class Nest:
    """Who waits in one hub, where no kernel object can be nested (Windows, Solaris).

    `hub` is the runtime's own object, and `keeper` the adapter that knows how to talk to it.
    """

    #: What the hub has to watch, if anything.
    fd: Optional[int] = None
    #: Where greenlets wait until the hub has taken the nest in; None once it has.
    threshold: Optional[Seat] = None

    def __init__(self, keeper: Keeper, hub: Any) -> None:
        self._keeper = keeper
        self._hub = hub
        self.report: Callable[..., None] = partial(keeper.report, hub)
        #: The hub is no more.
        self.gone: bool = False
        #: How many greenlets sleep on any seat here.
        self.waiting: int = 0
        #: The seats of those for whom a thread waits, which a forked child does not have.
        self.guests: Dict[Seat, None] = {}
        #: The seat that somebody sat down on last.
        self.latest: Seat = Seat(self)
        #: How often `on_ready` may still take it for granted that this is the one to wake.
        self.trust: int = 0
        #: Its ``ref`` is true while somebody waits: the hub may not end then.
        self.watcher: Any = SimpleNamespace()

    def seat(self, poller: Waitable) -> Optional[Seat]:
        """A seat for `poller`, listened to; None if it has to be watched file by file."""
        return None

    def wake_soon(self, seat: Seat) -> None:
        """Have who waits on `seat`, or is about to, look again.  Any thread may call this."""
        seat.stale = True
        self._keeper.call_soon(self._hub, seat.wake)

    def on_ready(self, *_: Any) -> None:
        """The hub calls this when `fd` is readable."""

    def close(self) -> None:
        """The hub is no more, and nobody watches `fd`: give back what is ours."""
        self.gone = True


class KernelNest(Nest):
    """One hub's kernel object, and the selectors in it; see the top of this file."""

    def __init__(self, poller: Poller, seats: Dict[int, Seat], keeper: Keeper, hub: Any) -> None:
        super().__init__(keeper, hub)
        self._poller = poller
        self._seats = seats  # {fd of a poller in the nest: its seat}
        self.fd = poller.wait_fd()
        self.threshold = Seat(self)
        self._to_wake: Deque[Seat] = deque()
        poller.register(doorbell(), EVENT_READ)
        _fork.tell(self)

    def seat(self, poller: Waitable) -> Optional[Seat]:
        seat = poller.seats.get(self)
        if seat is not None and seat.muted and not self._unmute(seat):
            poller.leave(self)
            seat = None
        if seat is None:
            epoch = poller.epoch
            fd = None if poller.refused or poller.needs_thread else poller.wait_fd()
            if fd is None:
                return None
            try:
                self._poller.register(fd, EVENT_READ)
            except OSError:
                poller.withdraw()
                return None
            for nest in tuple(poller.seats):
                if nest.gone:  # a selector may outlive many threads, each with a hub of its own
                    poller.seats.pop(nest, None)
            seat = self._seats[fd] = poller.seats[self] = Seat(self, fd)
            if poller.epoch is not epoch:  # another thread has closed it, or has put it elsewhere
                poller.leave(self)
        return seat

    def leave(self, seat: Seat) -> None:
        """Take a seat away and wake who waits on it.  Any thread may call this."""
        if self._seats.pop(seat.fd, None) is not None:
            try:
                self._poller.unregister(seat.fd, 0 if seat.muted else EVENT_READ)
            except ValueError:
                if not self.gone:  # else its own thread has just closed it
                    raise
        self.wake_soon(seat)

    def wake_soon(self, seat: Seat) -> None:
        # Not through the hub's own call_soon: eventlet has none that another thread may use.
        # First the mark, then the look: a greenlet of another thread does it the other way about.
        seat.stale = True
        if seat.waiting and not self.gone:
            self._to_wake.append(seat)
            self._ring()

    def on_ready(self, *_: Any) -> None:
        try:
            if self.trust and self.waiting == 1 and self.latest.waiting:
                self.trust -= 1
                self.latest.wake()
                return
            self.trust = _TRUST
            for fd, _mask in self._poller.poll(0):
                seat = self._seats.get(fd)
                if seat is not None and seat.waiting:
                    seat.wake()
                elif seat is not None:
                    self._mute(seat)
                elif fd == doorbell():
                    self._answer_doorbell(fd)
        except BaseException:
            self.report(None, *sys.exc_info())

    def forked(self) -> None:
        """This is a forked child: start anew, empty, behind the descriptor that the hub knows.

        Now, and not later: the loop is about to take in whatever its watchers name.
        """
        if self.gone:
            return
        seats = (*self._seats.values(), *self.guests)
        self._to_wake.extend(seat for seat in seats if seat.waiting)
        self.guests.clear()
        self._seats.clear()
        if self.threshold is None:
            self.threshold = Seat(self)
        self._poller.reopen_in_place()
        self._poller.register(doorbell(), EVENT_READ)
        self._keeper.watch_anew(self._hub)

    def close(self) -> None:
        super().close()
        self._seats.clear()
        self._poller.close()

    def _mute(self, seat: Seat) -> None:
        seat.muted = True
        try:
            self._poller.modify(seat.fd, 0, EVENT_READ)
        except OSError:
            pass  # another thread has just closed its selector

    def _unmute(self, seat: Seat) -> bool:
        try:
            self._poller.modify(seat.fd, EVENT_READ, 0)
        except OSError:
            return False
        seat.muted = False
        return True

    def _ring(self) -> None:
        try:
            self._poller.register(doorbell(), EVENT_READ)
        except OSError:
            # No memory for it.  The hub's own way is as good for its own thread.
            self._keeper.call_soon(self._hub, self._answer)
        except ValueError:
            if not self.gone:  # else its own thread has just closed it
                raise

    def _answer_doorbell(self, fd: int) -> None:
        # First out, then look: who rings from now on rings anew.
        self._poller.unregister(fd, EVENT_READ)
        self._answer()

    def _answer(self) -> None:
        if self.threshold is not None:
            self._to_wake.append(self.threshold)
            self.threshold = None
        try:
            while self._to_wake:
                self._to_wake[0].wake()
                self._to_wake.popleft()
        finally:
            if self._to_wake:  # an exception is on its way out of the hub
                self._ring()


def open_nest(keeper: Keeper, hub: Any) -> Nest:
    """The best kind of nest that this platform allows; takes what `Nest` takes."""
    seats: Dict[int, Seat] = {}
    poller = open_pollable(seats)
    return Nest(keeper, hub) if poller is None else KernelNest(poller, seats, keeper, hub)
