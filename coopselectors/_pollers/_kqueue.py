"""kqueue(2): macOS and the BSDs."""

from __future__ import annotations

from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, List, Mapping, Optional

from .. import _originals
from ._base import Pair, Poller

# <sys/event.h>: the same on every platform that has it.
_FILTER_READ = -1
_FILTER_WRITE = -2
_FILTERS = ((EVENT_READ, _FILTER_READ), (EVENT_WRITE, _FILTER_WRITE))
_ADD = 0x1
_DELETE = 0x2
_CLEAR = 0x20

# Objects that name what a forked child did not inherit; see `KqueuePoller.reopen`.
_parents: List[Any] = []


class KqueuePoller(Poller):
    name = "kqueue"

    def __init__(self, keys: Mapping[int, Any], primitive: Any = None) -> None:
        super().__init__(keys)
        self._primitive = primitive or _originals.kqueue
        self._kqueue = self._primitive()
        self._number = self._kqueue.fileno()

    def register(self, fd: int, events: int) -> None:
        try:
            self.modify(fd, events, 0)
        except BaseException:
            self.unregister(fd, events)  # the first filter may have been taken, the second not
            raise

    def modify(self, fd: int, events: int, before: int) -> None:
        for event, kind in _FILTERS:
            if events & event:  # also what was there: it is gone if the file was closed since
                self._kqueue.control([_originals.kevent(fd, kind, _ADD)], 0, 0)
        self.unregister(fd, before & ~events)

    def unregister(self, fd: int, before: int) -> None:
        for event, kind in _FILTERS:
            if before & event:
                try:
                    self._kqueue.control([_originals.kevent(fd, kind, _DELETE)], 0, 0)
                except OSError:
                    pass  # closing a file removes its filters

    def poll(self, timeout: Optional[float]) -> List[Pair]:
        # A file can come twice, once per filter: there has to be room for both, and both become
        # one pair (python/cpython 110038).
        ready: dict[int, int] = {}
        for event in self._kqueue.control(None, 2 * len(self.keys) or 1, timeout):
            kind = EVENT_READ if event.filter == _FILTER_READ else EVENT_WRITE
            ready[event.ident] = ready.get(event.ident, 0) | kind
        return list(ready.items())

    def events(self, mask: int) -> int:
        return mask

    def only_changes(self, fd: int, events: int) -> None:
        for event, kind in _FILTERS:
            if events & event:
                self._kqueue.control([_originals.kevent(fd, kind, _ADD | _CLEAR)], 0, 0)

    def wait_fd(self) -> Optional[int]:
        return self.fileno()

    def fileno(self) -> int:
        fd: int = self._kqueue.fileno()
        return fd

    def reopen(self) -> None:
        # A kqueue is not inherited, and its number is free: the new one may well get it.  The old
        # object must never be finalised, or it closes that number (python/cpython 110395).
        _parents.append(self._kqueue)
        self._kqueue = self._primitive()

    def reopen_in_place(self) -> None:
        number = self._number
        self.reopen()
        _originals.dup2(self._kqueue.fileno(), number, False)
        self._kqueue.close()
        self._kqueue = self._primitive.fromfd(number)

    def _close(self) -> None:
        super()._close()
        self._wake_blocked()
        self._kqueue.close()
