"""kqueue(2): macOS and the BSDs."""

from __future__ import annotations

from selectors import EVENT_READ, EVENT_WRITE, SelectorKey
from typing import Any, Dict, List, Mapping, Optional

from .. import _unpatched
from ._base import Pair, Poller

# <sys/event.h>: the same on every platform that has it.
_FILTER_READ = -1
_FILTER_WRITE = -2
_FILTERS = ((EVENT_READ, _FILTER_READ), (EVENT_WRITE, _FILTER_WRITE))
_ADD = 0x1
_DELETE = 0x2
_ONESHOT = 0x10
_CLEAR = 0x20

_EXTRAS = {_ONESHOT: "KQ_EV_ONESHOT", _CLEAR: "KQ_EV_CLEAR"}

# Where a pair's mask has the flags of its events, beside EVENT_READ and EVENT_WRITE.
_FLAGS = 16

# Objects that name what a forked child did not inherit; see `KqueuePoller.reopen`.
_parents: List[Any] = []


class KqueuePoller(Poller):
    name = "kqueue"
    extras = _EXTRAS
    edges = _ONESHOT | _CLEAR
    once = _ONESHOT

    def __init__(self, keys: Mapping[int, Any], primitive: Any = None) -> None:
        super().__init__(keys)
        self._primitive = primitive or _unpatched.kqueue
        self._kqueue = self._primitive()
        self._number = self._kqueue.fileno()
        #: {(ident, filter): key} of what `add` was given.
        self.others: Dict[Any, SelectorKey] = {}

    def register(self, fd: int, events: int, extra: int = 0) -> None:
        try:
            self.modify(fd, events, 0, extra)
        except BaseException:
            self.unregister(fd, events)  # the first filter may have been taken, the second not
            raise

    def modify(self, fd: int, events: int, before: int, extra: int = 0) -> None:
        if self.has_extras:
            self.unregister(fd, before)  # adding a filter once more does not take its flags away
        for event, kind in _FILTERS:
            if events & event:  # also what was there: it is gone if the file was closed since
                self._kqueue.control([_unpatched.kevent(fd, kind, _ADD | extra)], 0, 0)
        self.unregister(fd, before & ~events)

    def refusal(self, events: int, extra: int) -> str:
        return "" if events else "the flags of a kqueue's events need events that have them"

    def add(self, key: SelectorKey) -> None:
        """Watch what the kevent in a key asks for, which is no file to read or to write."""
        wanted: Any = key.fileobj
        self.fileno()  # a ValueError if closed, and a forked child's own one
        if wanted.filter in (_FILTER_READ, _FILTER_WRITE):
            raise ValueError("a file to read or to write is for register(), and not for a kevent")
        if wanted.flags & _DELETE:
            raise ValueError("KQ_EV_DELETE is for unregister_kevent()")
        if (wanted.ident, wanted.filter) in self.others:
            raise KeyError(f"{wanted!r} is already registered")
        self.has_extras = True
        self.others[wanted.ident, wanted.filter] = key
        try:
            self._control(wanted, wanted.flags | _ADD)
        except BaseException:
            del self.others[wanted.ident, wanted.filter]
            raise

    def remove(self, wanted: Any) -> SelectorKey:
        """Forget what `add` was given; the kernel may have done so before."""
        self.fileno()
        try:
            key = self.others.pop((wanted.ident, wanted.filter))
        except KeyError:
            raise KeyError(f"{wanted!r} is not registered") from None
        try:
            self._control(wanted, _DELETE)
        except OSError:
            pass  # one that is told of once goes by itself
        return key

    def _control(self, wanted: Any, flags: int) -> None:
        event = _unpatched.kevent(
            wanted.ident, wanted.filter, flags, wanted.fflags, wanted.data, wanted.udata
        )
        self._kqueue.control([event], 0, 0)

    def unregister(self, fd: int, before: int) -> None:
        if self.spent:
            self.rearm(fd)
        for event, kind in _FILTERS:
            if before & event:
                try:
                    self._kqueue.control([_unpatched.kevent(fd, kind, _DELETE)], 0, 0)
                except OSError:
                    pass  # closing a file removes its filters

    def poll(self, timeout: Optional[float]) -> List[Pair]:
        # A file can come twice, once per filter: there has to be room for both, and both become
        # one pair (python/cpython 110038).
        ready: dict[Any, Any] = {}
        room = 2 * len(self.keys) + len(self.others)
        try:
            events = self._kqueue.control(None, room or 1, timeout)
        except OSError as error:
            raise self.closed_or(error) from None
        for event in events:
            if self.others and (event.ident, event.filter) in self.others:
                ready[event.ident, event.filter] = event
                continue
            kind = EVENT_READ if event.filter == _FILTER_READ else EVENT_WRITE
            if self.has_extras:
                kind |= event.flags << _FLAGS
            ready[event.ident] = ready.get(event.ident, 0) | kind
        return list(ready.items())

    def events(self, mask: int) -> int:
        return mask & (EVENT_READ | EVENT_WRITE)

    def native(self, mask: int) -> int:
        return mask >> _FLAGS

    def events_beside(self, mask: int, extra: int) -> int:
        return self.events(mask)

    def only_changes(self, fd: int, events: int, extra: int = 0) -> None:
        for event, kind in _FILTERS:
            if events & event:
                self._kqueue.control([_unpatched.kevent(fd, kind, _ADD | _CLEAR | extra)], 0, 0)

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

    def refill(self) -> None:
        super().refill()
        for key in list(self.others.values()):
            wanted: Any = key.fileobj
            try:
                self._control(wanted, wanted.flags | _ADD)
            except OSError:
                continue  # a process that has ended, or is none that a child may watch

    def reopen_in_place(self) -> None:
        number = self._number
        self.reopen()
        _unpatched.dup2(self._kqueue.fileno(), number, False)
        self._kqueue.close()
        self._kqueue = self._primitive.fromfd(number)

    def _close(self) -> None:
        super()._close()
        self._wake_blocked()
        self._kqueue.close()
        self.others.clear()
