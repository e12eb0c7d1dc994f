"""kqueue(2): macOS and the BSDs."""

from __future__ import annotations

from selectors import EVENT_READ, EVENT_WRITE, SelectorKey
from typing import Any, Dict, List, Optional

from .. import _owned, _unpatched
from .._unpatched import is_open, system
from ._base import Backend, Pair

# <sys/event.h>: the same on every platform that has it.
_FILTER_READ = -1
_FILTER_WRITE = -2
_FILTERS = ((EVENT_READ, _FILTER_READ), (EVENT_WRITE, _FILTER_WRITE))
_ADD = 0x1
_DELETE = 0x2
_ONESHOT = 0x10
_CLEAR = 0x20

_EXTRAS = {_ONESHOT: "KQ_EV_ONESHOT", _CLEAR: "KQ_EV_CLEAR"}

# The position of the events' flags in a pair's mask, above EVENT_READ and EVENT_WRITE.
_FLAGS = 16

# Room for so many events at first; see _epoll.
_ROOM = 64


class KqueueBackend(Backend):
    name = "kqueue"
    notices_changes = True
    wakes_on_close = False
    extras = _EXTRAS
    edges = _ONESHOT | _CLEAR
    once = _ONESHOT

    def __init__(self, native: Any = None, is_ours: bool = True) -> None:
        self.native = _unpatched.kqueue() if native is None else native
        self._room = _ROOM
        self._fd, self._owner = -1, object()
        if is_ours:
            self._fd = self.native.fileno()
            _owned.claim(self._fd, self._owner)
        self._process = system.getpid()
        #: Whether a file was ever registered with extra events, whose flags must be removed later.
        self._has_flags = False
        #: {(ident, filter): key} of what `add_kevent` was given.
        self.others: Dict[Any, SelectorKey] = {}

    def register(self, fd: int, events: int, extra: int = 0) -> None:
        try:
            self.modify(fd, events, 0, extra)
        except BaseException:
            self.unregister(fd, events)  # the first filter may have been added, the second not
            raise

    def modify(self, fd: int, events: int, before: int, extra: int = 0) -> None:
        if self._has_flags:
            self.unregister(fd, before)  # adding a filter again does not remove its flags
        self._has_flags = self._has_flags or bool(extra)
        for event, kind in _FILTERS:
            if events & event:  # even if it was there: closing a file removes its filters
                self.native.control([_unpatched.kevent(fd, kind, _ADD | extra)], 0, 0)
        self.unregister(fd, before & ~events)

    def unregister(self, fd: int, before: int) -> None:
        for event, kind in _FILTERS:
            if before & event:
                try:
                    self.native.control([_unpatched.kevent(fd, kind, _DELETE)], 0, 0)
                except OSError:
                    pass  # closing a file removes its filters

    def poll(self, timeout: Optional[float]) -> List[Pair]:
        # A file may be reported once per filter; this becomes one pair (python/cpython 110038).
        events = self.native.control(None, self._room, timeout)
        if type(events) is not list:
            raise TypeError("it returns no list of events")  # a Mock, for one
        full = len(events) == self._room
        while full:
            self._room *= 2
            more = self.native.control(None, self._room, 0)
            full = len(more) == self._room
            events += more
        ready: Dict[Any, Any] = {}
        for event in events:
            if self.others and (event.ident, event.filter) in self.others:
                ready[event.ident, event.filter] = event
                continue
            kind = EVENT_READ if event.filter == _FILTER_READ else EVENT_WRITE
            if self._has_flags:
                kind |= event.flags << _FLAGS
            ready[event.ident] = ready.get(event.ident, 0) | kind
        return list(ready.items())

    def collect(self, *how: Any) -> List[Any]:
        found: List[Any] = self.native.control(*how)
        return found

    def without(self, wakeup_fd: int, found: List[Any]) -> List[Any]:
        wakeup = wakeup_fd, _FILTER_READ
        return [event for event in found if (event.ident, event.filter) != wakeup]

    def fileno(self) -> int:
        fd: int = self.native.fileno()
        return fd

    def close(self) -> None:
        if self._fd < 0 or (self._process == system.getpid() and self._is_kqueue()):
            _owned.release(self._fd, self._owner)
            self.native.close()
        else:
            _owned.abandon(self.native)
        self.others.clear()

    def is_ours(self) -> bool:
        # fork() does not inherit a kqueue, and its number is free in the child.  The old object
        # must never be finalized, or it closes that number (python/cpython 110395).
        if self._process != system.getpid():
            return False
        return self._fd < 0 or self._is_kqueue()

    def _is_kqueue(self) -> bool:
        try:
            self.native.control(None, 0, 0)
        except (OSError, ValueError):
            return False
        return _owned.is_owner(self._fd, self._owner)

    def fresh(self) -> KqueueBackend:
        made = KqueueBackend()
        for key in list(self.others.values()):
            try:
                made.add_kevent(key)
            except OSError:
                continue  # a process that has ended, or that a child may not watch
        return made

    def replace(self, fresh: KqueueBackend) -> None:
        # It was lost, or is the parent's.  A kqueue forgets closed files, so it is never stale.
        self._take(fresh, fresh.native, fresh._fd)

    def is_inherited(self) -> bool:
        return not is_open(self._fd) or _owned.is_owner(self._fd, self._owner)

    def replace_in_child(self, fresh: KqueueBackend) -> None:
        # `is_inherited`, so the number is ours, or was free before `fresh` was opened.
        number = self._fd
        if fresh._fd == number:  # it was the lowest free number
            self._take(fresh, fresh.native, number)
            return
        system.dup2(fresh._fd, number, False)
        fresh.close()
        self._take(fresh, _unpatched.kqueue.fromfd(number), number)

    def _take(self, fresh: KqueueBackend, native: Any, fd: int) -> None:
        _owned.abandon(self.native)
        self.native, self._fd, self._process = native, fd, fresh._process
        _owned.claim(fd, self._owner)

    def notify(self, wakeup_fd: int, on: bool) -> None:
        event = _unpatched.kevent(wakeup_fd, _FILTER_READ, _ADD if on else _DELETE)
        self.native.control([event], 0, 0)

    def report_changes_only(self, fd: int, events: int, extra: int = 0) -> None:
        for event, kind in _FILTERS:
            if events & event:
                self.native.control([_unpatched.kevent(fd, kind, _ADD | _CLEAR | extra)], 0, 0)

    def timeout(self, timeout: Any) -> Any:
        return timeout

    def validate_timeout(self, argument: Any) -> None:
        self.native.control(None, 0, argument)  # for no events it does not wait

    def events(self, mask: int) -> int:
        return mask & (EVENT_READ | EVENT_WRITE)

    def native_mask(self, mask: int) -> int:
        return mask >> _FLAGS

    def events_beside(self, mask: int, extra: int) -> int:
        return self.events(mask)

    def refusal(self, events: int, extra: int) -> str:
        return "" if events else "extra_events of a kqueue need EVENT_READ or EVENT_WRITE"

    def add_kevent(self, key: SelectorKey) -> None:
        """Watch what the kevent in a key asks for, which is not reading or writing a file."""
        wanted: Any = key.fileobj
        if wanted.filter in (_FILTER_READ, _FILTER_WRITE):
            raise ValueError("KQ_FILTER_READ and KQ_FILTER_WRITE are for files: call register()")
        if wanted.flags & _DELETE:
            raise ValueError("KQ_EV_DELETE removes a filter: call unregister_kevent()")
        if (wanted.ident, wanted.filter) in self.others:
            raise KeyError(f"{wanted!r} is already registered")
        self.others[wanted.ident, wanted.filter] = key
        try:
            self._control(wanted, wanted.flags | _ADD)
        except BaseException:
            del self.others[wanted.ident, wanted.filter]
            raise

    def remove_kevent(self, wanted: Any) -> SelectorKey:
        """Forget what `add_kevent` was given; the kernel may have done so before."""
        try:
            key = self.others.pop((wanted.ident, wanted.filter))
        except KeyError:
            raise KeyError(f"{wanted!r} is not registered") from None
        try:
            self._control(wanted, _DELETE)
        except OSError:
            pass  # a one-shot filter removes itself
        return key

    def _control(self, wanted: Any, flags: int) -> None:
        event = _unpatched.kevent(
            wanted.ident, wanted.filter, flags, wanted.fflags, wanted.data, wanted.udata
        )
        self.native.control([event], 0, 0)
