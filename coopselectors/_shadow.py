"""How does one wait for a primitive that has no descriptor?

poll(2) and select(2) take the whole list of files at every call.  There is no kernel object that a
hub could watch, and a thread that is blocked in one does not notice what others register, or that
they close the selector.  So such a poller has a shadow, a kqueue or an epoll with the same files.
The shadow does the waiting, and the primitive itself still gives the answer.
"""

from __future__ import annotations

import errno
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, Callable, List, Optional, Set, Tuple, Type

from . import _fork, _unpatched
from ._backends import Backend, EpollBackend, KqueueBackend, Pair
from ._backends._base import extra_of
from ._unpatched import clock
from ._wakeup import wakeup_fd

_BOTH = EVENT_READ | EVENT_WRITE

# Up to so many files are looked up anew before each sleep.  With more, that would cost as much as
# the wait itself, so it is done when a sleep has lasted so many seconds.
_FEW = 16
_SECOND_LOOK = 0.02

_POLLABLE: Tuple[Type[Any], ...] = (KqueueBackend, EpollBackend)


def open_pollable() -> Optional[Backend]:
    """A backend that has a descriptor to wait on, or None where this platform has no such thing."""
    for kind in _POLLABLE:
        if getattr(_unpatched, kind.name) is not None:
            backend: Backend = kind()
            return backend
    return None


class Shadow:
    """The files of `owner` once more, in `poller`, whose kernel object has a descriptor."""

    def __init__(self, owner: Any, poller: Any) -> None:
        self._keys = owner.keys
        self.poller = poller
        #: Files that it does not take, and the primitive answers for at once: regular and closed
        #: ones.  While there are any, it holds the wake-up file for them.
        self.always_ready: Set[int] = set()
        #: Files of which it reports changes only.
        self.changes_only: Set[int] = set()
        #: The kernel refuses a file for how deep it would lie, or cannot wait for what is asked.
        self.is_refused = False

    def add(self, fd: int, events: int, extra: int = 0) -> bool:
        """Watch a file; returns False if this shadow is of no use any more."""
        if extra and not isinstance(self.poller.backend, EpollBackend):
            self.is_refused = True
            return False
        self.changes_only.discard(fd)
        try:
            if extra and fd in self.poller.stale_fds:
                return False
            if fd == self.poller.descriptor():
                return True  # a file was closed while registered, and its number is ours by now
            try:
                self.poller.register(fd, events, extra)
            except OverflowError:
                self._note_always_ready(fd)
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.EBADF):
                    raise
                self._note_always_ready(fd)
        except ValueError:
            pass  # dismissed by another thread
        except OSError:
            self.is_refused = True
            return False
        return True

    def remove(self, fd: int, events: int) -> bool:
        """Watch a file no longer; returns whether this shadow can still be used."""
        try:
            if fd not in self.always_ready:
                self.poller.unregister(fd, events)
                return True
            self.always_ready.discard(fd)
            if not self.always_ready:
                self.poller.unregister(wakeup_fd(), EVENT_READ)
        except ValueError:
            if not self.poller.closed:
                raise
        return True

    def _note_always_ready(self, fd: int) -> None:
        self.always_ready.add(fd)
        self.poller.register(wakeup_fd(), EVENT_READ)

    def look_up(self, again: bool) -> Optional[float]:
        """Watch the files that the numbers mean now; returns when to ask `again`, in seconds.

        poll(2) and select(2) look the numbers up at each call.  The shadow has looked when they
        were registered, and the kernel alone knows whether that still holds.
        """
        if len(self._keys) > _FEW and not again:
            return _SECOND_LOOK
        for fd in list(self._keys):
            if fd not in self.always_ready and fd not in self.changes_only:
                self._look_up(fd)
        return None

    def _look_up(self, fd: int) -> None:
        # Other threads write into the keys first and tell the shadow then.
        key: Any = self  # which no file is registered with
        while key is not self._keys.get(fd):
            key = self._keys.get(fd)
            if key is None:
                self.remove(fd, _BOTH)
                continue
            try:
                self.poller.modify(fd, key.events, _BOTH, extra_of(key))
            except (OSError, ValueError):
                self.add(fd, key.events, extra_of(key))

    def is_as_it_was(self, fd: int, now: Any, before: Any) -> bool:
        """Watch a file that is watched already, unless its number means another file by now."""
        if before is None or now.extra_events or before.extra_events:
            return False
        if fd in self.always_ready or fd in self.changes_only:
            return False
        try:
            self.poller.modify(fd, now.events, before.events)
        except (OSError, ValueError):
            return False
        return True

    def found_otherwise(self, ask: Callable[[float], List[Pair]]) -> Optional[bool]:
        """What the shadow reported, the primitive did not: find out why.

        select(2) does not report a hang-up to whoever wants to write only: the shadow reports that
        file's changes only from now on.  A file that was closed and lives on in a duplicate is
        reported for ever, and only a new shadow is rid of it.  Returns whether to ask the primitive
        again, None if this shadow has to go.  `ask` is the owner's poll; to hold it would be a
        cycle.
        """
        reported = self.poller.poll(0)
        if ask(0):
            return True  # it came just now, and if it is reported once, it has been
        if not reported:
            return False
        for fd, _ in reported:
            key = self._keys.get(fd)
            if key is None or fd in self.changes_only:
                return None
            try:
                self.poller.backend.report_changes_only(fd, key.events, extra_of(key))
            except OSError:
                return None
            self.changes_only.add(fd)
        self.poller.poll(0)  # takes what is reported once out of the way
        return True


def open_shadow(owner: Any) -> None:
    """Give a poller a shadow, unless there is no descriptor left or no such thing here."""
    try:
        inner = open_pollable()
    except OSError:
        return
    if inner is None:
        return
    with _fork.lock():
        if owner.closed:
            inner.close()
            owner.raise_closed()
        if owner.shadow is not None:  # another thread was faster
            inner.close()
            return
        # In its place before it is filled: another thread that registers a file meanwhile finds
        # either it or the file's key here.
        owner.shadow = Shadow(owner, type(owner)(inner, owner.keys))
        for fd, key in list(owner.keys.items()):
            owner.tell_shadow("add", fd, key.events, extra_of(key))
        if owner.closed:  # by a signal handler, which the lock does not keep out
            owner.dismiss_shadow()
            owner.raise_closed()


def poll_noticing(owner: Any, timeout: Optional[float]) -> List[Pair]:
    """Poll in a thread, and notice what other threads change meanwhile."""
    deadline = None if timeout is None else clock.monotonic() + timeout
    is_again = False
    while True:
        pairs: List[Pair] = owner.poll(0)
        if deadline is not None:
            timeout = deadline - clock.monotonic()
        if pairs or (timeout is not None and timeout <= 0):
            return pairs
        inner = owner.pollable()
        if inner is None:
            pairs = owner.poll(0 if owner.closed else timeout)
            return pairs
        patience = owner.before_sleep(is_again)
        is_again = True
        if patience is None or (timeout is not None and timeout < patience):
            patience = timeout
        try:
            found = inner.poll(patience)
        except (OSError, ValueError):
            if not inner.closed:
                raise
            continue  # by another thread, which may have closed `owner` with it: poll() knows
        taken = [pair for pair in found if pair[0] in owner.told_once]
        if taken:
            pairs = owner.merge(taken)
            return pairs
        if owner.cancelled:
            return []
        if found:
            owner.woken_in_vain()


def woken_in_vain(owner: Any, shadow: Shadow) -> bool:
    """The shadow's descriptor was readable, and the primitive found nothing.

    Returns whether to ask it again.
    """
    try:
        found = shadow.found_otherwise(owner.poll)
    except (OSError, ValueError):
        if not shadow.poller.closed:
            raise
        return True  # another thread has dismissed it
    if found is None and owner.shadow is shadow:
        owner.dismiss_shadow()
    return found is not False
