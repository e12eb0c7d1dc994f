"""How does a file stay open while somebody waits for it?

By a duplicate of its descriptor, which nobody else knows of, and so nobody closes by mistake.  Who
closes every descriptor of the process (``os.closerange``) closes it nevertheless, and by the time
the wait is over its number may name a file of the program's, which must not be closed.

A duplicate cannot be marked as other descriptors of ours are (see _owned), since the mark would be
on the user's file.  Its inode tells it from most others.  Eventfds, epolls, timers and the like
share one inode: there, an epoll is the witness, which knows a registration by file and number.
"""

from __future__ import annotations

import errno
import stat
from typing import Any, Optional, Tuple

from .. import _owned, _unpatched
from .._backends import IN, EpollBackend
from .._unpatched import system
from .._wakeup import wakeup_fd


class Duplicate:
    """A duplicate of `fd`, open until `close`; OSError if there is no file or no number left.

    With `is_ours`, `fd` is that of a kernel object that _owned has marked.
    """

    # As long as there is nothing to close.
    fd: int = -1
    _identity: Tuple[int, int, int] = (0, 0, 0)
    _witness: Optional[EpollBackend] = None

    def __init__(self, fd: int, is_ours: bool = False) -> None:
        self._is_ours = is_ours
        self.fd = system.dup(fd)
        _owned.note(self.fd, self)
        try:
            self._identity = _identity(self.fd)
        except OSError:
            _owned.forget(self.fd, None)
            system.close(self.fd)
            self.fd = -1  # or `close` would close whatever has the number by then
            raise
        if not is_ours and _is_anonymous(self._identity) and _unpatched.epoll is not None:
            self._witness = _witness_of(self.fd)

    def close(self) -> None:
        """Give it back; to call this twice does no harm."""
        # In such an order that a second call does what a signal handler has kept the first from.
        fd, witness = self.fd, self._witness
        if fd >= 0 and _owned.is_noted(fd, self):
            is_still = self._is_still(fd)
            if _owned.forget(fd, None) and is_still:
                system.close(fd)
        self.fd = -1
        if witness is not None:
            witness.close()
            self._witness = None

    __del__ = close

    def _is_still(self, fd: int) -> bool:
        """Whether the number names the file that it was made for."""
        try:
            if _identity(fd) != self._identity:
                return False
        except OSError as error:
            return error.errno != errno.EBADF
        if self._is_ours:
            return _unpatched.epoll is None or (is_epoll(fd) and not system.get_blocking(fd))
        witness = self._witness
        if witness is None:
            return True  # as far as can be told
        if not witness.is_ours():
            return False  # somebody has closed both
        try:
            witness.register(fd, 0)
        except FileExistsError:
            return True
        except OSError as error:
            return error.errno != errno.EBADF  # as far as can be told
        return False


def is_epoll(fd: int, or_outer: bool = True) -> bool:
    """Whether a descriptor is one of an epoll; without `or_outer`, of no outer epoll of ours."""
    try:
        native = _unpatched.epoll.fromfd(system.dup(fd))
    except OSError:
        return False
    try:
        native.modify(wakeup_fd(), 0)
    except FileNotFoundError:
        return True  # it is not there, which an epoll alone knows
    except OSError:
        return False
    else:
        native.modify(wakeup_fd(), IN)  # an outer epoll of ours, as it was
        return or_outer
    finally:
        native.close()


def _identity(fd: int) -> Tuple[int, int, int]:
    found: Any = system.fstat(fd)
    return found.st_dev, found.st_ino, found.st_mode


def _is_anonymous(identity: Tuple[int, int, int]) -> bool:
    return not stat.S_IFMT(identity[2])


def _witness_of(fd: int) -> Optional[EpollBackend]:
    try:
        witness = EpollBackend()
    except OSError:
        return None  # no descriptor is left
    try:
        witness.register(fd, 0)
    except OSError:
        witness.close()
        return None
    return witness
