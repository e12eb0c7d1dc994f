"""epoll(7): Linux."""

from __future__ import annotations

import errno
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, List, Mapping, Optional, Set

from .. import _originals
from ._base import IN, OUT, Pair, Poller

# Room for as many files as other threads may register while we wait.
_SPARE = 64

_ET = 1 << 31

_MASKS = (0, IN, OUT, IN | OUT)  # indexed by EVENT_READ | EVENT_WRITE


class EpollPoller(Poller):
    name = "epoll"

    def __init__(self, keys: Mapping[int, Any], primitive: Any = None) -> None:
        super().__init__(keys)
        self._primitive = primitive or _originals.epoll
        self._epoll = self._primitive()
        self.suspects: Set[int] = set()
        #: What is about to take our place; what other threads change meanwhile may go astray.
        self._renewals: List[EpollPoller] = []

    def register(self, fd: int, events: int) -> None:
        try:
            self._epoll.register(fd, _MASKS[events])
        except FileExistsError:
            # Our user's own book says that it is not there.  It was closed and duplicated back
            # under its number, or we have just been renewed by another thread.
            self._put(fd, _MASKS[events])
        except OSError as error:
            # Deeper than the kernel's limits allow (epoll_ctl(2): EINVAL, ELOOP), and only
            # because a nest holds us: without it there is one level less.
            if error.errno not in (errno.EINVAL, errno.ELOOP) or not self.seats:
                raise
            self.withdraw()
            self._epoll.register(fd, _MASKS[events])

    def modify(self, fd: int, events: int, before: int) -> None:
        epoch = self.epoch
        try:
            self._epoll.modify(fd, _MASKS[events])
        except FileNotFoundError:
            if not self._renewals and self.epoch is epoch:
                raise
            self._put(fd, _MASKS[events])

    def _put(self, fd: int, mask: int) -> None:
        """Watch a file of which another thread may just be telling the kernel, too."""
        while True:
            try:
                self._epoll.modify(fd, mask)
                return
            except FileNotFoundError:
                pass
            try:
                self._epoll.register(fd, mask)
                return
            except FileExistsError:
                pass

    def unregister(self, fd: int, before: int) -> None:
        try:
            self._epoll.unregister(fd)
        except OSError:
            self.suspects.add(fd)

    def poll(self, timeout: Optional[float]) -> List[Pair]:
        # The interpreter takes its room for events from malloc(), untouched: asking for all that
        # are registered, and for what other threads register meanwhile, costs the same as asking
        # for one; and no ready file has to wait its turn.
        room = len(self.keys) + _SPARE
        # PyPy's has no None for "for ever".
        pairs: List[Pair] = self._epoll.poll(-1 if timeout is None else timeout, room)
        while len(pairs) == room:
            room *= 2
            more: List[Pair] = self._epoll.poll(0, room)
            pairs = list({**dict(pairs), **dict(more)}.items()) if len(more) < room else more
        return pairs

    def events(self, mask: int) -> int:
        return (mask & ~IN and EVENT_WRITE) | (mask & ~OUT and EVENT_READ)

    def wait_fd(self) -> Optional[int]:
        return self.fileno()

    def fileno(self) -> int:
        fd: int = self._epoll.fileno()
        return fd

    def only_changes(self, fd: int, events: int) -> None:
        self._epoll.modify(fd, _MASKS[events] | _ET)

    def purge(self, force: bool = False) -> None:
        # A registration belongs to the open file, not to its number: a file that was closed, but
        # lives on in a duplicate, is reported for ever and cannot be named any more (epoll(7),
        # "Will closing a file descriptor cause it to be removed").  Only an empty epoll helps.
        if self.suspects or force:
            self.suspects.clear()
            self.renew()
            self._leave_nests()

    def reopen(self) -> None:
        parents, self._epoll = self._epoll, self._primitive()
        parents.close()

    def reopen_in_place(self) -> None:
        # Filled before it takes the other's place: who polls meanwhile misses nothing.
        known = dict(self.keys)
        fresh = EpollPoller(known, self._primitive)
        self._renewals.append(fresh)
        try:
            fresh.refill()
            _originals.dup2(fresh.fileno(), self.fileno(), False)
            now = dict(self.keys)
            for fd in known.keys() | now.keys():
                if known.get(fd) is not now.get(fd):  # changed by another thread, perhaps in vain
                    self.settle(fd)
        finally:
            self.epoch = object()
            self._renewals.remove(fresh)
            fresh._epoll.close()

    def _close(self) -> None:
        super()._close()
        self._wake_blocked()
        self._epoll.close()
