"""Is this descriptor still ours?

A daemon closes every descriptor that it finds (``os.closerange``), and other programs close a
number twice.  The number may then belong to a file of the program's, and to close it, or to put
another file in its place, would be our fault.

fstat(2) does not tell one epoll from another: they share one inode.  So every descriptor of ours is
marked by O_NONBLOCK, which stays with the open file, means nothing to an epoll, and is not set for
anybody else's.  Among our own descriptors, the latest owner of a number counts.
"""

from __future__ import annotations

import atexit
from typing import Any, Dict

from ._unpatched import system

# {descriptor: its latest owner}
_owners: Dict[int, object] = {}

_get_blocking, _set_blocking = system.get_blocking, system.set_blocking


def claim(fd: int, owner: object) -> None:
    """Note that `fd` was opened for `owner`, which calls `release` before it closes `fd`.

    It is kept alive until then, so it must be nothing whose finalizer is to do that.
    """
    global _get_blocking
    _owners[fd] = owner
    try:
        _set_blocking(fd, False)
    except OSError:  # not for a kqueue of macOS
        _get_blocking = _is_unmarked


def is_owner(fd: int, owner: object) -> bool:
    """Whether `fd` may still be what `owner` claimed: it is marked, and nobody claimed it since.

    What else is marked by chance, such as a socket, is told apart by what its owner can do with it.
    """
    try:
        return _owners.get(fd) is owner and not _get_blocking(fd)
    except OSError:
        return False


def release(fd: int, owner: object) -> bool:
    """Return whether `owner` may close `fd`, as `is_owner` does, and forget that it owned it."""
    if _owners.get(fd) is not owner:
        return False
    del _owners[fd]
    try:
        return not _get_blocking(fd)
    except OSError:
        return False


def _is_unmarked(fd: int) -> bool:
    """Where nothing can be marked: a descriptor that is open."""
    system.fstat(fd)
    return False


# What names a descriptor that is not ours any more, and would close it when it is finalized.
_abandoned: Any = []


def abandon(native: object) -> None:
    """Keep `native`, whose finalizer closes a number that is no longer ours, for ever."""
    _abandoned.append(native)


@atexit.register
def _keep_abandoned() -> None:
    """One reference more that nothing gives back: lists are emptied when the interpreter ends."""
    if _abandoned:
        try:
            import ctypes

            for native in _abandoned:
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(native))
        except (ImportError, AttributeError):
            pass  # an interpreter without ctypes, or without reference counts
