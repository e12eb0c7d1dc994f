"""How does one wait for a primitive that has no descriptor?

poll(2) and select(2) take the whole list of files at every call: there is no kernel object that a
hub could watch, and a thread that is blocked in one does not notice what others register, or that
they close the selector.  So such a poller keeps a companion, a poller that has a kernel object
(kqueue, epoll), filled with the same files.  The companion does the waiting, and the primitive
itself still gives the answer.  It is made when somebody has to wait for the first time.
"""

from __future__ import annotations

import errno
import time
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, List, Mapping, Optional, Set, Type

from .. import _unpatched
from ._base import Pair, Poller
from ._doorbell import doorbell
from ._epoll import EpollPoller
from ._kqueue import KqueuePoller
from ._renewal import extra_of
from ._waitable import Waitable

# Up to so many files are looked up anew before each sleep; with more, that would cost as much as
# the wait itself, so it is done when a sleep has lasted so many seconds.
_FEW = 16
_BOTH = EVENT_READ | EVENT_WRITE
_SECOND_LOOK = 0.02

_POLLABLE: tuple[Type[Poller], ...] = (KqueuePoller, EpollPoller)


def open_pollable(keys: Mapping[int, Any]) -> Optional[Poller]:
    """A poller that has a descriptor to wait on, or None where this platform has no such thing."""
    for kind in _POLLABLE:
        if getattr(_unpatched, kind.name) is not None:
            return kind(keys)
    return None


class CompanionPoller(Poller):
    """What `select` and `poll` share; see the top of this file."""

    notices_changes = False
    asks_at_once = False
    #: An instance has one of its own from its first wait on.
    _companion: Optional[Poller] = None

    def __init__(self, keys: Mapping[int, Any], primitive: Any = None) -> None:
        super().__init__(keys, primitive)
        #: What a companion does not take, and the primitive answers for at once: regular files,
        #: and closed ones.  While there are any, the companion holds the doorbell for them.
        self._always_ready: Set[int] = set()
        #: Those of which the companion tells changes only.
        self._told_once: Set[int] = set()

    def register(self, fd: int, events: int, extra: int = 0) -> None:
        if self._companion is not None:
            self._accompany(fd, events, extra)

    def modify(self, fd: int, events: int, before: int, extra: int = 0) -> None:
        if self._companion is not None:
            self._part_from(fd, before)
            self._accompany(fd, events, extra)

    def unregister(self, fd: int, before: int) -> None:
        if self._companion is not None:
            self._part_from(fd, before)

    def poll_noticing(self, timeout: Optional[float]) -> List[Pair]:
        deadline = None if timeout is None else time.monotonic() + timeout
        is_again = False
        while True:
            pairs = self.poll(0)
            if deadline is not None:
                timeout = deadline - time.monotonic()
            if pairs or (timeout is not None and timeout <= 0):
                return pairs
            try:
                companion = self._make_companion()
            except OSError:
                companion = None  # no descriptor left: wait as the standard module does
            if companion is None:
                return self.poll(0 if self.closed else timeout)
            patience = self.prepare_to_sleep(is_again)
            is_again = True
            if patience is None or (timeout is not None and timeout < patience):
                patience = timeout
            try:
                if companion.poll(patience):
                    self.woken_in_vain()
            except (OSError, ValueError):
                if not companion.closed:
                    raise
                # By another thread, which may have closed us with it: poll(0) knows.

    def wait_fd(self) -> Optional[int]:
        companion = self._make_companion()
        return None if companion is None else companion.wait_fd()

    def must_not_sleep(self) -> bool:
        # poll(2) and select(2) tell of a closed file, which the companion has just forgotten.
        if self._companion is None:
            return False
        try:
            return bool(self.poll(0))
        except OSError:
            return True

    def prepare_to_sleep(self, again: bool = False) -> Optional[float]:
        # poll(2) and select(2) look the numbers up at each call.  The companion has looked when
        # they were registered, and the kernel alone knows whether that still holds.
        companion = self._companion
        if companion is None:
            return None
        if len(self.keys) > _FEW and not again:
            return _SECOND_LOOK
        for fd in list(self.keys):
            if fd not in self._always_ready and fd not in self._told_once:
                self._look_up(companion, fd)
        return None

    def _look_up(self, companion: Poller, fd: int) -> None:
        # Other threads write into `keys` first and tell the companion then, as in `settle`.
        key: Any = self  # which no file is registered with
        while key is not self.keys.get(fd):
            key = self.keys.get(fd)
            if key is None:
                self._part_from(fd, _BOTH)
                continue
            try:
                companion.modify(fd, key.events, _BOTH, extra_of(key))
            except (OSError, ValueError):
                self._accompany(fd, key.events, extra_of(key))

    def woken_in_vain(self) -> bool:
        # The companion can report what the primitive does not: a hang-up, where select(2) was asked
        # for writing only, or a file that was closed and lives on in a duplicate.  The one is told
        # once per change from now on; only a new companion is rid of the other.
        companion = self._companion
        if companion is None:
            return False
        try:
            return self._find_out(companion)
        except (OSError, ValueError):
            if not companion.closed:
                raise
            return True  # another thread has dismissed it

    def _find_out(self, companion: Poller) -> bool:
        reported = companion.poll(0)
        if self.poll(0):
            return True  # come just now, and if it is told once, it has been told
        if not reported:
            return False
        for fd, _ in reported:
            key = self.keys.get(fd)
            try:
                if key is None or fd in self._told_once:
                    raise FileNotFoundError
                companion.only_changes(fd, key.events, extra_of(key))
            except OSError:
                self._dismiss()
                return True
            self._told_once.add(fd)
        companion.poll(0)  # takes what is told once out of the way
        return True

    def withdraw(self) -> None:
        super().withdraw()
        self._dismiss()

    def _close(self) -> None:
        super()._close()
        self._dismiss()

    def forked(self) -> None:
        Waitable.forked(self)
        if self._companion is not None:
            self._companion.forked()
        self._dismiss()

    def _make_companion(self) -> Optional[Poller]:
        while not (self.refused or self.closed):
            if self._companion is not None:
                return self._companion
            # It is in its place before it is filled: another thread that registers a file
            # meanwhile finds either it or the file's key here.
            made = open_pollable(self.keys)
            if made is None:
                return None
            if made is vars(self).setdefault("_companion", made):
                for fd, key in list(self.keys.items()):
                    self._accompany(fd, key.events, extra_of(key))
                if self.closed:  # by another thread, which knew of no companion yet
                    self._dismiss()
        return None

    def _accompany(self, fd: int, events: int, extra: int = 0) -> None:
        companion = self._companion
        if companion is None:
            return
        if extra and not isinstance(companion, EpollPoller):
            self.withdraw()  # it cannot wait for that
            return
        self._told_once.discard(fd)
        try:
            if extra and companion.suspects:
                # It would put another in its place, and the nest that holds it lose sight of us.
                self._dismiss()
                return
            if fd == companion.fileno():
                return  # a file was closed while registered, and its number is ours by now
            try:
                companion.register(fd, events, extra)
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.EBADF):
                    raise
                self._always_ready.add(fd)
                companion.register(doorbell(), EVENT_READ)
        except ValueError:
            pass  # dismissed by another thread
        except OSError:
            self.withdraw()

    def _part_from(self, fd: int, events: int) -> None:
        companion = self._companion
        if companion is None:
            return
        try:
            if fd not in self._always_ready:
                companion.unregister(fd, events)
                return
            self._always_ready.discard(fd)
            if not self._always_ready:
                companion.unregister(doorbell(), EVENT_READ)
        except ValueError:
            if not companion.closed:
                raise
            # dismissed by another thread

    def _dismiss(self) -> None:
        companion = vars(self).pop("_companion", None)
        self._always_ready.clear()
        self._told_once.clear()
        if companion is not None:
            self._leave_nests()
            companion.close()
