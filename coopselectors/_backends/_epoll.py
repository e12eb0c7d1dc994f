"""epoll(7): Linux."""

from __future__ import annotations

import math
import sys
from errno import ENOENT, ENOMEM
from typing import Any, Callable, List, Mapping, Optional

from .. import _owned, _unpatched
from .._unpatched import system
from .._wakeup import wakeup_fd
from ._base import Backend, Pair, extra_of, validate_with
from ._masks import ERR, ET, EXCLUSIVE, HUP, IN, MASKS, ONESHOT, PRI, WAKEUP

# Room for so many ready files at first.  A poll that finds more polls again, and has more room from
# then on.  With room for all registered files, one ready file of thousands would cost more.
_ROOM = 64

_EXTRAS = {
    PRI: "EPOLLPRI",
    ERR: "EPOLLERR",
    HUP: "EPOLLHUP",
    0x040: "EPOLLRDNORM",
    0x080: "EPOLLRDBAND",
    0x100: "EPOLLWRNORM",
    0x200: "EPOLLWRBAND",
    0x400: "EPOLLMSG",
    0x2000: "EPOLLRDHUP",
    EXCLUSIVE: "EPOLLEXCLUSIVE",
    WAKEUP: "EPOLLWAKEUP",
    ONESHOT: "EPOLLONESHOT",
    ET: "EPOLLET",
}

# What epoll_ctl(2) allows together with EPOLLEXCLUSIVE.
_WITH_EXCLUSIVE = EXCLUSIVE | WAKEUP | ET | ERR | HUP

_getrefcount: Callable[[Any], int] = getattr(sys, "getrefcount", lambda _: sys.maxsize)
# The reference count while nobody is in a call: the backend's, and that of the question itself.
_UNUSED = 2


def _count_of_a_variable() -> int:
    native = object()
    return _getrefcount(native)


# The same for a native object that a variable alone refers to.  Since CPython 3.14, the question
# itself does not count there.  Without reference counts, every object may be in use.
_UNUSED_IN_A_VARIABLE = min(_UNUSED, _count_of_a_variable())

# The errors of EPOLL_CTL_MOD in an epoll: the file is not in it, or there is no memory.
_SAID_BY_AN_EPOLL = (ENOENT, ENOMEM)


class _Closing:
    """Stands in for a native object that is being closed."""

    closed = True

    def __getattr__(self, name: str) -> Any:
        raise ValueError(f"I/O operation on closed {EpollBackend.name} object")


_CLOSING: Any = _Closing()


class EpollBackend(Backend):
    name = "epoll"
    others: Mapping[Any, Any] = {}
    extras = _EXTRAS
    edges = ET | ONESHOT
    once = ONESHOT
    exclusive = EXCLUSIVE

    def __init__(self, native: Any = None, is_ours: bool = True) -> None:
        # The user's own may live on in a child or a duplicate, and what wakes threads with it.
        self.wakes_on_close = native is None
        if native is None:
            native = _unpatched.epoll()
        self.native = native
        self._room = _ROOM
        self.notices_changes = True
        self._owner = owner = object()
        if is_ours:
            self._fd = fd = native.fileno()
            _owned.claim(fd, owner)
        else:
            self._fd = -1

    def register(self, fd: int, events: int, extra: int = 0) -> None:
        self.native.register(fd, MASKS[events] | extra if extra else MASKS[events])

    def modify(self, fd: int, events: int, before: int, extra: int = 0) -> None:
        self.native.modify(fd, MASKS[events] | extra if extra else MASKS[events])

    def unregister(self, fd: int, before: int) -> None:
        self.native.unregister(fd)

    def poll(self, timeout: Optional[float]) -> List[Pair]:
        room = self._room
        # PyPy's has no None for "forever".
        pairs: List[Pair] = self.native.poll(-1 if timeout is None else timeout, room)
        return pairs if len(pairs) < room else self._poll_for_more(pairs)

    def _poll_for_more(self, pairs: List[Pair]) -> List[Pair]:
        masks = dict(pairs)
        full = True
        while full:
            self._room = room = 2 * self._room
            more = self.native.poll(0, room)
            full = len(more) == room
            for fd, mask in more:
                masks[fd] = masks.get(fd, 0) | mask  # the kernel reports a change only once
        return list(masks.items())

    def fileno(self) -> int:
        fd: int = self.native.fileno()
        return fd

    def close(self) -> None:
        native = self.native
        self.native = _CLOSING  # from here on, no thread starts to wait in it
        try:
            if _owned.is_owner(self._fd, self._owner):
                # Any other marked file is no epoll, and cannot be polled as one.
                native.poll(0, 1)
                if self.wakes_on_close and _getrefcount(native) > _UNUSED_IN_A_VARIABLE:
                    _wake(native)
                try:
                    if _owned.forget(self._fd, None) is self._owner:
                        native.close()
                except BaseException:
                    if not native.closed:  # a signal handler's, and close() is called again
                        _owned.claim(self._fd, self._owner)
                    raise
                return
        except (OSError, ValueError):
            pass
        finally:
            self.native = native
        if self._fd < 0:
            if hasattr(native, "close"):
                native.close()
        elif not native.closed:
            _owned.abandon(native)

    def close_inherited(self) -> None:
        # Not by a poll, as in `close`: that would take what the kernel reports to the parent once.
        is_ours = self.is_ours()
        if (_owned.release(self._fd, self._owner) and is_ours) or self._fd < 0:
            self.native.close()
        else:
            _owned.abandon(self.native)

    def is_ours(self) -> bool:
        if self._fd < 0:
            return True
        if not _owned.is_owner(self._fd, self._owner):
            return False
        try:
            self.native.modify(wakeup_fd(), IN)
        except OSError as error:
            # Only an epoll gives these errors, and nobody else marks epolls.
            return error.errno in _SAID_BY_AN_EPOLL
        except ValueError:
            return False
        return True

    def is_in_use(self) -> bool:
        # Whoever is blocked in a call of the native object holds a reference to it.
        return _getrefcount(self.native) > _UNUSED

    def replace(self, fresh: EpollBackend) -> None:
        if self.is_ours():
            system.dup2(fresh._fd, self._fd, False)
            # Without polling it, which would take the edges of files that are ours now.
            _owned.release(fresh._fd, fresh._owner)
            fresh.native.close()
        else:
            _owned.abandon(self.native)
            self.native, self._fd = fresh.native, fresh._fd
            _owned.claim(self._fd, self._owner)

    def notify(self, wakeup_fd: int, on: bool) -> None:
        if on:
            self.native.register(wakeup_fd, IN)
        else:
            self.native.unregister(wakeup_fd)

    def report_changes_only(self, fd: int, events: int, extra: int = 0) -> None:
        self.native.modify(fd, MASKS[events] | extra | ET)

    def timeout(self, timeout: Any) -> Any:
        return math.ceil(timeout * 1e3) * 1e-3

    def validate_timeout(self, argument: Any) -> None:
        validate_with(_unpatched.epoll(), argument)

    def refusal(self, events: int, extra: int) -> str:
        if extra & EXCLUSIVE:
            for number, name in _EXTRAS.items():
                if extra & number & ~_WITH_EXCLUSIVE:
                    return f"EPOLLEXCLUSIVE cannot be combined with {name} (epoll_ctl(2))"
        return ""

    def refusal_to_change(self, before: Any, events: int, extra: int) -> str:
        had = extra_of(before)
        if (extra | had) & EXCLUSIVE and (events, extra) != (before.events, had):
            return (
                "modify() can neither set EPOLLEXCLUSIVE nor change a file that has it "
                "(epoll_ctl(2)): unregister the file, and register it again"
            )
        return ""


def _wake(native: Any) -> None:
    try:
        native.register(wakeup_fd(), IN)
    except (OSError, ValueError):
        pass  # it is there already, or no descriptor is left
