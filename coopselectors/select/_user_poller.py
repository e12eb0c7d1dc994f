"""Who waits for a kernel object that is the user's own?

An `epoll` or a `kqueue` object belongs to the user.  Only the kernel knows its files, children of
fork(2) share it, and its kernel object is never replaced.
"""

from __future__ import annotations

from typing import Any, Dict, List, NoReturn, Optional, Set

from .. import _fork, _owned, _unpatched
from .._backends import Backend, Pair
from .._backends._masks import ET, EXCLUSIVE, ONESHOT, PRI
from .._pickling import PrimitiveType
from .._pollers._duplicates import is_epoll
from .._pollers._files_poller import is_read_once
from .._pollers._poller import CLOSED, Poller
from .._unpatched import system
from .._wakeup import wakeup_fd
from ._waiting import Way

_EDGES = ET | ONESHOT
SPECIAL = _EDGES | EXCLUSIVE | PRI


class UserPoller(Poller):
    """A poller around the user's own kernel object.

    `is_shared` says that other objects have the descriptor, too.  An outer poller then holds a
    duplicate, because it tells its pollers apart by their descriptors.  With `view_of`, this is a
    second poller for the kernel object of a selector.
    """

    def __init__(
        self, backend: Backend, is_shared: bool = False, view_of: Optional[Poller] = None
    ) -> None:
        self._is_shared = is_shared
        self._view_of = view_of  # kept alive; it closes itself
        self._duplicate = -1
        self._duplicates_owner = object()
        #: One object for each thread in `block`.
        self._blocked: Set[object] = set()
        #: Whether the kernel object has ever had the wake-up file.
        self._may_be_notified = view_of is not None
        #: {fd: mask} of the files that are not simply level-triggered.
        self.special: Dict[int, int] = {}
        super().__init__(backend)

    def note(self, fd: int, mask: int) -> None:
        """A file is now watched with such a mask."""
        once = bool(mask & PRI) and is_read_once(fd)
        self.special[fd] = mask
        with _fork.lock():
            self.exclusive = self.exclusive | {fd} if mask & EXCLUSIVE else self.exclusive - {fd}
            self.read_once = self.read_once | {fd} if once else self.read_once - {fd}
        if once or mask & EXCLUSIVE:
            self.leave_all()

    def forget(self, fd: int) -> None:
        self.special.pop(fd, None)
        with _fork.lock():
            self.exclusive = self.exclusive - {fd}
            self.read_once = self.read_once - {fd}

    def collect(self, *how: Any) -> List[Pair]:
        """Return what the native ``poll`` or ``control`` returns for these arguments."""
        found = self.backend.collect(*how)
        # Looked at afterwards: another thread may have been notified meanwhile.
        return self.backend.without(wakeup_fd(), found) if self._may_be_notified else found

    def notify(self, on: bool) -> None:
        self._may_be_notified = True
        super().notify(on)

    def poll(self, timeout: Optional[float]) -> List[Pair]:
        if self.state is not _fork.settled_generation:
            self.prepare()
        return self.collect(-1 if timeout is None else timeout)

    def give_back(self, pairs: List[Pair]) -> List[Pair]:
        native = self.backend.native
        for fd, _ in pairs:
            mask = self.special.get(fd, 0)
            if mask & _EDGES:
                try:
                    if mask & EXCLUSIVE:  # which cannot be modified
                        native.unregister(fd)
                        native.register(fd, mask)
                    else:
                        native.modify(fd, mask)
                except OSError:
                    pass  # closed meanwhile
        return [pair for pair in pairs if pair[0] in self.read_once]

    def block(self, timeout: Optional[float]) -> List[Pair]:
        me = object()
        self._blocked.add(me)
        try:
            if self.state is CLOSED:  # read after the line above: see `Poller.close`
                return []
            return super().block(timeout)
        finally:
            self._blocked.discard(me)

    def has_blocked_threads(self) -> bool:
        # Whether the native object is in use does not count: others may share the kernel object,
        # and the file that wakes a thread would stay in it.
        return bool(self._blocked)

    def descriptor(self) -> int:
        if self.state is not _fork.settled_generation:
            self.prepare()
        fd = self.backend.fileno()
        if not self._is_shared:
            return fd
        if not _owned.is_owner(self._duplicate, self._duplicates_owner):
            self._duplicate = system.dup(fd)
            _owned.claim(self._duplicate, self._duplicates_owner)
        return self._duplicate

    def raise_closed(self) -> NoReturn:
        raise ValueError(f"I/O operation on closed {self.backend.name} object")

    def close(self) -> None:
        with _fork.lock():
            if self._duplicate >= 0:
                self.leave_all()
                self._close_duplicate()
            super().close()

    def _close_duplicate(self) -> None:
        # Any other marked file is no epoll, and somebody else's.
        fd, self._duplicate = self._duplicate, -1
        is_one = fd >= 0 and (_unpatched.epoll is None or is_epoll(fd))
        if _owned.release(fd, self._duplicates_owner) and is_one:
            system.close(fd)

    def __del__(self) -> None:
        is_open = getattr(self, "state", CLOSED) is not CLOSED
        if is_open and self._view_of is not None:
            self.leave_all()
            self._close_duplicate()
        else:
            super().__del__()


class WithDescriptor(metaclass=PrimitiveType):
    """What `epoll`, `kqueue` and `devpoll` objects have in common."""

    __slots__ = ("__weakref__", "_poller", "_way")

    _native: Any
    _poller: Any
    _way: Way

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"cannot pickle '{type(self).__module__}.{type(self).__qualname__}' object")

    def fileno(self) -> int:
        """The kernel object's own descriptor; ValueError if it is closed."""
        fd: int = self._native.fileno()
        return fd

    @property
    def closed(self) -> bool:
        """Whether the object is closed."""
        closed: bool = self._native.closed
        return closed

    def close(self) -> None:
        """Close the descriptor.  Every caller that waits under a hub gets a ValueError."""
        self._poller.close()
