"""Is this descriptor still ours?

A daemon closes every descriptor that it finds (``os.closerange``), and other programs close a
number twice.  The number may then belong to a file of the program's, and to close it, or to put
another file in its place, would be our fault.

fstat(2) does not tell one epoll from another.  So every descriptor of ours is marked, by the
signal number that F_SETSIG keeps with the open file and that nothing here ever raises; see
fcntl(2).  Among our own descriptors, the latest owner of a number counts.
"""

from __future__ import annotations

import errno
from typing import Any, Dict, Tuple

from ._unpatched import system

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class _linux:
    """What marks and asks; in a class, where nobody who fakes a file system looks for it."""

    control: Any = getattr(fcntl, "fcntl", None)
    set_mark: int = getattr(fcntl, "F_SETSIG", 0)  # only Linux has it
    get_mark: int = getattr(fcntl, "F_GETSIG", 0)


# The highest signal number.  Nobody else would set it on a file that cannot send signals.
_MARK = 64

# {descriptor: (id of its owner, what identifies the file where there is no mark)}
_owners: Dict[int, Tuple[int, Any]] = {}


def claim(fd: int, owner: object) -> None:
    """Note that `fd` was opened for `owner`, which has to call `release` or to `abandon` it."""
    if _linux.set_mark:
        try:
            _linux.control(fd, _linux.set_mark, _MARK)
        except OSError:  # a sandbox that does not know it
            _linux.set_mark = 0
    _owners[fd] = id(owner), None if _linux.set_mark else _identity(fd)


def is_owner(fd: int, owner: object) -> bool:
    """Whether `fd` is still what it was when `owner` claimed it."""
    known = _owners.get(fd)
    if known is None or known[0] != id(owner):
        return False
    try:
        if known[1] is None:
            return bool(_linux.control(fd, _linux.get_mark) == _MARK)
        return bool(_identity(fd) == known[1])
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
        return False


def release(fd: int, owner: object) -> bool:
    """Return whether `owner` may close `fd`, and forget that it owned it."""
    if not is_owner(fd, owner):
        return False
    del _owners[fd]
    return True


# What names a descriptor that is not ours any more, and would close it when it is finalized.
_abandoned: Any = []


def abandon(native: object) -> None:
    """Keep `native`, whose finalizer closes a number that is no longer ours, for ever."""
    _abandoned.append(native)
    try:
        import ctypes

        # One reference that nothing gives back: lists are emptied when the interpreter ends.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(native))
    except (ImportError, AttributeError):
        pass  # an interpreter without ctypes, or without reference counts


def _identity(fd: int) -> Tuple[int, int, int]:
    status = system.fstat(fd)
    return status.st_dev, status.st_ino, status.st_mode
