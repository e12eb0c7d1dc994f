"""How does one wait for a primitive that has no descriptor?

poll(2) and select(2) take the whole list of files at every call.  There is no kernel object that a
hub could watch.  A thread that is blocked in one does not notice when others register files or
close the selector.  So such a poller has a shadow, a kqueue or an epoll with the same files.  The
shadow waits, and the primitive itself still gives the answer.
"""

from __future__ import annotations

import errno
from selectors import EVENT_READ
from typing import Any, Callable, List, Optional, Set, Tuple, Type

from .. import _fork, _unpatched
from .._backends import BOTH, Backend, EpollBackend, KqueueBackend, Pair
from .._backends._base import extra_of
from .._unpatched import clock
from .._wakeup import wakeup_fd

# Up to so many files are looked up again before each sleep.  With more, that would cost as much as
# the wait itself, so they are looked up when a sleep has lasted so many seconds.
_FEW = 16
_SECOND_LOOK = 0.02

# No single wait is longer than a day: epoll(7) and kqueue(2) refuse what select(2) accepts.
_LONGEST = 86400.0

_POLLABLE: Tuple[Type[Any], ...] = (KqueueBackend, EpollBackend)


def _pollable_here() -> Optional[Type[Backend]]:
    """The first class whose descriptor can be waited for; None if this platform has none."""
    for kind in _POLLABLE:
        if getattr(_unpatched, kind.name) is not None:
            found: Type[Backend] = kind
            return found
    return None


def open_pollable() -> Optional[Backend]:
    """Open a backend whose descriptor can be waited for; None if this platform has none."""
    kind = _pollable_here()
    return None if kind is None else kind()


class Shadow:
    """A second registration of the files of `owner`, in a `poller` that has a descriptor."""

    def __init__(self, owner: Any, poller: Any) -> None:
        self._keys = owner.keys
        self.poller = poller
        #: Files that it refuses, and that the primitive reports at once: regular and closed ones.
        #: While there are any, it holds the wake-up file instead.
        self.always_ready: Set[int] = set()
        #: Edge-triggered files.
        self.changes_only: Set[int] = set()
        #: The kernel refuses a file for how deep it would lie, or cannot wait for what is asked.
        self.is_refused = False

    def add(self, fd: int, events: int, extra: int = 0) -> bool:
        """Watch a file; returns False if this shadow can no longer be used."""
        if extra and not isinstance(self.poller.backend, EpollBackend):
            self.is_refused = True
            return False
        self.changes_only.discard(fd)
        try:
            if extra and fd in self.poller.stale_fds:
                return False
            if fd == self.poller.descriptor():
                return True  # the file was closed while registered, and its number is now ours
            try:
                self.poller.register(fd, events, extra)
            except OverflowError:
                self._note_always_ready(fd)
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.EBADF):
                    raise
                self._note_always_ready(fd)
        except ValueError:
            pass  # another thread has dropped the shadow
        except OSError:
            self.is_refused = True
            return False
        return True

    def remove(self, fd: int, events: int) -> None:
        """Stop watching a file."""
        if fd not in self.always_ready:
            self.poller.unregister(fd, events)
            return
        self.always_ready.discard(fd)
        if not self.always_ready:
            self.poller.unregister(wakeup_fd(), EVENT_READ)

    def _note_always_ready(self, fd: int) -> None:
        self.always_ready.add(fd)
        self.poller.register(wakeup_fd(), EVENT_READ)

    def look_up(self, again: bool) -> Optional[float]:
        """Watch the files that the numbers mean now; returns when to ask `again`, in seconds.

        poll(2) and select(2) look up the numbers at each call.  The shadow looked them up when they
        were registered, and only the kernel knows whether they still mean the same files.
        """
        if len(self._keys) > _FEW and not again:
            return _SECOND_LOOK
        for fd in list(self._keys):
            if fd not in self.always_ready and fd not in self.changes_only:
                self._look_up(fd)
        return None

    def _look_up(self, fd: int) -> None:
        # Other threads write into the keys first, and tell the shadow afterwards.
        key: Any = self  # a value that no file is registered with
        while key is not self._keys.get(fd):
            key = self._keys.get(fd)
            if key is None:
                self.remove(fd, BOTH)
                continue
            try:
                self.poller.modify(fd, key.events, BOTH, extra_of(key))
            except (OSError, ValueError):
                self.add(fd, key.events, extra_of(key))

    def rewatch(self, fd: int, now: Any, before: Any) -> bool:
        """Watch a file again that is watched already; False if its number means another file."""
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
        """Find out why the shadow reported a file and the primitive did not.

        select(2) does not report a hang-up to a writer; from now on, the shadow watches that file
        edge-triggered.  A closed file of which a duplicate is open is reported forever, until there
        is a new shadow.  Returns whether to ask the primitive again; None if this shadow must be
        dropped.  `ask` is the owner's poll; an attribute for it would be a reference cycle.
        """
        reported = self.poller.poll(0)
        if ask(0):
            return True  # it has just come; if it is reported once only, that was now
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
        self.poller.poll(0)  # consumes what is reported once only
        return True


def open_shadow(owner: Any) -> None:
    """Give a poller a shadow, unless no descriptor is left or the platform has none."""
    try:
        inner = open_pollable()
    except OSError:
        return
    if inner is None:
        return
    with _fork.lock():
        if not owner.shared():
            inner.close()
            owner.raise_closed()
        if owner.shadow is not None:  # another thread was faster
            inner.close()
            return
        # It is put in place before it is filled.  So a file that another thread registers meanwhile
        # gets here by way of the shadow, or of its key.
        owner.shadow = Shadow(owner, type(owner)(inner, owner.keys))
        for fd, key in list(owner.keys.items()):
            owner.add_to_shadow(fd, key.events, extra_of(key))
        if owner.closed:  # by a signal handler, which the lock does not keep out
            owner.dismiss_shadow()
            owner.raise_closed()


def poll_noticing(owner: Any, timeout: Optional[float]) -> List[Pair]:
    """Poll in a thread, and notice changes that other threads make meanwhile."""
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
            is_short = timeout is not None and timeout <= _SECOND_LOOK
            is_last = is_short or _pollable_here() is None
            # No epoll can hold its files, or no descriptor is left, so it looks again and again.
            pairs = owner.poll(timeout if is_last else _SECOND_LOOK)
            if pairs or is_last:
                return pairs
            continue
        patience = owner.before_sleep(is_again)
        is_again = True
        if patience is None or (timeout is not None and timeout < patience):
            patience = None if timeout is None else min(timeout, _LONGEST)
        if owner.cancelled:  # asked for now that there is a shadow that can be told
            return []
        try:
            found = inner.poll(patience)
        except (OSError, ValueError):
            if not inner.closed:
                raise
            continue  # another thread has closed it, perhaps with `owner`: poll() tells
        taken = [pair for pair in found if pair[0] in owner.read_once]
        if taken:
            pairs = owner.merge(taken)
            return pairs
        if found and not owner.cancelled:
            owner.woken_in_vain()
