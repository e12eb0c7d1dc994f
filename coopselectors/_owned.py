"""Is this descriptor still ours?

A daemon closes every descriptor that it finds (``os.closerange``), and some programs close a number
twice.  Then one of the program's own files may get our number.  If we closed that number, or put
another file there, we would destroy the program's file.

fstat(2) does not distinguish epolls, because they share one inode.  So we mark every descriptor of
ours with O_NONBLOCK, which belongs to the open file, has no effect on an epoll, and is not set on
other epolls.  Among our own descriptors, the latest owner of a number counts.
"""

from __future__ import annotations

import atexit
import errno
from typing import Any, Dict, Mapping

from ._unpatched import system

# {descriptor: its latest owner}
_owners: Dict[int, object] = {}

_get_blocking, _set_blocking = system.get_blocking, system.set_blocking


def claim(fd: int, owner: object) -> None:
    """Note that `fd` was opened for `owner`, for whom `release` is called before `fd` is closed.

    `owner` is kept alive until then.  So it is an object that only stands for the native one, which
    can then be freed if a signal handler raises while it is made.
    """
    global _get_blocking
    _owners[fd] = owner
    try:
        _set_blocking(fd, False)
    except OSError as error:
        if error.errno != errno.EBADF:  # a kqueue of macOS cannot be marked
            _get_blocking = _is_unmarked


def is_owner(fd: int, owner: object) -> bool:
    """Whether `fd` may still be what `owner` claimed: it is marked, and nobody claimed it since.

    Other marked files, such as a socket, are recognised by what can be done with them.
    """
    try:
        return _owners.get(fd) is owner and not _get_blocking(fd)
    except OSError:
        return False


def release(fd: int, owner: object) -> bool:
    """Return whether `owner` may close `fd`, like `is_owner`, and forget that it owned it."""
    if _owners.get(fd) is not owner:
        return False
    del _owners[fd]
    try:
        return not _get_blocking(fd)
    except OSError:
        return False


def note(fd: int, owner: object) -> None:
    """Note that `fd` was opened for `owner`, without a mark: the file is somebody else's."""
    _owners[fd] = id(owner)


def is_noted(fd: int, owner: object) -> bool:
    """Whether nobody of ours has opened `fd` since `owner`."""
    return _owners.get(fd) == id(owner)


#: The numbers of our descriptors, as far as is known; not to be written to.
OUR_FDS: Mapping[int, object] = _owners

#: Forgets who owns a descriptor; in C, so that no signal handler comes in between.
forget = _owners.pop


def _is_unmarked(fd: int) -> bool:
    """On platforms without marks, whether the descriptor is open."""
    system.fstat(fd)
    return False


# Objects that would, when finalized, close a descriptor that is no longer ours.
_abandoned: Any = []


def abandon(native: object) -> None:
    """Keep `native` forever, because its finalizer would close a number that is not ours now."""
    _abandoned.append(native)


@atexit.register
def _keep_abandoned() -> None:
    """Add a reference that is never dropped: a list would be emptied at interpreter exit."""
    if _abandoned:
        try:
            import ctypes

            for native in _abandoned:
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(native))
        except (ImportError, AttributeError):
            pass  # an interpreter without ctypes, or without reference counts
