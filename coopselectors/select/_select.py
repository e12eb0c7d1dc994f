"""select(2) that waits through the hub, for descriptors of any number."""

from __future__ import annotations

import errno
import os
from typing import Any, Dict, List, Optional, Tuple

from .. import _originals
from .._hubs import ForeignHub
from .._pollers import IN, OUT, Pair
from ._files import NVAL, READABLE, WRITABLE, Files
from ._poll import PRI
from ._waiting import NATIVE, Way, find_way, may_hurry, number_of, offered, wait

# A time-out that the interpreter cannot count in nanoseconds.
_TOO_LONG = 2**63 / 1e9

# How many `Files` a thread keeps for its next calls, each under its first number.
_KEPT = 16

Three = Tuple[List[Any], List[Any], List[Any]]


class Select:
    """Where a `select` is at home, which is its method.

    A function of ours would become a method wherever a class holds it, as the standard selectors
    hold ``select.select``; built-in functions and bound methods do not.
    """

    __slots__ = ("_way", "covers")

    def __init__(self, covers: Any = None) -> None:
        self._way = find_way()
        #: What `install` has put this one in the place of; it goes on saying who has patched.
        self.covers = covers

    def __reduce__(self) -> str:  # so that a copy is the same
        return "_home"

    def select(
        self, rlist: Any, wlist: Any, xlist: Any, timeout: Optional[float] = None, /
    ) -> Three:
        """``select.select``: takes, returns and raises what that does.

        In an ordinary process it waits in the kernel, and under gevent or eventlet only the calling
        greenlet waits: that is decided at each call.  There, descriptors may have any number.
        """
        way = self._way
        if offered("select") is not way.select:
            way = self._way = find_way()
        three: Three
        if way.hub is NATIVE:
            three = _originals.select(rlist, wlist, xlist, timeout)
            return three
        if isinstance(way.hub, ForeignHub):
            three = way.select(rlist, wlist, xlist, timeout)
            return three
        if timeout is not None:
            timeout = number_of(timeout)
            if timeout < 0:
                raise ValueError("timeout must be non-negative")
            if timeout > _TOO_LONG:
                raise OverflowError("timeout is too large")
        rlist, wlist, xlist = _sequence(rlist), _sequence(wlist), _sequence(xlist)
        if may_hurry(way):
            try:
                three = _originals.select(rlist, wlist, xlist, 0)
            except ValueError:
                pass  # a number that is too large for it, or negative
            else:
                if any(three):
                    return three
        masks: Dict[int, int] = {}
        readers = _numbers(rlist, IN, masks)
        writers = _numbers(wlist, OUT, masks)
        others = _numbers(xlist, PRI, masks)
        ready = dict(_wait_for(way, masks, timeout))
        if any(mask & NVAL for mask in ready.values()):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return (
            [file for file, fd in zip(rlist, readers) if ready.get(fd, 0) & READABLE],
            [file for file, fd in zip(wlist, writers) if ready.get(fd, 0) & WRITABLE],
            [file for file, fd in zip(xlist, others) if ready.get(fd, 0) & PRI],
        )


_home = Select()
select = _home.select


def _sequence(files: Any) -> Any:
    if isinstance(files, (list, tuple)):
        return files
    try:
        return list(files)
    except TypeError:
        raise TypeError("arguments 1-3 must be sequences") from None


def _fd_of(file: Any) -> int:
    """A file's descriptor, or the error that select(2) raises."""
    fd: int = file
    if not isinstance(file, int):
        if not hasattr(file, "fileno"):
            raise TypeError("argument must be an int, or have a fileno() method.")
        fd = file.fileno()
        if not isinstance(fd, int):
            raise TypeError("fileno() returned a non-integer")
    if fd < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({fd})")
    return fd


def _numbers(files: Any, mask: int, masks: Dict[int, int]) -> List[int]:
    """Their descriptors, which are noted in `masks`, too."""
    numbers = []
    for file in files:
        fd = file if type(file) is int and file >= 0 else _fd_of(file)
        masks[fd] = masks.get(fd, 0) | mask
        numbers.append(fd)
    return numbers


def _wait_for(way: Way, masks: Dict[int, int], timeout: Optional[float]) -> List[Pair]:
    """What poll(2) says of these files, as soon as select(2) has something to say."""
    kept: Dict[Any, Files] = vars(way.thread).setdefault("files", {})
    name = next(iter(masks), None)
    files = kept.pop(name, None) or Files()
    try:
        files.fill(masks)
        pairs = wait(way, files, timeout)
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
