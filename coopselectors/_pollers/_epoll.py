"""epoll(7): Linux."""

from __future__ import annotations

import errno
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, List, Mapping, Optional, Set

from .. import _unpatched
from ._base import IN, OUT, Pair, Poller
from ._doorbell import doorbell
from ._renewal import extra_of

# Room for as many files as other threads may register while we wait.
_SPARE = 64

# <sys/eventpoll.h>; the interpreter does not name them all, nor on every version.
_ET = 1 << 31
_ONESHOT = 1 << 30
_WAKEUP = 1 << 29
_EXCLUSIVE = 1 << 28
_ERR = 0x008
_HUP = 0x010

_EXTRAS = {
    0x002: "EPOLLPRI",
    _ERR: "EPOLLERR",
    _HUP: "EPOLLHUP",
    0x040: "EPOLLRDNORM",
    0x080: "EPOLLRDBAND",
    0x100: "EPOLLWRNORM",
    0x200: "EPOLLWRBAND",
    0x400: "EPOLLMSG",
    0x2000: "EPOLLRDHUP",
    _EXCLUSIVE: "EPOLLEXCLUSIVE",
    _WAKEUP: "EPOLLWAKEUP",
    _ONESHOT: "EPOLLONESHOT",
    _ET: "EPOLLET",
}

# What epoll_ctl(2) allows beside EPOLLEXCLUSIVE.
_WITH_EXCLUSIVE = _EXCLUSIVE | _WAKEUP | _ET | _ERR | _HUP

_MASKS = (0, IN, OUT, IN | OUT)  # indexed by EVENT_READ | EVENT_WRITE


class EpollPoller(Poller):
    name = "epoll"
    extras = _EXTRAS
    edges = _ET | _ONESHOT
    once = _ONESHOT
    # The numbers of files that are registered with EPOLLEXCLUSIVE.
    _exclusive: Set[int] = frozenset()  # type: ignore[assignment]  # until there is one

    def __init__(self, keys: Mapping[int, Any], primitive: Any = None) -> None:
        super().__init__(keys)
        self._primitive = primitive or _unpatched.epoll
        self._epoll = self._primitive()
        self.suspects: Set[int] = set()
        #: What is about to take our place; what other threads change meanwhile may go astray.
        self._renewals: List[EpollPoller] = []

    def register(self, fd: int, events: int, extra: int = 0) -> None:
        mask = _MASKS[events]
        if extra:
            if self.suspects:
                # What the kernel says of them cannot be told from what it says of this file.
                self.purge()
                return self.register(fd, events, extra)
            mask |= extra
        try:
            self._epoll.register(fd, mask)
        except FileExistsError:
            # Our user's own book says that it is not there.  It was closed and duplicated back
            # under its number, or we have just been renewed by another thread.
            self._put(fd, mask)
        except OSError as error:
            # Deeper than the kernel's limits allow (epoll_ctl(2): EINVAL, ELOOP), and only
            # because a nest holds us: without it there is one level less.
            if error.errno not in (errno.EINVAL, errno.ELOOP):
                raise
            if extra & _EXCLUSIVE:
                raise ValueError(
                    f"EPOLLEXCLUSIVE is not for descriptor {fd}: it is an epoll (epoll_ctl(2))"
                ) from None
            if not self.seats:
                raise
            self.withdraw()
            self._epoll.register(fd, mask)
        if extra and extra & _EXCLUSIVE:
            self._exclusive = {*self._exclusive, fd}
            self._leave_nests()

    def modify(self, fd: int, events: int, before: int, extra: int = 0) -> None:
        was_spent = False
        if self.has_extras:
            if extra & _EXCLUSIVE:
                return  # as it was, see `refusal_to_change`
            if extra and self.suspects:
                self.purge()
                return self.modify(fd, events, before, extra)
            was_spent = fd in self.spent
            self.rearm(fd)
        epoch = self.epoch
        try:
            self._epoll.modify(fd, _MASKS[events] | extra)
        except FileNotFoundError:
            if not self._renewals and self.epoch is epoch and not was_spent:
                raise
            self._put(fd, _MASKS[events] | extra)

    def refusal(self, events: int, extra: int) -> str:
        if extra & _EXCLUSIVE:
            for number, name in _EXTRAS.items():
                if extra & number & ~_WITH_EXCLUSIVE:
                    return f"EPOLLEXCLUSIVE cannot be had together with {name} (epoll_ctl(2))"
        return ""

    def refusal_to_change(self, before: Any, events: int, extra: int) -> str:
        had = extra_of(before)
        if (extra | had) & _EXCLUSIVE and (events, extra) != (before.events, had):
            return (
                "EPOLLEXCLUSIVE can be set by register() alone, and what has it cannot be changed"
                " (epoll_ctl(2)): unregister the file, and register it anew"
            )
        return ""

    def _put(self, fd: int, mask: int) -> None:
        """Watch a file of which another thread may just be telling the kernel, too."""
        while True:
            try:
                self._epoll.modify(fd, mask)
                return
            except FileNotFoundError:
                pass
            except OSError as error:
                if error.errno != errno.EINVAL:  # what is, or was, exclusive cannot be modified
                    raise
                self._epoll.unregister(fd)
            try:
                self._epoll.register(fd, mask)
                return
            except FileExistsError:
                pass

    def unregister(self, fd: int, before: int) -> None:
        try:
            self._epoll.unregister(fd)
        except OSError:
            if fd not in self.spent:
                self.suspects.add(fd)
        if self.has_extras:
            self.rearm(fd)
            self._exclusive = self._exclusive - {fd}

    def poll(self, timeout: Optional[float]) -> List[Pair]:
        # The interpreter takes its room for events from malloc(), untouched: asking for all that
        # are registered, and for what other threads register meanwhile, costs the same as asking
        # for one; and no ready file has to wait its turn.
        room = len(self.keys) + _SPARE
        try:
            # PyPy's has no None for "for ever".
            pairs: List[Pair] = self._epoll.poll(-1 if timeout is None else timeout, room)
            full = len(pairs) == room
            while full:
                room *= 2
                more: List[Pair] = self._epoll.poll(0, room)
                full = len(more) == room
                masks = dict(pairs)
                for fd, mask in more:
                    masks[fd] = masks.get(fd, 0) | mask  # of a change, the kernel told but once
                pairs = list(masks.items())
        except OSError as error:
            raise self.closed_or(error) from None
        return pairs

    def events(self, mask: int) -> int:
        return (mask & ~IN and EVENT_WRITE) | (mask & ~OUT and EVENT_READ)

    @property
    def needs_thread(self) -> bool:  # type: ignore[override]
        # An exclusive wake-up goes to a thread that is blocked in epoll_wait(2) on this very epoll;
        # by way of another epoll, it goes to all (ep_poll_callback() in fs/eventpoll.c).
        return bool(self._exclusive)

    def wait_fd(self) -> Optional[int]:
        return self.fileno()

    def fileno(self) -> int:
        fd: int = self._epoll.fileno()
        return fd

    def ring(self, on: bool) -> None:
        try:
            if on:
                self._epoll.register(doorbell(), IN)
            else:
                self._epoll.unregister(doorbell())
        except (OSError, ValueError):
            pass  # closed, or another epoll by now; or no memory, and nothing can be done

    def only_changes(self, fd: int, events: int, extra: int = 0) -> None:
        self._epoll.modify(fd, _MASKS[events] | extra | _ET)

    def purge(self, force: bool = False) -> None:
        # A registration belongs to the open file, not to its number: a file that was closed, but
        # lives on in a duplicate, is reported for ever and cannot be named any more (epoll(7),
        # "Will closing a file descriptor cause it to be removed").  Only an empty epoll helps.
        if self.suspects or force:
            self.suspects.clear()
            self.renew()
            self._leave_nests()

    def clear(self, fd: int) -> None:
        self.suspects.discard(fd)

    def reopen(self) -> None:
        parents, self._epoll = self._epoll, self._primitive()
        parents.close()

    def reopen_in_place(self) -> None:
        # Filled before it takes the other's place: who polls meanwhile misses nothing.
        known = dict(self.keys)
        fresh = EpollPoller(known, self._primitive)
        fresh.spent = self.spent
        self._renewals.append(fresh)
        try:
            fresh.refill()
            _unpatched.dup2(fresh.fileno(), self.fileno(), False)
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
