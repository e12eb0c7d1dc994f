"""How is a kernel object replaced by another with the same files?

Other threads use the old one meanwhile.  Every thread writes into the table of files first, and
tells the kernel afterwards.  So the last one has seen what the others wrote.
"""

from __future__ import annotations

import errno
from typing import Any

from .. import _fork
from .._backends import BOTH, Backend
from .._backends._base import extra_of
from ._nested import watchers_of

# The errors of a registration that concern only its own file.
_OF_THE_FILE = (errno.EBADF, errno.EPERM, errno.EEXIST, errno.ENOENT)


def rebuild(poller: Any) -> None:
    """Replace a poller's kernel object; the lock is held.  If it fails, nothing has changed."""
    backend = poller.backend
    filled = dict(poller.keys)
    fresh = backend.fresh()
    try:
        # It is filled before it replaces the other, so that a poll meanwhile misses nothing.
        for fd, key in filled.items():
            _fill(poller, fresh, fd, key)
        if _fork.is_current(poller.state):
            if poller.has_blocked_threads():
                poller.notify(True)  # wakes the threads that are blocked in the old one
            poller.leave_all()
        _replace(backend, fresh)
        poller.leave_all()  # whoever has come in between, by way of a signal handler
    except BaseException:
        fresh.close()
        raise
    if poller.cancelled:
        poller.notify(True)  # a thread that was cancelled may not have been in the old one yet
    for fd in filled.keys() | dict(poller.keys).keys():
        if filled.get(fd) is not poller.keys.get(fd):  # changed by another thread meanwhile
            settle(poller, fd)


def _replace(backend: Backend, fresh: Backend) -> None:
    """Put another kernel object in the place of one, for those of ours that watch it, too."""
    number = backend.fileno() if backend.is_ours() else -1
    watchers = [
        each
        for each in watchers_of(number)
        if each.state is _fork.generation and number in each.keys
    ]
    for each in watchers:
        try:
            each.backend.unregister(number, each.keys[number].events)
        except (OSError, KeyError):
            pass
    try:
        backend.replace(fresh)
    finally:
        for each in watchers:
            settle(each, number)
            each.changed()


def _fill(poller: Any, fresh: Backend, fd: int, key: Any) -> None:
    if fd in poller.fired:
        return  # not to be reported before the next `modify`, by a new kernel object neither
    if fd in (fresh.fileno(), poller.backend.fileno()):
        return  # a file was closed while registered, and its number is ours by now
    try:
        fresh.register(fd, key.events, extra_of(key))
    except OSError as error:
        if error.errno not in _OF_THE_FILE:
            raise


def settle(poller: Any, fd: int) -> None:
    """Have the kernel watch a file as it is registered now, whatever it was told before."""
    key: Any = poller  # a value that no file is registered with
    while key is not poller.keys.get(fd):
        key = poller.keys.get(fd)
        try:
            if key is None:
                poller.backend.unregister(fd, BOTH)
            elif fd not in poller.fired:
                put(poller.backend, fd, key.events, extra_of(key))
        except OSError as error:
            if error.errno not in _OF_THE_FILE:
                raise


def put(backend: Backend, fd: int, events: int, extra: int) -> None:
    """Watch a file, whether or not it is registered with the kernel already."""
    while True:
        try:
            backend.modify(fd, events, BOTH, extra)
            return
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno != errno.EINVAL:  # what is, or was, exclusive cannot be modified
                raise
            backend.unregister(fd, BOTH)
        try:
            backend.register(fd, events, extra)
            return
        except FileExistsError:
            pass
