"""How does select(2) wait through a hub, and for any descriptor?"""

from __future__ import annotations

import errno
import os
import sys
from contextvars import ContextVar
from typing import Any, Callable, Dict, List, Optional, Tuple

from .. import _runtime, _unpatched
from .._backends import IN, OUT, PRI, Pair
from .._backends._masks import NVAL
from .._hubs import NATIVE, ForeignHub
from .._pickling import reduced_home
from .._wakeup import wakeup_fd
from ._arguments import number_of
from ._files import READABLE, WRITABLE, Files
from ._waiting import Way, find_way, in_time_slice, wait

_INT_MAX = 2**31 - 1

# How many `Files` a thread keeps for its next calls, each under its first descriptor.
_KEPT = 16

# These are used as they are; anything else is made a list first.
_SEQUENCES = {list, tuple}

# Whether this thread or greenlet is in a foreign select() that we called.  If that calls us, as a
# wrapper that counts calls does, it wants the function that it wraps.
_has_asked: ContextVar[bool] = ContextVar("has asked a foreign select", default=False)

Three = Tuple[List[Any], List[Any], List[Any]]


class Select:
    """Holds a function `select` as a method.

    A plain function would become a method if a class holds it, as the standard selectors hold
    ``select.select``.  Built-in functions and bound methods do not.
    """

    __slots__ = ("_way", "replaces")

    def __init__(self, replaces: Any = None) -> None:
        self._way = find_way()
        #: The function that `install` replaced with this one, if any: the interpreter's, gevent's
        #: or eventlet's.  It still shows who has patched.
        self.replaces: Any = replaces

    def __reduce__(self) -> Any:
        return reduced_home(self, "select")

    def __deepcopy__(self, _: Any) -> Select:
        return self

    def select(
        self, rlist: Any, wlist: Any, xlist: Any, timeout: Optional[float] = None, /
    ) -> Three:
        """Like ``select.select``, with the same arguments, results and errors.

        Each call decides how to wait: in an ordinary process in the kernel; under gevent and
        eventlet, only the calling greenlet waits.  There, any descriptor is accepted.
        """
        way = self._way
        if not way.holds():
            way = self._way = find_way()
        three: Three
        if way.hub is not NATIVE and isinstance(way.hub, ForeignHub):
            # A wrapper around what `install` put there calls us, and is not to be called again.
            if self.replaces is None and not _has_asked.get():
                try:
                    return _ask(way.select, rlist, wlist, xlist, timeout)
                except NotImplementedError:  # it exists, but is not meant to be called
                    _runtime.mark_broken(way.select)
            way = find_way(_runtime.patched_by())
        if way.hub is NATIVE:
            three = _unpatched.select(rlist, wlist, xlist, timeout)
            return three
        seconds = number_of(timeout, _validate)
        if seconds is not None and seconds < 0:
            _validate(timeout)
        if in_time_slice(way) and {type(rlist), type(wlist), type(xlist)} <= _SEQUENCES:
            try:
                three = _unpatched.select(rlist, wlist, xlist, 0)
            except ValueError:
                pass  # a number that is too large for it, or negative
            else:
                if any(three):
                    return three
        masks: Dict[int, int] = {}
        rlist, readers = _numbers(rlist, IN, masks)
        wlist, writers = _numbers(wlist, OUT, masks)
        xlist, others = _numbers(xlist, PRI, masks)
        ready = dict(_wait_for(way, masks, seconds))
        return (
            [file for file, fd in zip(rlist, readers) if ready.get(fd, 0) & READABLE],
            [file for file, fd in zip(wlist, writers) if ready.get(fd, 0) & WRITABLE],
            [file for file, fd in zip(xlist, others) if ready.get(fd, 0) & PRI],
        )


_home = Select()
select = _home.select


def _validate(timeout: Any) -> None:
    _unpatched.select([wakeup_fd()], [], [], timeout)


def _ask(foreign: Callable[..., Three], *how: Any) -> Three:
    token = _has_asked.set(True)
    try:
        return foreign(*how)
    finally:
        _has_asked.reset(token)


def _no_integer(file: Any, fd: Any) -> str:
    if sys.version_info >= (3, 15):
        names = []
        for kind in (type(file), type(fd)):  # as PyType_GetFullyQualifiedName()
            name, module = kind.__qualname__, kind.__module__
            names.append(name if module in ("builtins", "__main__") else f"{module}.{name}")
        return f"{names[0]}.fileno() must return an int, not {names[1]}"
    return "fileno() returned a non-integer"


def _fd_of(file: Any) -> int:
    """A file's descriptor, or the error that select(2) raises."""
    fd: int = file
    if not isinstance(file, int):
        if not hasattr(file, "fileno"):
            raise TypeError("argument must be an int, or have a fileno() method.")
        fd = file.fileno()
        if not isinstance(fd, int):
            raise TypeError(_no_integer(file, fd))
    if fd < 0:
        if fd < -_INT_MAX - 1:
            raise OverflowError("Python int too large to convert to C int")
        raise ValueError(f"file descriptor cannot be a negative integer ({fd})")
    if fd > _INT_MAX:
        raise OverflowError("Python int too large to convert to C int")
    return fd


def _numbers(files: Any, mask: int, masks: Dict[int, int]) -> Tuple[Any, List[int]]:
    """Return a list's files and their descriptors, and add these to `masks`."""
    if type(files) not in _SEQUENCES:
        try:
            files = iter(files)
        except TypeError:
            raise TypeError("arguments 1-3 must be sequences") from None
        files = list(files)
    numbers = []
    for file in files:
        fd = file if type(file) is int and 0 <= file <= _INT_MAX else _fd_of(file)
        masks[fd] = masks.get(fd, 0) | mask
        numbers.append(fd)
    return files, numbers


def _wait_for(way: Way, masks: Dict[int, int], timeout: Optional[float]) -> List[Pair]:
    """Return what poll(2) reports for these files, as soon as select(2) would return."""
    thread = vars(way.thread)
    kept: Dict[Any, Files] = thread.setdefault("files", {})
    name = next(iter(masks), None)
    files = kept.pop(name, None) or Files()
    try:
        files.fill(masks)
        if "slice_ends" not in thread:
            # This thread's first wait opens descriptors.  One of them may get the number of a file
            # that was just closed.
            _refuse_closed(files.poll())
        pairs = wait(way, files.poller, timeout)
        _refuse_closed(pairs)
    except BaseException:
        files.close()
        raise
    if files.can_be_used_again:
        kept[name] = files
        if len(kept) > _KEPT:
            kept.pop(next(iter(kept))).close()
    else:
        files.close()
    return pairs


def _refuse_closed(pairs: List[Pair]) -> None:
    for _, mask in pairs:
        if mask & NVAL:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
