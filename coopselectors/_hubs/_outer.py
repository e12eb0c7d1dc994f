"""How do many waiting selectors share the one descriptor that a hub watches?

By an outer epoll: one per hub, which holds the epolls of all selectors that its greenlets wait for.

A hub is never given a user's file or a selector's own epoll.  libev and libuv call epoll_ctl(2)
later, on their own, and abort the process if the kernel refuses the descriptor (seen in gevent
26.9).  Watching a single descriptor that we own moves every epoll_ctl that can fail into our code,
where it raises an ordinary OSError.

Two kernel facts shape this module:

* Adding an epoll to an epoll makes the kernel walk everything below it, and only 500 two-level
  paths may lead to one file.  So the hub starts watching the outer epoll while it is empty, no
  selector is taken in before that watcher has fired once, and the watcher never stops: starting it
  again would be an addition with content.
* Readiness is level-triggered: a ready selector that nobody collects from would make the hub spin.
  Such a selector is disarmed (EPOLL_CTL_MOD with no events), which costs the same however many
  files it holds; taking it out and adding it again would not.
"""

from __future__ import annotations

import sys
from collections import deque
from selectors import EVENT_READ
from types import SimpleNamespace
from typing import Any, Callable, Deque, Dict, List, Optional, Protocol, Tuple

from .. import _fork
from .._backends import Backend
from .._poller import Poller
from .._shadow import open_pollable
from .._wakeup import wakeup_fd
from ._base import Source

# How often in a row the longest sleeper may be asked first, before the outer epoll is asked again:
# a selector may have to be disarmed, or someone may have called notify().
_GUESSES = 32
# How often it has to be the right one before it is asked first again, after a wrong guess.
_PROOFS = 2
# How many sleepers are woken one after the other, each by what the one before did, before the hub
# looks at what else is ready.
_CHAIN = 8


class Adapter(Protocol):
    """What an outer poller asks of its hub's adapter; `CooperativeHub` says what each does."""

    def call_soon(self, hub: Any, function: Callable[[], None]) -> None: ...

    def report(self, hub: Any, culprit: Any, *exc_info: Any) -> None: ...

    def watch(self, hub: Any, outer: Outer) -> Callable[[], None]: ...

    def watch_anew(self, hub: Any) -> None: ...

    def others_are_due(self, hub: Any) -> bool: ...

    def is_asleep(self, greenlet: Any) -> bool: ...


class Waiters:
    """The greenlets of one hub that wait for one poller."""

    __slots__ = ("disarmed", "fd", "greenlets", "notified", "outer")

    def __init__(self, outer: Outer, fd: int = -1) -> None:
        self.outer: Outer = outer
        #: The poller's descriptor in the outer poller.
        self.fd: int = fd
        #: The outer poller does not report it at present.
        self.disarmed: bool = False
        #: Something has happened since it was taken in: look again, and do not sleep here.
        self.notified: bool = False
        #: {greenlet: what it collects from}, in the order of their coming.  Only the greenlet
        #: itself writes here, on its way into and out of the hub, and nobody may switch to others.
        self.greenlets: Dict[Any, Source] = {}

    def wake(self, *_: Any) -> None:
        """Switch to each greenlet that waits here.  Only the hub may call this."""
        are_all_awake = True
        for greenlet in tuple(self.greenlets):
            if greenlet in self.greenlets:  # an earlier one may have killed it
                are_all_awake &= self.outer.switch_to(greenlet)
        if not are_all_awake:
            self.outer.wake_soon(self)


class Heartbeat(Waiters):
    """Nobody waits here: it counts how often its hub has answered."""

    __slots__ = ("count",)

    def __init__(self, outer: Outer) -> None:
        super().__init__(outer)
        self.count: int = 0
        self.greenlets[None] = None  # type: ignore[assignment]

    def ask(self) -> None:
        """Have the hub answer at its next turn.  Any thread may call this."""
        self.outer.notify(self)

    def wake(self, *_: Any) -> None:
        self.count += 1


class Outer:
    """Who sleeps in one hub, where no kernel object can be nested (Windows, Solaris).

    `hub` is the runtime's own object, and `adapter` knows how to talk to it.
    """

    #: What the hub has to watch, if anything.
    fd: Optional[int] = None
    #: Where greenlets wait until the hub watches `fd`; None once it does.
    not_yet_watched: Optional[Waiters] = None

    def __init__(self, adapter: Adapter, hub: Any) -> None:
        self._adapter = adapter
        self._hub = hub
        #: The hub is no more.
        self.gone: bool = False
        #: {greenlet: its Waiters}, of all that sleep here, the longest first.
        self.sleepers: Dict[Any, Waiters] = {}
        #: What was collected for the greenlet that is being switched to: itself, its source, pairs.
        self.handed: Optional[Tuple[Any, Source, List[Any]]] = None
        #: The waiters in whose place a thread waits, which a forked child does not have.
        self.beside_threads: Dict[Waiters, None] = {}
        #: Its ``ref`` is true while somebody sleeps: the hub may not end then.
        self.watcher: Any = SimpleNamespace()
        self._unwatch: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Have the hub watch `fd`."""
        self._unwatch = self._adapter.watch(self._hub, self)

    def waiters_of(self, poller: Poller) -> Optional[Waiters]:
        """Where to wait for `poller`; None if its files have to be watched one by one."""
        return None

    def switch_to(self, greenlet: Any) -> bool:
        """Let a sleeper go on; only the hub may call this.

        Returns False for one that does not sleep just now: a signal handler came in between, and
        waits for something else.
        """
        try:
            if not self._adapter.is_asleep(greenlet):
                return False
            greenlet.switch()
        except BaseException:
            self._adapter.report(self._hub, greenlet, *sys.exc_info())
        return True

    # A signal handler may select in the middle of a select() of its own greenlet.  While it does,
    # the greenlet does not sleep where it slept before, and must not be switched to for that.

    def suspend(self, greenlet: Any) -> Tuple[Waiters, Optional[Source]]:
        """Take a greenlet out of the sleep that it is about to enter or to leave."""
        waiters = self.sleepers[greenlet]
        return waiters, waiters.greenlets.pop(greenlet, None)

    def awake(
        self,
        greenlet: Any,
        waiters: Waiters,
        suspended: Optional[Tuple[Waiters, Optional[Source]]],
    ) -> None:
        """A greenlet sleeps no longer.  To call this twice does no harm."""
        waiters.greenlets.pop(greenlet, None)
        if suspended is None:
            if len(self.sleepers) == 1:
                self.watcher.ref = False
            self.sleepers.pop(greenlet, None)
        else:
            before, source = suspended
            self.sleepers[greenlet] = before
            if source is not None:
                before.greenlets[greenlet] = source
            self.notify(before)  # what happened meanwhile has woken nobody

    def notify(self, waiters: Waiters) -> None:
        """Have whoever waits there, or is about to, look again.  Any thread may call this."""
        waiters.notified = True
        if not self.gone:
            self.wake_soon(waiters)

    def wake_soon(self, waiters: Waiters) -> None:
        """Wake whoever waits there at the hub's next turn."""
        self._adapter.call_soon(self._hub, waiters.wake)

    def on_ready(self, *_: Any) -> None:
        """The hub calls this when `fd` is readable."""

    def close(self) -> None:
        """The hub is no more, or watches us no longer: give back what is ours."""
        if self.gone:
            return
        self.gone = True
        unwatch, self._unwatch = self._unwatch, lambda: None
        try:
            unwatch()
        finally:
            # A selector may remember us for long, and should not keep a hub alive.
            self._hub = None
            self.watcher = SimpleNamespace()
            self.beside_threads.clear()


class OuterPoller(Outer):
    """One hub's kernel object, and the pollers in it; see the top of this file."""

    def __init__(self, backend: Backend, adapter: Adapter, hub: Any) -> None:
        super().__init__(adapter, hub)
        self._backend = backend
        self._generation = _fork.generation
        #: {descriptor of a poller that is held: its Waiters}
        self._held: Dict[int, Waiters] = {}
        self.fd = backend.fileno()
        self.not_yet_watched = Waiters(self)
        self._to_wake: Deque[Waiters] = deque()
        #: How often the longest sleeper may still be asked first; below 0, how often it has to be
        #: the right one before it may.
        self._guesses = 0
        #: How often nobody is asked after the first: lately there was no other.
        self._alone = 0
        backend.register(wakeup_fd(), EVENT_READ)  # whereby the watcher fires once
        _fork.tell(self)

    def waiters_of(self, poller: Poller) -> Optional[Waiters]:
        waiters = poller.waiters.get(self)
        if waiters is not None:
            if not waiters.notified and (not waiters.disarmed or self._arm(waiters)):
                return waiters
            poller.leave(self)
        if self._generation is not _fork.generation or not self._backend.is_ours():
            self._reopen()
            return self.not_yet_watched
        return self._take_in(poller)

    def _take_in(self, poller: Poller) -> Optional[Waiters]:
        fd = poller.descriptor()
        with _fork.lock():  # while nobody closes the poller or replaces its kernel object
            if poller.closed:
                poller.raise_closed()
            if fd != poller.descriptor():
                fd = poller.descriptor()
            known = poller.waiters.get(self)
            if known is not None:
                return known
            try:
                self._backend.register(fd, EVENT_READ)
            except FileExistsError:
                self._backend.modify(fd, EVENT_READ, 0)
            except OSError:
                poller.refuse()
                return None
            waiters = self._held[fd] = Waiters(self, fd)
            poller.joined(self, waiters)
        return waiters

    def leave(self, waiters: Waiters) -> None:
        """Hold a poller no longer and wake whoever waits for it.  Any thread may call this."""
        if self._held.get(waiters.fd) is waiters:
            del self._held[waiters.fd]
            if self._generation is _fork.generation:
                try:
                    self._backend.unregister(waiters.fd, 0 if waiters.disarmed else EVENT_READ)
                except (OSError, ValueError):
                    pass  # the descriptor was closed by somebody else, or our hub has just ended
        self.notify(waiters)

    def notify(self, waiters: Waiters) -> None:
        # Not through the hub's own call_soon: eventlet has none that another thread may use.
        # First the mark, then the look: a greenlet of another thread does it the other way round.
        waiters.notified = True
        if waiters.greenlets and not self.gone:
            self.wake_soon(waiters)

    def wake_soon(self, waiters: Waiters) -> None:
        self._to_wake.append(waiters)
        self._notify_hub()

    def on_ready(self, *_: Any) -> None:
        try:
            self._take_back()
            if self._generation is not _fork.generation:
                self._stop_watching()
            elif not self._wake_longest_sleepers():
                self._wake_ready()
        except BaseException:
            self._adapter.report(self._hub, None, *sys.exc_info())

    def _wake_longest_sleepers(self) -> bool:
        """Wake the greenlet that sleeps longest, if its poller is ready, and then the next.

        That is a guess, and right most of the time: whoever waited longest is woken first.  It
        spares a poll of the outer epoll, and hands over what was collected.  Returns whether there
        is nothing left to do.
        """
        woken = 0
        while self._guesses > 0 and self.sleepers:
            greenlet, waiters = next(iter(self.sleepers.items()))
            source = waiters.greenlets.get(greenlet)
            if source is None or len(waiters.greenlets) > 1:
                self._guesses = 0  # all of them are to be woken
                return False
            self._guesses -= 1
            try:
                pairs = source.poll(0)
            except (OSError, ValueError):
                self._guesses = 0  # the greenlet finds out for itself
                return False
            if not pairs:
                if not woken:
                    self._guesses = -_PROOFS
                    return False
                if woken == 1:
                    self._alone = _GUESSES
                return True
            self.handed = greenlet, source, pairs
            self.switch_to(greenlet)
            if self.handed is not None:
                self._take_back()
            woken += 1
            if self._alone:
                self._alone -= 1
                return True
            if woken == _CHAIN or self._adapter.others_are_due(self._hub):
                return True
        return False

    def _take_back(self) -> None:
        """The greenlet did not get what was collected for it: an exception was thrown into it."""
        if self.handed is not None:
            _, source, pairs = self.handed
            self.handed = None
            source.give_back(pairs)

    def _wake_ready(self) -> None:
        try:
            pairs = self._backend.poll(0)
        except (OSError, ValueError):
            if self.gone or self._backend.is_ours():
                raise
            self._reopen()  # somebody else has closed our descriptor
            return
        if len(pairs) == 1:
            waiters = self._held.get(pairs[0][0])
            if waiters is not None and waiters.greenlets:
                if next(iter(self.sleepers), None) in waiters.greenlets:
                    self._guesses = _GUESSES if self._guesses >= 0 else self._guesses + 1
                    waiters.wake()
                    return
        self._guesses = -_PROOFS
        backend = self._backend
        for fd, _mask in pairs:
            if self._backend is not backend:
                return  # these were about another
            waiters = self._held.get(fd)
            if waiters is None:
                if fd == wakeup_fd():
                    # First out, then look: whoever notifies from now on registers it anew.
                    self._backend.unregister(fd, EVENT_READ)
                    self._wake_notified()
                else:
                    self._forget(fd)
            elif waiters.greenlets:
                waiters.wake()
            else:
                self._disarm(waiters)

    def _forget(self, fd: int) -> None:
        """Get rid of what is reported although nobody put it here, or it would spin the hub."""
        try:
            self._backend.unregister(fd, EVENT_READ)
        except OSError:
            # It has left since, or it was closed, and lives on in a duplicate.
            if any(fd == each for each, _ in self._backend.poll(0)):
                self._reopen()

    def forked(self) -> None:
        """This is a forked child: start anew, empty, behind the descriptor that the hub knows.

        Now, and not later: the loop is about to take in whatever its watchers name.
        """
        if self.gone:
            return
        self._wake_all()
        start, self.not_yet_watched = self.not_yet_watched, None
        try:
            if self._backend.is_ours():
                self._renew()
                self.not_yet_watched = start
        except OSError:
            pass  # whoever waits next tries again, and gets the error
        self._adapter.watch_anew(self._hub)

    def _renew(self) -> None:
        """Another kernel object behind our descriptor."""
        fresh = self._open()
        try:
            self._backend.replace(fresh)
        except BaseException:
            fresh.close()
            raise
        self._generation = _fork.generation
        self.fd = self._backend.fileno()

    def _open(self) -> Any:
        """Another kernel object, whose watcher will fire once."""
        fresh = self._backend.fresh()
        try:
            fresh.register(wakeup_fd(), EVENT_READ)
        except BaseException:
            fresh.close()
            raise
        return fresh

    def _reopen(self) -> None:
        """Start anew with another kernel object, and have the hub watch that.

        Not behind the old descriptor: the loops would not see that it names another file by now.
        """
        self._wake_all()
        fresh = self._open()
        self._stop_watching()
        old, self._backend = self._backend, fresh
        old.close()
        self._generation = _fork.generation
        self.fd = fresh.fileno()
        self._unwatch = self._adapter.watch(self._hub, self)
        self.watcher.ref = bool(self.sleepers)

    def _stop_watching(self) -> None:
        self.fd = None
        unwatch, self._unwatch = self._unwatch, lambda: None
        unwatch()

    def _wake_all(self) -> None:
        """Everybody looks again, and those that hold on to what was taken in here find nothing."""
        all_waiters = {*self.sleepers.values(), *self._held.values(), *self.beside_threads}
        for waiters in all_waiters:
            waiters.notified = True
        self._to_wake.extend(waiters for waiters in all_waiters if waiters.greenlets)
        self.beside_threads.clear()
        self._held.clear()
        self.not_yet_watched = Waiters(self)

    def close(self) -> None:
        if not self.gone:
            super().close()
            self._held.clear()
            self._backend.close()

    def _disarm(self, waiters: Waiters) -> None:
        waiters.disarmed = True
        try:
            self._backend.modify(waiters.fd, 0, EVENT_READ)
        except OSError:
            pass  # another thread has just closed its selector

    def _arm(self, waiters: Waiters) -> bool:
        try:
            self._backend.modify(waiters.fd, EVENT_READ, 0)
        except OSError:
            return False
        waiters.disarmed = False
        return True

    def _notify_hub(self) -> None:
        backend = self._backend
        try:
            backend.register(wakeup_fd(), EVENT_READ)
        except FileExistsError:
            pass
        except OSError:
            # No memory for it.  The hub's own way is as good for its own thread.
            self._adapter.call_soon(self._hub, self._wake_notified)
        except ValueError:
            if backend is not self._backend:
                self._notify_hub()  # its own thread has just taken another
            elif not self.gone:  # else that thread has just closed it
                raise

    def _wake_notified(self) -> None:
        if self.not_yet_watched is not None:
            self._to_wake.append(self.not_yet_watched)
            self.not_yet_watched = None
        try:
            for _ in range(len(self._to_wake)):
                self._to_wake[0].wake()
                self._to_wake.popleft()
        finally:
            if self._to_wake:  # somebody has to be woken again, or an exception is on its way out
                self._notify_hub()


def open_outer(adapter: Adapter, hub: Any) -> Outer:
    """The best kind of outer poller that this platform allows."""
    backend = open_pollable()
    return Outer(adapter, hub) if backend is None else OuterPoller(backend, adapter, hub)
