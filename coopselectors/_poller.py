"""Who waits for one kernel object, and what state is it in?

A `Poller` is a backend, the greenlets and threads that wait for it, and its state.  One attribute
holds the state; every call that reaches the kernel compares it with the present generation, and
`prepare` deals with the rest:

=========  ==============================  ==================================  =====================
state      ``state`` is                    the kernel object                   next
=========  ==============================  ==================================  =====================
open       ``_fork.generation``            ours; holds every registered file   stale, inherited,
                                                                               closed
stale      ``STALE``                       may report files that were closed   open, by `prepare`
                                           before they were unregistered
inherited  the generation of a parent      the parent's; this is a forked      open, by `prepare`
                                           child
closed     ``CLOSED``                      none
=========  ==============================  ==================================  =====================

A poller becomes inherited by itself, since a child has another generation.

The files in a plain `Poller` are known to the kernel alone: it is the user's own epoll or kqueue,
which parent and child share, and which is never replaced.  `FilesPoller` knows its files.
"""

from __future__ import annotations

import sys
from typing import Any, Dict, List, Mapping, NoReturn, Optional, Protocol, Sequence, Set

from . import _fork, _unpatched
from ._backends import IN, Backend, Pair
from ._unpatched import system
from ._wakeup import wakeup_fd

STALE = "stale"
CLOSED = "closed"

#: What a closed selector says.
_CLOSED = "Selector is closed"


class Outer(Protocol):
    """What a poller knows of the outer pollers that hold its descriptor (see _hubs._outer)."""

    gone: bool

    def leave(self, waiters: Any) -> None:
        """Hold the poller no longer, and wake whoever waits for it there."""

    def notify(self, waiters: Any) -> None:
        """Wake whoever waits there, so that they look again.  Any thread may call this."""


#: Shared by all pollers that nobody waits for; never written to.
_NOBODY: Any = {}
_NO_FDS: Any = frozenset()


class Poller:
    """One kernel object, its waiters and its state; see the top of this file."""

    #: {fd: what it is registered with, in `events` and perhaps `extra_events`}; empty where only
    #: the kernel knows the files.
    keys: Mapping[int, Any] = _NOBODY
    #: Whether any file has ever been registered here with extra events.
    has_extras: bool = False
    #: Files that report only to a thread blocked on this very object: EPOLLEXCLUSIVE.
    exclusive: Set[int] = _NO_FDS
    #: Files that report a change to the first that asks (POLLPRI of /proc/self/mounts).
    told_once: Set[int] = _NO_FDS
    #: What somebody has taken of the latter that could not return it.
    taken: Sequence[Pair] = ()
    #: The kernel would not take our descriptor into an outer poller.
    refused: bool = False
    #: How many calls of `block` are being cancelled.
    cancelled: int = 0
    #: What the waiting is done with where the primitive has no descriptor (see _shadow).
    shadow: Any = None
    # Closed as long as there is nothing to close.
    state: object = CLOSED

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        #: {outer poller: our Waiters there}
        self.waiters: Dict[Outer, Any] = _NOBODY
        #: Those who watch the files one by one, and must hear of every change.
        self.per_file_waiters: Dict[Any, None] = _NOBODY
        #: How many waits in a row had to sleep (see _hubs._cooperative).
        self.sleeps: int = 0
        self.state = _fork.generation

    @property
    def closed(self) -> bool:
        return self.state is CLOSED

    def poll(self, timeout: Optional[float]) -> List[Pair]:
        """Return a pair per ready file, all of them, after at most `timeout` seconds.

        None waits for ever, 0 not at all.  Interrupted waits go on (PEP 475).
        """
        if self.state is not _fork.generation:
            self.prepare()
        return self.backend.poll(timeout)

    def prepare(self) -> None:
        """Have a kernel object that may be used; dispatches on the state."""
        with _fork.lock():
            if self.state is CLOSED:
                self.raise_closed()
            if self.state is not _fork.generation:
                self._let_go_of_parents()
                self.state = _fork.generation

    def _let_go_of_parents(self) -> None:
        """This is a forked child: the outer pollers and the blocked threads are the parent's."""
        self.waiters = self.per_file_waiters = _NOBODY
        self.refused = False
        self.cancelled = 0

    def raise_closed(self) -> NoReturn:
        """Raise what every call after `close` raises."""
        raise ValueError(_CLOSED)

    def pollable(self) -> Optional[Poller]:
        """The poller whose descriptor is readable when any file here is ready.

        None where there is no such descriptor, and the files have to be watched one by one.
        """
        return self if self.backend.pollable and not self.refused else None

    def has_descriptor(self) -> bool:
        """Whether `pollable` would open nothing."""
        return self.backend.pollable

    def descriptor(self) -> int:
        """The kernel object's descriptor, as an outer poller takes it in."""
        if self.state is not _fork.generation:
            self.prepare()
        return self.backend.fileno()

    # How long one may sleep on the descriptor; only `FilesPoller` has reason to object.

    def must_look_first(self) -> bool:
        """Whether something is ready that the descriptor may not tell of."""
        return False

    def before_sleep(self, again: bool = False) -> Optional[float]:
        """Make the descriptor speak for all files; returns when to ask `again`, in seconds."""
        return None

    def woken_in_vain(self) -> bool:
        """The descriptor was readable, and `poll` had nothing.  Returns whether to ask again."""
        return False

    # A thread that waits in a greenlet's place (see _hubs._waiting_thread).

    @property
    def needs_thread(self) -> bool:
        """Whether only a blocked thread can wait for it."""
        # Where nobody knows the files, they cannot be watched one by one either.
        return bool(self.exclusive or self.told_once) or self.refused

    def block(self, timeout: Optional[float]) -> List[Pair]:
        """Wait in the kernel, in a thread of its own; returns what that thread took."""
        if self.exclusive or self.told_once:
            return self.poll(timeout)
        # poll(2) looks at its descriptors again when it is woken: by then another file may have
        # the number of one that was closed.
        duplicate = system.dup(self.descriptor())
        try:
            poll = _unpatched.poll()
            poll.register(duplicate, IN)
            poll.poll(None if timeout is None else timeout * 1e3)
        finally:
            system.close(duplicate)
        return []

    def has_blocked_threads(self) -> bool:
        """Whether a thread may be blocked in `poll` or `block`."""
        return self.backend.is_in_use()

    def cancel_block(self, on: bool) -> None:
        """Have the threads that are in `block` come out, until that is turned off."""
        with _fork.lock():
            if self.state is not CLOSED:
                self.cancelled += 1 if on else -1
                if on or not self.cancelled:
                    self.notify(on)

    def give_back(self, pairs: List[Pair]) -> List[Pair]:
        """Have the kernel report once more what somebody took that has no use for it.

        Returns what cannot be given back.
        """
        return []

    def notify(self, on: bool) -> None:
        """Wake the threads that are blocked in `poll`."""
        try:
            self.backend.notify(wakeup_fd(), on)
        except OSError:
            pass  # no descriptor left for that: nothing can be done

    # The outer pollers and others that have to be told.

    def joined(self, outer: Outer, waiters: Any) -> None:
        """Note that an outer poller holds our descriptor; the lock is held."""
        if self.waiters is _NOBODY:
            self.waiters = {}
        for each in [each for each in self.waiters if each.gone]:
            del self.waiters[each]  # a poller may outlive many threads, each with a hub of its own
        self.waiters[outer] = waiters

    def leave(self, outer: Outer) -> None:
        """Give up our place in one outer poller; whoever waits there looks again."""
        waiters = self.waiters.pop(outer, None)
        if waiters is not None:
            outer.leave(waiters)

    def refuse(self) -> None:
        """Leave every outer poller, for good: the kernel allows no deeper nesting of a file."""
        self.refused = True
        self.leave_all()

    def leave_all(self) -> None:
        for outer in tuple(self.waiters):
            self.leave(outer)

    def watch_per_file(self, waiters: Any, on: bool) -> None:
        """Note who watches the files one by one, or does so no longer."""
        with _fork.lock():
            if on and self.per_file_waiters is _NOBODY:
                self.per_file_waiters = {}
            if on:
                self.per_file_waiters[waiters] = None
            else:
                self.per_file_waiters.pop(waiters, None)

    def changed(self) -> None:
        """Tell those who watch the files one by one that there is something new to watch."""
        for waiters in tuple(self.per_file_waiters):
            waiters.outer.notify(waiters)

    def close(self) -> None:
        """Give everything back.  Whoever waits is woken; every later call is a ValueError."""
        with _fork.lock():
            if self.state is CLOSED:
                return
            is_ours = self.state is _fork.generation or self.state is STALE
            self.state = CLOSED
            if is_ours:
                self.leave_all()  # not before: other threads look again at once
                self.changed()
                if self.has_blocked_threads():
                    self.notify(True)
            shadow, self.shadow = self.shadow, None
            if is_ours:
                self.backend.close()
            else:
                self.backend.close_inherited()
        if shadow is not None:
            shadow.poller.close()

    def __del__(self) -> None:
        # The interpreter would close the descriptor by itself, whoever has it by now, and a forked
        # child may keep our kernel object alive, and with it our place in an outer poller.
        if self.state is not CLOSED and not sys.is_finalizing():
            _fork.notice()  # in a child, finalizers run before anybody is told
            self.close()
