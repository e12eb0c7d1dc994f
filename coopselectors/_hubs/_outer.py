"""How do many waiting selectors share the one descriptor that a hub watches?

By an outer epoll: one per hub, which holds the epolls of all selectors that its greenlets wait for.

A hub is never given a user's file or a selector's own epoll.  libev and libuv call epoll_ctl(2)
later, on their own, and abort the process if the kernel refuses the descriptor (seen in gevent
26.9).  Watching a single descriptor that we own moves every epoll_ctl that can fail into our code,
where it raises an ordinary OSError.

Two kernel facts shape this module:

* Adding an epoll to an epoll makes the kernel walk everything below it, and only 500 two-level
  paths may lead to one file.  So the hub starts watching the outer epoll while it is empty.  No
  selector is added before that watcher has fired once, and the watcher never stops, because
  starting it again would add a full epoll.
* Readiness is level-triggered: a ready selector that nobody collects from would make the hub spin.
  Such a selector is disarmed (EPOLL_CTL_MOD with no events).  The cost of that does not depend on
  the number of its files; removing it and adding it again would.
"""

from __future__ import annotations

from collections import deque
from selectors import EVENT_READ
from typing import Any, Callable, Deque, Dict, Optional

from .. import _fork
from .._backends import Backend
from .._pollers._poller import Poller
from .._pollers._shadow import open_pollable
from .._wakeup import wakeup_fd
from ._guarded import guarded
from ._waiters import Adapter, Outer, Waiters

# How often in a row the longest sleeper may be polled first.  Then the outer epoll is polled again:
# a selector may have to be disarmed, or somebody may have called notify().
_GUESSES = 32
# After a wrong guess, how often it must have been the right one before it is polled first again.
_PROOFS = 2
# How many sleepers may wake each other in a row before the hub looks for other ready files.
_CHAIN = 8


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
        #: How often the longest sleeper may still be polled first; below 0, how often it must have
        #: been the right one before that.
        self._guesses = 0
        #: How often no second sleeper is polled: lately the first was the only one.
        self._alone = 0
        backend.register(wakeup_fd(), EVENT_READ)  # so that the watcher fires once
        _fork.tell(self)

    def waiters_of(self, poller: Poller) -> Optional[Waiters]:
        waiters: Optional[Waiters] = poller.waiters.get(self)
        if waiters is not None:
            if not waiters.notified and (not waiters.disarmed or self._arm(waiters)):
                return waiters
            poller.leave(self)
        if self._generation is not _fork.generation or not self._backend.is_ours():
            self._reopen()
            return self.not_yet_watched
        return self._take_in(poller)

    def _take_in(self, poller: Poller) -> Optional[Waiters]:
        # The lock keeps out other threads.  A signal handler may take the poller in, close it, or
        # have its kernel object replaced between any two lines, and let other greenlets sleep.  So
        # the tables are written first: whatever is taken out of them is told to look again.
        while True:
            fd = poller.descriptor()
            with _fork.lock():
                if not poller.shared():
                    poller.raise_closed()
                if fd != poller.descriptor():  # which raises ValueError if it is closed
                    continue
                before = self._held.pop(fd, None)
                if before is not None:
                    self.notify(before)
                waiters = Waiters(self, fd)
                waiters.disarmed = True  # until the kernel has it
                if self._held.setdefault(fd, waiters) is not waiters:
                    continue
                poller.joined(self, waiters)
                try:
                    self._backend.register(fd, EVENT_READ)
                except FileExistsError:
                    self._backend.modify(fd, EVENT_READ, 0)
                except OSError:
                    if not poller.closed:
                        poller.refuse()
                        return None
                waiters.disarmed = waiters.times_disarmed > 0
                if poller.closed:
                    poller.leave(self)
                    poller.raise_closed()
                return waiters

    def leave(self, waiters: Waiters) -> None:
        """Hold a poller no longer and wake whoever waits for it.  Any thread may call this."""
        fd = waiters.fd
        try:
            # Whatever is held under this number: a signal handler may have taken it in anew.
            held = self._held.pop(fd, None)
            if held is not None and self._generation is _fork.generation:
                self._let_go(fd, held)
            if held is not None and held is not waiters:
                self.notify(held)
        finally:
            self.notify(waiters)

    def _let_go(self, fd: int, waiters: Waiters) -> None:
        try:
            self._backend.unregister(fd, 0 if waiters.disarmed else EVENT_READ)
            if fd in self._held:  # since then
                self._backend.register(fd, EVENT_READ)
        except (OSError, ValueError):
            pass  # the descriptor was closed by somebody else, or our hub has just ended

    def notify(self, waiters: Waiters) -> None:
        # Not through the hub's call_soon: eventlet has none that another thread may use.  This
        # sets `notified` and then looks for greenlets; a greenlet of another thread adds itself and
        # then reads `notified`.  So one of the two sees the other.
        waiters.notified = True
        if waiters.greenlets and not self.gone:
            self.wake_soon(waiters)

    def wake_soon(self, waiters: Waiters) -> None:
        self._to_wake.append(waiters)
        self._notify_hub()

    def callback(self) -> Callable[[Any], None]:
        return guarded(self._on_ready, self._resume)

    def _on_ready(self, _: Any) -> None:
        if self.handed is not None:
            self._take_back()
        if self._generation is not _fork.generation:
            self._stop_watching()
        elif not self._wake_longest_sleepers():
            self._wake_ready()

    def _resume(self, *exc_info: Any) -> None:
        """A signal handler may have raised at any line: what was under way must not get lost."""
        try:
            if self.handed is not None:
                self._take_back()
            if not self.gone and self._generation is _fork.generation:
                self._notify_hub()
        except (OSError, ValueError):
            pass  # and this is why it was not a signal handler
        self._adapter.report(self._hub, None, *exc_info)

    def _wake_longest_sleepers(self) -> bool:
        """Wake the greenlet that has slept longest, if its poller is ready, and then the next.

        This guess is right most of the time.  It saves a poll of the outer epoll, and the greenlet
        is handed the collected pairs.  Returns True if nothing is left to do.
        """
        woken = 0
        while self._guesses > 0 and self.sleepers:
            greenlet, waiters = next(iter(self.sleepers.items()))
            source = waiters.greenlets.get(greenlet)
            if source is None or len(waiters.greenlets) > 1:
                self._guesses = 0  # several greenlets have to be woken
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
            is_awake = self.switch_to(greenlet)
            if self.handed is not None:
                self._take_back()
            if self.gone:
                return True  # it has forked, and this is the child
            if not is_awake:
                self.try_again(waiters)
                return True
            woken += 1
            if self._alone:
                self._alone -= 1
                return True
            if woken == _CHAIN or self._adapter.others_are_due(self._hub):
                return True
        return False

    def _take_back(self) -> None:
        """Take back pairs that a greenlet did not get, as an exception was thrown into it."""
        assert self.handed is not None
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
            if (
                waiters is not None
                and waiters.greenlets
                and next(iter(self.sleepers), None) in waiters.greenlets
            ):
                self._guesses = _GUESSES if self._guesses >= 0 else self._guesses + 1
                waiters.wake()
                return
        self._guesses = -_PROOFS
        backend = self._backend
        for fd, _mask in pairs:
            if self._backend is not backend or self.gone:
                return  # the pairs came from another kernel object
            waiters = self._held.get(fd)
            if waiters is None:
                if fd == wakeup_fd():
                    # Removed before looking: a notify() from now on registers it again.
                    self._backend.unregister(fd, EVENT_READ)
                    self._wake_notified()
                else:
                    self._forget(fd)
            elif waiters.greenlets:
                waiters.wake()
            else:
                self._disarm(waiters)

    def _forget(self, fd: int) -> None:
        """Remove a descriptor that nobody added; if it stayed, it would make the hub spin."""
        try:
            self._backend.unregister(fd, EVENT_READ)
        except OSError:
            # A greenlet that was just woken has closed it, or it is a closed file of which a
            # duplicate is open.
            if any(each == fd for each, _mask in self._backend.poll(0)):
                self._reopen()

    def forked(self) -> None:
        """Start empty in a forked child, behind the descriptor that the hub knows.

        This cannot wait: the loop is about to add whatever its watchers name.
        """
        if self.gone:
            return
        self._wake_all()
        start, self.not_yet_watched = self.not_yet_watched, None
        try:
            if self._backend.is_inherited():
                self._renew()
                self.not_yet_watched = start
        except OSError:
            pass  # the next wait tries again, and gets the error
        is_needed = bool(self.sleepers) or self._generation is not _fork.generation
        self._adapter.watch_anew(self._hub, self, is_needed)

    def _renew(self) -> None:
        """In a forked child, put another kernel object behind our descriptor."""
        fresh = self._open()
        try:
            self._backend.replace_in_child(fresh)
        except BaseException:
            fresh.close()
            raise
        self._generation = _fork.generation
        self.fd = self._backend.fileno()

    def _open(self) -> Any:
        """Return another kernel object, whose watcher will fire once."""
        fresh = self._backend.fresh()
        try:
            fresh.register(wakeup_fd(), EVENT_READ)
        except BaseException:
            fresh.close()
            raise
        return fresh

    def _reopen(self) -> None:
        """Start empty with another kernel object, and have the hub watch that.

        It has another descriptor, because the loops do not notice when a number names another file.
        """
        self._wake_all()
        fresh = self._open()
        self._stop_watching()
        old, self._backend = self._backend, fresh
        old.close()
        self._generation = _fork.generation
        if self.gone:  # a signal handler has forked, and this is the child
            fresh.close()
            return
        self.fd = fresh.fileno()
        self._adapter.watch(self._hub, self)
        self.watcher.ref = bool(self.sleepers)

    def _stop_watching(self) -> None:
        self.fd = None
        unwatch, self.unwatch = self.unwatch, lambda: None
        unwatch()

    def _wake_all(self) -> None:
        """Everybody looks again, and those that hold on to what was taken in here find nothing."""
        all_waiters = {*self.sleepers.values(), *self.beside_threads}
        if self.not_yet_watched is not None:
            all_waiters.add(self.not_yet_watched)
        while self._held:  # one by one: a signal handler may add another
            all_waiters.add(self._held.popitem()[1])
        for waiters in all_waiters:
            waiters.notified = True
            if waiters.greenlets:
                self._to_wake.append(waiters)
        self.beside_threads.clear()
        self.not_yet_watched = Waiters(self)

    def close(self) -> None:
        if not self.gone:
            super().close()
            self._held.clear()
            self._backend.close()

    def try_again(self, waiters: Waiters) -> None:
        if self._held.get(waiters.fd) is waiters:
            self._disarm(waiters)  # or it would be reported at each turn until then
        super().try_again(waiters)

    def _disarm(self, waiters: Waiters) -> None:
        waiters.disarmed = True
        waiters.times_disarmed += 1
        try:
            self._backend.modify(waiters.fd, 0, EVENT_READ)
        except OSError:
            pass  # another thread has just closed its selector

    def _arm(self, waiters: Waiters) -> bool:
        times = None
        while times != waiters.times_disarmed:  # it was meanwhile, if a signal handler cut in
            times = waiters.times_disarmed
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
            # There is no memory for it.  For its own thread, the hub's call_soon is as good.
            self._adapter.call_soon(self._hub, self._wake_notified)
        except ValueError:
            if backend is not self._backend:
                self._notify_hub()  # the hub's thread has just opened another
            elif not self.gone:  # or else the hub's thread has just closed it
                raise

    def _wake_notified(self) -> None:
        if self.not_yet_watched is not None:
            self.not_yet_watched.notified = True  # for a greenlet that is about to sleep there
            self._to_wake.append(self.not_yet_watched)
            self.not_yet_watched = None
        try:
            for _ in range(len(self._to_wake)):
                self._to_wake[0].wake()
                self._to_wake.popleft()
        finally:
            if self._to_wake:  # somebody must be woken again, or an exception is being raised
                self._notify_hub()


def open_outer(adapter: Adapter, hub: Any) -> Outer:
    """The best kind of outer poller that this platform allows."""
    backend = open_pollable()
    return Outer(adapter, hub) if backend is None else OuterPoller(backend, adapter, hub)
