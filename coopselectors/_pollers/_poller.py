"""Who waits for one kernel object, and what state is it in?

A `Poller` is a backend, the greenlets and threads that wait for it, and its state.  One attribute
holds the state.  Every call that reaches the kernel compares it with the current generation; if
they differ, `prepare` deals with it:

=========  ==============================  ==================================  =====================
state      ``state`` is                    the kernel object                   next
=========  ==============================  ==================================  =====================
open       ``_fork.generation``            ours; holds every registered file   stale, inherited,
                                                                               closed
stale      ``_fork.stale``                 may report files that were closed   open (`prepare`),
                                           before they were unregistered       inherited, closed
inherited  either of these, of a parent    the parent's; this is a forked      closed, open
                                           child                               (`prepare`)
closed     ``CLOSED``                      none
=========  ==============================  ==================================  =====================

A poller becomes inherited by itself, since both are other objects in a child.

Only the kernel knows the files of a plain `Poller`.  It is the user's own epoll or kqueue, which
parent and child share, and which is never replaced.  A `FilesPoller` knows its files.
"""

from __future__ import annotations

import sys
from abc import abstractmethod
from typing import Any, Callable, Dict, List, Mapping, NoReturn, Optional, Protocol, Sequence, Set

from .. import _fork, _unpatched
from .._backends import IN, Backend, Pair
from .._wakeup import wakeup_fd
from ._duplicates import Duplicate

CLOSED = "closed"

# Milliseconds until a thread looks again that has no descriptor to wait with.
_PAUSE = 20

#: The error message of a closed selector.
_CLOSED = "Selector is closed"


class Container(Protocol):
    """What a poller needs of the outer pollers that hold its descriptor (see _hubs._outer)."""

    gone: bool

    def leave(self, waiters: Any) -> None:
        """Drop the poller, and wake whoever waits for it there."""

    def notify(self, waiters: Any) -> None:
        """Wake whoever waits there, so that they look again.  Any thread may call this."""


#: Shared by all pollers that nobody waits for; never written to.
_NOBODY: Any = {}
_NO_FDS: Any = frozenset()


class Poller:
    """One kernel object, its waiters and its state; see the top of this file."""

    # What each call reads has no default here.  From CPython 3.12 on, an attribute is slow to find
    # if the class has one of that name.

    #: {fd: an object with `events` and perhaps `extra_events`}; empty if only the kernel knows the
    #: files.
    keys: Mapping[int, Any]
    #: Whether any file has ever been registered here with extra events.
    has_extras: bool
    #: Files that report only to a thread blocked on this very object: EPOLLEXCLUSIVE.
    exclusive: Set[int] = _NO_FDS
    #: Files that report a change only to the first caller (POLLPRI of /proc/self/mounts).
    read_once: Set[int] = _NO_FDS
    #: Reports of such files that a caller took and could not use.
    taken: Sequence[Pair] = ()
    #: The kernel refused to add our descriptor to an outer poller.
    refused: bool = False
    #: How many calls of `block` are being cancelled.
    cancelled: int = 0
    #: What waits instead of a primitive that has no descriptor (see _shadow).
    shadow: Any
    #: See the top of this file.
    state: object

    def __init__(self, backend: Backend) -> None:
        self.state = CLOSED  # as long as there is nothing to close
        self.backend = backend
        self.keys = _NOBODY
        self.has_extras = False
        self.shadow = None
        #: {outer poller: our Waiters there}
        self.waiters: Dict[Container, Any] = _NOBODY
        #: The waiters that watch the files one by one, and must be told of every change.
        self.per_file_waiters: Dict[Any, None] = _NOBODY
        #: How many waits in a row had to sleep (see _hubs._cooperative).
        self.sleeps: int = 0
        self.state = _fork.generation

    @property
    def closed(self) -> bool:
        return self.state is CLOSED

    @abstractmethod
    def poll(self, timeout: Optional[float]) -> List[Pair]:
        """Return a pair per ready file, all of them, after at most `timeout` seconds.

        None waits forever, 0 not at all.  Interrupted waits go on (PEP 475).
        """

    def prepare(self) -> None:
        """Provide a kernel object that may be used; dispatches on the state."""
        with _fork.lock():
            if self.state is CLOSED:
                self.raise_closed()
            if self.state is not _fork.generation:
                self._let_go_of_parents()
                self.state = _fork.generation

    def shared(self) -> bool:
        """Have `close` take the lock from now on; False if it is closed.  The lock is held.

        Whoever replaces the kernel object or is to be told when it closes calls this first.
        """
        return self.state is not CLOSED

    def _let_go_of_parents(self) -> None:
        """Forget the outer pollers and blocked threads, which are the parent's, in a child."""
        self.waiters = self.per_file_waiters = _NOBODY
        self.refused = False
        self.cancelled = 0

    def raise_closed(self) -> NoReturn:
        """Raise what every call after `close` raises."""
        raise ValueError(_CLOSED)

    def pollable(self) -> Optional[Poller]:
        """The poller whose descriptor is readable when any file here is ready.

        None if there is no such descriptor, so that the files have to be watched one by one.
        """
        return self if self.backend.pollable and not self.refused else None

    def has_descriptor(self) -> bool:
        """Whether `pollable` would open nothing."""
        return self.backend.pollable

    def descriptor(self) -> int:
        """The descriptor for an outer poller to hold."""
        if self.state is not _fork.settled_generation:
            self.prepare()
        return self.backend.fileno()

    # How long a greenlet may sleep on the descriptor; asked of a `FilesPoller` with a shadow only.

    #: Whether a file may be ready although the descriptor is not readable.
    must_look_first: Callable[[], bool]
    #: Make the descriptor stand for all files; returns when to ask `again`, in seconds.
    before_sleep: Callable[..., Optional[float]]
    #: Handle a readable descriptor for which `poll` found nothing; True means poll again.
    woken_in_vain: Callable[[], bool]

    # A thread that waits in a greenlet's place (see _hubs._waiting_thread).

    @property
    def needs_thread(self) -> bool:
        """Whether only a blocked thread can wait for it."""
        # If only the kernel knows the files, they cannot be watched one by one either.
        return bool(self.exclusive or self.read_once) or self.refused

    def block(self, timeout: Optional[float]) -> List[Pair]:
        """Wait in the kernel, in a thread of its own; returns what the thread collected."""
        if self.exclusive or self.read_once:
            return self.poll(timeout)
        # poll(2) looks at its descriptors again when it is woken: by then another file may have
        # the number of one that was closed.
        try:
            duplicate = Duplicate(self.descriptor(), is_ours=True)
        except OSError:  # no descriptor is left, and to return at once would be to spin
            _unpatched.poll().poll(_PAUSE if timeout is None else min(timeout * 1e3, _PAUSE))
            return []
        try:
            poll = _unpatched.poll()
            poll.register(duplicate.fd, IN)
            poll.poll(None if timeout is None else timeout * 1e3)
        finally:
            duplicate.close()
        return []

    def has_blocked_threads(self) -> bool:
        """Whether a thread may be blocked in `poll` or `block`."""
        return self.backend.is_in_use()

    def cancel_block(self, on: bool) -> None:
        """Make the threads in `block` return, until this is turned off again."""
        with _fork.lock():
            if self.state is CLOSED:
                return
            # As long as the kernel object has the wake-up file, this is not 0.
            if on:
                self.cancelled += 1
                self.notify(True)
                return
            try:
                if self.cancelled == 1:
                    self.notify(False)
            finally:
                self.cancelled -= 1

    @abstractmethod
    def give_back(self, pairs: List[Pair]) -> List[Pair]:
        """Make the kernel report again what a caller took and cannot use.

        Returns the pairs that cannot be given back.
        """

    def merge(self, taken: List[Pair]) -> List[Pair]:
        """Return pairs that were taken from read-once files, and what is ready now."""
        known = dict(taken)
        for fd, mask in self.poll(0):
            known[fd] = known.get(fd, 0) | mask
        return list(known.items())

    def notify(self, on: bool) -> None:
        """Wake the threads that are blocked in `poll`."""
        try:
            self.backend.notify(wakeup_fd(), on)
        except (OSError, ValueError):
            pass  # it is notified already, closed, another object by now, or nothing is left

    # The outer pollers and other waiters that have to be told.

    def joined(self, outer: Container, waiters: Any) -> None:
        """Note that an outer poller holds our descriptor; the lock is held."""
        if self.waiters is _NOBODY:
            self.waiters = {}
        # A poller may outlive many threads, each with a hub of its own.
        for each in [each for each in tuple(self.waiters) if each.gone]:
            self.waiters.pop(each, None)
        self.waiters[outer] = waiters

    def leave(self, outer: Container) -> None:
        """Give up our place in one outer poller; whoever waits there looks again."""
        waiters = self.waiters.get(outer)
        if waiters is not None:
            outer.leave(waiters)
            if self.waiters.get(outer) is waiters:  # not before: a signal handler may raise
                self.waiters.pop(outer, None)

    def refuse(self) -> None:
        """Leave every outer poller for good, as the kernel does not allow one more level."""
        self.refused = True
        self.leave_all()

    def leave_all(self) -> None:
        for outer in tuple(self.waiters):
            self.leave(outer)

    def watch_per_file(self, waiters: Any, on: bool) -> None:
        """Note that these waiters watch the files one by one, or have stopped doing so."""
        with _fork.lock():
            if on and not self.shared():
                self.raise_closed()
            if on and self.per_file_waiters is _NOBODY:
                self.per_file_waiters = {}
            if on:
                self.per_file_waiters[waiters] = None
            else:
                self.per_file_waiters.pop(waiters, None)

    def changed(self) -> None:
        """Tell the waiters that watch the files one by one that the files have changed."""
        for waiters in tuple(self.per_file_waiters):
            waiters.outer.notify(waiters)

    def close(self) -> None:
        """Release everything and wake whoever waits.  Every later call raises ValueError."""
        with _fork.lock():
            if self.state is CLOSED:
                return
            is_ours = _fork.is_current(self.state)
            self.state = CLOSED
            try:
                self._let_go(is_ours)
            except BaseException:  # of a signal handler, in the middle of it
                self._let_go(is_ours)
                raise
            finally:
                if is_ours:
                    self.backend.close()
                else:
                    self.backend.close_inherited()

    def _let_go(self, is_ours: bool) -> None:
        """Wake whoever waits: this is closed.  To call this twice does no harm."""
        if is_ours:
            self.leave_all()
            self.changed()
            if self.has_blocked_threads():
                self.notify(True)
        shadow, self.shadow = self.shadow, None
        if shadow is not None:
            shadow.poller.close()

    def __del__(self) -> None:
        # The interpreter would close the descriptor even if the number is somebody else's by now.
        # A forked child may keep our kernel object alive, and with it our place in an outer poller.
        try:
            if self.state is CLOSED or sys.is_finalizing():
                return
        except AttributeError:  # a signal handler has raised before there was anything
            return
        _fork.notice()  # in a child, finalizers run before anybody is told
        self.close()
