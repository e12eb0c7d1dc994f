"""How is a thread woken that waits in the kernel?

By a file that is always readable.  It is registered with the kernel object that the thread waits
on, and stays there until somebody removes it.  So no wake-up is lost, and nothing has to be read.
"""

from __future__ import annotations

import atexit

from . import _fork, _owned
from ._unpatched import system


class _Wakeup:
    """The descriptor in use, and what identifies its file; the owner that claims it."""

    fd = -1
    inode = -1

    def is_open(self) -> bool:
        return _owned.is_owner(self.fd, self) and system.fstat(self.fd).st_ino == self.inode


_current = _Wakeup()


def wakeup_fd() -> int:
    """The descriptor of that file, opened when first needed; the process has one."""
    current = _current
    if current.is_open():
        return current.fd
    return _open()


def _open() -> int:
    # Some programs close a number twice; the second time, it may have been ours.
    global _current
    with _fork.lock():
        if not _current.is_open():
            made = _Wakeup()
            made.fd, writer = system.pipe()
            system.close(writer)  # the end of file is readable forever
            made.inode = system.fstat(made.fd).st_ino
            _owned.claim(made.fd, made)
            _current = made
        return _current.fd


@atexit.register
def _close() -> None:
    """An interpreter may end long before its process."""
    global _current
    with _fork.lock():
        ended, _current = _current, _Wakeup()
        if ended.is_open() and _owned.release(ended.fd, ended):
            system.close(ended.fd)
