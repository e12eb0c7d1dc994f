"""Stand-ins for tests, not the real things: `select.kqueue`, `select.kevent`, `select.devpoll`.

They let tests on Linux take the paths of macOS, the BSDs and Solaris.  They follow kqueue(2) of
FreeBSD and macOS, poll(7d) and devpoll.c of illumos, and CPython's selectmodule.c; where these
differ or are silent, a comment says which was followed.  Below them is a real epoll, so that their
descriptors can be waited for and nested.  What stays different from the real things:

* An unconnected TCP socket is ready (HUP), as on Linux; a BSD calls it not ready.
* EV_CLEAR reports both filters of a file when either has news, and cannot be mixed with a
  level-triggered filter on the same file.
* A file that was closed but lives on in a duplicate can make the descriptor readable once more,
  until the next call.
* A regular file that grows is noticed within `_TICK` seconds, and only while somebody waits; what
  happens to several threads that wait at once, close() included, within the same.
* A write filter's `data` is the least that a writable pipe takes, not the room that there is.

The filters that are no reading or writing, and what is different in them: standin_filters.py.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import errno
import fcntl
import functools
import importlib.machinery
import itertools
import math
import operator
import os
import posix  # the system's own calls: patchers replace those in `os`
import select
import stat
import sys
import termios
import time
import weakref
from _thread import RLock
from collections.abc import Callable, Iterable
from typing import Any

from support import standin_filters
from support.standin_filters import KQ_FILTER_VNODE, SOURCES, Source

#: What is below the stand-ins.
real_epoll: Any = getattr(select, "epoll", None)

_epoll, _poll, _select, _PIPE_BUF = real_epoll, select.poll, select.select, select.PIPE_BUF
_IN, _OUT, _PRI, _ERR, _HUP = 0x1, 0x4, 0x2, 0x8, 0x10  # <poll.h> and <sys/epoll.h> agree
_RDHUP, _ONCE, _EDGE = 0x2000, 1 << 30, 1 << 31  # <sys/epoll.h>; PyPy does not name them all
_POLLREMOVE = 0x800  # <poll.h> of Solaris
_SHORT, _INT, _LONG = 2**16 - 1, 2**32 - 1, 2**64 - 1  # the largest unsigned ones
_TICK, _LONGEST = 0.05, 86400.0  # the pauses of a wait, in seconds


class _Clock:
    """Where freezegun, which replaces what it finds in modules, does not look."""

    monotonic = time.monotonic


KQ_FILTER_READ, KQ_FILTER_WRITE = -1, -2
KQ_EV_ADD, KQ_EV_DELETE, KQ_EV_ENABLE, KQ_EV_DISABLE = 0x1, 0x2, 0x4, 0x8
KQ_EV_ONESHOT, KQ_EV_CLEAR, KQ_EV_EOF, KQ_EV_ERROR = 0x10, 0x20, 0x8000, 0x4000

_WANTED = {KQ_FILTER_READ: _IN | _RDHUP, KQ_FILTER_WRITE: _OUT}
_LASTING = KQ_EV_ONESHOT | KQ_EV_CLEAR | KQ_EV_DISABLE  # the flags that a knote keeps

# Since python/cpython 110395 the interpreter knows that fork() takes kqueues away.
_CLOSED_BY_FORK = sys.version_info >= (3, 12, 1)

_bell: int | None = None


def _failure(code: int) -> OSError:
    return OSError(code, os.strerror(code))


def _as_fd(file: Any, mask: int = 0) -> int:
    """The descriptor of `file`, or the error that the real things raise for these arguments."""
    fd = file
    if not isinstance(file, int) and getattr(file, "fileno", None) is not None:
        number = file.fileno()  # asked once, as PyObject_AsFileDescriptor() does
        fd = number if isinstance(number, int) else file
    _poll().register(fd, mask)
    return int(fd)


def _as_int(number: Any) -> int:
    """What PyArg_Parse() makes of an int argument, or its error."""
    b"".expandtabs(number)
    return operator.index(number)


def _seconds(timeout: Any) -> float | None:
    """A time-out of `kqueue.control`, or its error."""
    if timeout is None:
        return None
    try:
        _select([opened_bell()], [], [], timeout)
    except TypeError:
        kind = type(timeout).__name__
        raise TypeError(f"timeout argument must be a number or None, got {kind}") from None
    except ValueError as error:
        if "negative" not in str(error):
            raise
        raise ValueError("timeout must be positive or None") from None
    return _number(timeout)


def _milliseconds(timeout: Any) -> float:
    """A time-out of `devpoll.poll`, or its error."""
    judge = _poll()
    judge.register(opened_bell())
    judge.poll(timeout)
    return _number(timeout)


def _number(timeout: Any) -> float:
    if isinstance(timeout, float):
        return float.__add__(timeout, 0.0)
    return operator.index(timeout) if hasattr(timeout, "__index__") else int(timeout)


def opened_bell() -> int:
    if _bell is None:
        _open_bell()
    assert _bell is not None
    return _bell


def _identity(fd: int) -> tuple[int, int]:
    if fd > _INT // 2:
        raise _failure(errno.EBADF)
    status = posix.fstat(fd)
    return status.st_dev, status.st_ino


def _unread(fd: int) -> int:
    """What a read filter has for `data`: how much there is to read, or 1 if nobody says."""
    try:
        status = posix.fstat(fd)
        if stat.S_ISREG(status.st_mode):
            return status.st_size - posix.lseek(fd, 0, os.SEEK_CUR)
        return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)
    except OSError:
        return 1  # a listening socket, another kqueue, a file that another thread has just closed


class _Alarm:
    """Files, and an epoll whose descriptor is readable while any of them is ready.

    epoll goes on forever about a file that was closed but lives on in a duplicate, and cannot be
    told to stop.  So every file is armed for one report only, and armed anew after each.  What
    epoll refuses, such as a regular file, is represented by a bell: a file that is always ready.
    """

    def __init__(self) -> None:
        self.epoll = _epoll()
        self.lock = RLock()
        self.armed: dict[int, int] = {}  # {fd: mask in the epoll}
        self.refused: set[int] = set()
        self.helpers: set[int] = set()  # what else is in the epoll, and always level-triggered

    def arm(self, fd: int, mask: int) -> None:
        if not mask & _EDGE:
            mask |= _ONCE
        try:
            try:
                self.epoll.modify(fd, mask)
            except FileNotFoundError:
                self.epoll.register(fd, mask)
        except OSError as error:
            self.disarm(fd)
            if error.errno not in (errno.EPERM, errno.EBADF):
                raise
            self.refused.add(fd)
        else:
            self.armed[fd] = mask
            self.refused.discard(fd)

    def disarm(self, fd: int) -> None:
        self.refused.discard(fd)
        if self.armed.pop(fd, None) is None:
            return
        try:
            self.epoll.unregister(fd)
        except OSError:
            # It is closed.  If it lives on and is ready, this uses up its one report.
            for other, _ in self.epoll.poll(0, self._most() + 1):
                if other in self.armed:
                    with contextlib.suppress(OSError):
                        self.epoll.modify(other, self.armed[other])

    def ring(self, on: bool) -> None:
        if _bell is None and not on:
            return
        opened_bell()
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            (self.epoll.register if on else self.epoll.unregister)(_bell)

    def _most(self) -> int:
        """How many reports the epoll can have at once; the one more is the bell's."""
        return len(self.armed) + len(self.helpers) + 1

    def wait(self, look: Callable[[set[int]], list[Any]], timeout: float | None) -> list[Any]:
        """Call `look` with the files that woke us, until it returns something or time is up."""
        deadline = None if timeout is None else _Clock.monotonic() + timeout
        pause = 0.0
        while True:
            try:
                fired = {fd for fd, _ in self.epoll.poll(pause, self._most())}
                with self.lock:
                    found = look(fired)
            except ValueError:
                if not self.epoll.closed:
                    raise
                raise _failure(errno.EBADF) from None  # FreeBSD says so; poll(7d) nothing
            left = _LONGEST if deadline is None else deadline - _Clock.monotonic()
            if found or left <= 0:
                return found
            # Of several threads an armed file wakes one only, and close() wakes none.
            pause = min(left, _TICK)


@dataclasses.dataclass(order=True, repr=False)
class kevent:
    """select.kevent."""

    ident: Any
    filter: int = KQ_FILTER_READ
    flags: int = KQ_EV_ADD
    fflags: int = 0
    data: int = 0
    udata: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.ident, int):
            self.ident = _as_fd(self.ident)
        if self.ident < 0:
            raise OverflowError("can't convert negative value to size_t")
        # PyArg_Parse() cuts off what does not fit into the struct's unsigned members.
        self.flags &= _SHORT
        self.fflags &= _INT
        self.udata &= _LONG

    def __repr__(self) -> str:
        return (
            f"<select.kevent ident={self.ident} filter={self.filter} flags={self.flags:#x} "
            f"fflags={self.fflags:#x} data={self.data & _LONG:#x} udata={self.udata:#x}>"
        )


kevent.__module__ = "select"  # not earlier: dataclass() leaves things behind in that module


class _Knote:
    """A filter that is attached to a file."""

    def __init__(self, change: kevent) -> None:
        self.fd, self.kind, self.udata = change.ident, change.filter, change.udata
        self.flags = change.flags & _LASTING
        self.turn = 0  # when it was last reported: who has waited longest comes first

    def event(self, mask: int) -> kevent | None:
        if self.kind == KQ_FILTER_READ:
            data, eof = _unread(self.fd), mask & (_HUP | _RDHUP)
        else:
            data, eof = _PIPE_BUF, mask & (_HUP | _ERR)
        # FreeBSD gives back the lasting flags; macOS keeps EV_ADD as well.
        return kevent(self.fd, self.kind, self.flags | (eof and KQ_EV_EOF), 0, data, self.udata)


class _SourceKnote(_Knote):
    """A filter of standin_filters.py; `fd` is whatever number it is attached to."""

    def __init__(self, change: kevent, source: Source) -> None:
        super().__init__(change)
        self.flags |= source.flags
        self.source = source

    def event(self, mask: int) -> kevent | None:
        news = self.source.take()
        if news is None:
            return None
        flags, fflags, data = news
        return kevent(self.fd, self.kind, self.flags | flags, fflags, data, self.udata)


class _Queue(_Alarm):
    """The kernel's side of a kqueue."""

    def __init__(self) -> None:
        super().__init__()
        self.pid = posix.getpid()
        self._knotes: dict[tuple[int, int], _Knote] = {}  # {(fd, filter): knote}
        self._files: dict[int, tuple[int, int]] = {}  # {fd: what it was when it was added}
        self._others: dict[tuple[int, int], _SourceKnote] = {}  # {(ident, filter): knote}
        self._turns = itertools.count(1)
        _queues[self.epoll.fileno()] = self

    def change(self, change: kevent) -> None:
        """Carry out one element of a changelist; OSError as in kqueue(2), ERRORS."""
        key = fd, kind = change.ident, change.filter
        if kind not in _WANTED:
            self._change_other(change)
            return
        self._holds(fd)
        identity = _identity(fd)
        if change.flags & KQ_EV_ADD:
            self._files[fd] = identity
            self._knotes[key] = _Knote(change)
        elif key not in self._knotes:
            raise _failure(errno.ENOENT)
        elif change.flags & KQ_EV_ENABLE:
            self._knotes[key].flags &= ~KQ_EV_DISABLE
        elif change.flags & KQ_EV_DISABLE:
            self._knotes[key].flags |= KQ_EV_DISABLE
        if change.flags & KQ_EV_DELETE:
            del self._knotes[key]
        try:
            self._update(fd)
        except BaseException:
            self._knotes.pop(key, None)
            self._update(fd)
            raise

    def take(self, limit: int, fired: set[int]) -> list[kevent]:
        """Up to `limit` events.  kqueue(2): the filters run again when events are retrieved."""
        poller = _poll()
        for fd, mask in self.armed.items():
            poller.register(fd, mask & _SHORT)
        masks = {fd: mask for fd, mask in poller.poll(0) if self._holds(fd)}
        for fd in fired.difference(masks):
            self._holds(fd)
        for fd in tuple(self.refused):
            if self._holds(fd):
                masks[fd] = self._file_mask(fd)
        ready = [
            knote
            for knote in self._knotes.values()
            if not knote.flags & KQ_EV_DISABLE
            and masks.get(knote.fd, 0) & (_WANTED[knote.kind] | _HUP | _ERR)
            and (not knote.flags & KQ_EV_CLEAR or knote.fd not in self.armed or knote.fd in fired)
        ]
        self.ring(any(knote.fd in self.refused for knote in ready))
        if self._others:
            ready += self._enabled_others()
        ready.sort(key=lambda knote: knote.turn)
        events: list[kevent] = []
        for knote in ready:
            if len(events) == limit:
                if knote.flags & KQ_EV_CLEAR and knote.kind in _WANTED:
                    self._update(knote.fd)  # its edge is not used up
                continue
            event = knote.event(masks.get(knote.fd, 0))
            if event is None:
                continue
            events.append(event)
            knote.turn = next(self._turns)
            if event.flags & KQ_EV_ONESHOT:
                self._drop(knote)
        return events

    def _change_other(self, change: kevent) -> None:
        """The same for a filter of standin_filters.py."""
        key = ident, kind = change.ident, change.filter
        if kind not in SOURCES:
            raise _failure(errno.EINVAL)
        if kind == KQ_FILTER_VNODE:
            _identity(ident)
        knote = self._others.get(key)
        if knote is not None and not knote.source.is_current():
            self._drop(knote)
            knote = None
        if change.flags & KQ_EV_ADD:
            if knote is None:
                source = SOURCES[kind](change)
            else:
                source = knote.source
                source.add_again(change)
            knote = self._others[key] = _SourceKnote(change, source)
        elif knote is None:
            raise _failure(errno.ENOENT)
        elif change.flags & KQ_EV_ENABLE:
            knote.flags &= ~KQ_EV_DISABLE
        elif change.flags & KQ_EV_DISABLE:
            knote.flags |= KQ_EV_DISABLE
        if change.flags & KQ_EV_DELETE:
            self._drop(knote)
        else:
            self._listen(knote, not knote.flags & KQ_EV_DISABLE)

    def _enabled_others(self) -> list[_SourceKnote]:
        for knote in tuple(self._others.values()):
            if not knote.source.is_current():
                self._drop(knote)
        return [knote for knote in self._others.values() if not knote.flags & KQ_EV_DISABLE]

    def _listen(self, knote: _SourceKnote, on: bool) -> None:
        """Have the epoll listen to what the knote's source has to say, or not."""
        for fd in knote.source.fds:
            if on and fd not in self.helpers:
                if fd in self._files:
                    self._holds(fd)  # it was closed, and its number is now ours
                self.epoll.register(fd, _IN)
                self.helpers.add(fd)
            elif not on and fd in self.helpers:
                self.epoll.unregister(fd)
                self.helpers.discard(fd)

    def _drop(self, knote: _Knote) -> None:
        if isinstance(knote, _SourceKnote):
            self._listen(knote, False)
            del self._others[knote.fd, knote.kind]
            knote.source.close()
        else:
            del self._knotes[knote.fd, knote.kind]
            self._update(knote.fd)

    def is_there(self) -> bool:
        """Whether the number is still the epoll's, which others may have closed."""
        try:
            return posix.readlink(f"/proc/self/fd/{self.epoll.fileno()}").endswith("[eventpoll]")
        except OSError:
            return False

    def close(self) -> None:
        self.epoll.close()
        self._others = {}  # the last to let go of them, if there are duplicates, closes the sources

    def _holds(self, fd: int) -> bool:
        """Whether `fd` is what it was when it was added, which arms it anew, or is closed.

        kqueue(2): close() takes a file's knotes away.  Nobody tells us, but the number is then
        free, or another file's.  Where even the inode is the same (all epolls share one),
        epoll itself knows better.
        """
        try:
            same = self._files.get(fd) == _identity(fd)
            if same and not self.armed.get(fd, _EDGE) & _EDGE:
                self.epoll.modify(fd, self.armed[fd])
        except OSError:
            same = False
        if not same:
            self._files.pop(fd, None)
            for kind in _WANTED:
                self._knotes.pop((fd, kind), None)
            self.disarm(fd)
        return same

    def _update(self, fd: int) -> None:
        """Have the epoll listen to what the knotes of `fd` want."""
        knotes = [self._knotes[fd, kind] for kind in _WANTED if (fd, kind) in self._knotes]
        if not knotes:
            self._files.pop(fd, None)
        listening = [knote for knote in knotes if not knote.flags & KQ_EV_DISABLE]
        if not listening:
            self.disarm(fd)  # a mask of 0 would still report HUP
            return
        edges = {bool(knote.flags & KQ_EV_CLEAR) for knote in listening}
        if len(edges) > 1:
            raise NotImplementedError("EV_CLEAR mixed with level-triggered; see the module's top")
        mask = _EDGE if edges.pop() else 0
        for knote in listening:
            mask |= _WANTED[knote.kind]
        self.arm(fd, mask)
        if fd in self.refused and mask & self._file_mask(fd):
            self.ring(True)

    @staticmethod
    def _file_mask(fd: int) -> int:
        # kqueue(2): a vnode is readable while the offset is not at its end.  It says also that
        # the write filter is not supported for vnodes; both kernels have one that is always true.
        return _OUT | _IN if _unread(fd) else _OUT


_queues: weakref.WeakValueDictionary[int, _Queue] = weakref.WeakValueDictionary()
_duplicates: dict[int, _Queue] = {}  # until `kqueue.fromfd` takes them


def _dup2(fd: int, duplicate: int, inheritable: bool = True) -> int:
    """dup2(2), which a kqueue survives: its duplicate names the same queue."""
    queue = _queues.get(fd)
    posix.dup2(fd, duplicate, inheritable)
    if queue is not None:
        twin = _duplicates[duplicate] = _queues[duplicate] = copy.copy(queue)
        twin.epoll = _epoll.fromfd(duplicate)
    return duplicate


class kqueue:
    """select.kqueue.  It is no context manager; only epoll is."""

    __module__ = "select"

    def __init__(self) -> None:
        self._queue: _Queue | None = _Queue()
        self._fd: int = self._queue.epoll.fileno()

    @classmethod
    def fromfd(cls, fd: int, /) -> kqueue:
        self = cls.__new__(cls)
        self._fd, self._queue = fd, _queues.get(fd)
        _duplicates.pop(fd, None)
        return self

    @property
    def closed(self) -> bool:
        return self._fd < 0 or (_CLOSED_BY_FORK and self._was_forked())

    def fileno(self) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed kqueue object")
        return self._fd

    def close(self) -> None:
        self._fd = -1
        # kqueue(2): the queue is not inherited by a child.  There is nothing to close there.
        if self._queue is not None and not self._was_forked():
            self._queue.close()

    def control(
        self, changelist: Iterable[kevent] | None, max_events: int, timeout: float | None = None, /
    ) -> list[kevent]:
        max_events = _as_int(max_events)
        self.fileno()
        if max_events < 0:
            raise ValueError(f"Length of eventlist must be 0 or positive, got {max_events}")
        timeout = _seconds(timeout)
        try:
            changes = [] if changelist is None else list(changelist)
        except TypeError:
            raise TypeError("changelist must be iterable") from None
        if not all(isinstance(change, kevent) for change in changes):
            raise TypeError("changelist must be an iterable of select.kevent objects")
        queue = self._queue
        if queue is None or queue.epoll.closed or self._was_forked() or not queue.is_there():
            raise _failure(errno.EBADF)
        errors: list[kevent] = []
        with queue.lock:
            for change in changes:
                try:
                    queue.change(change)
                except OSError as error:
                    # kqueue(2), RETURN VALUES: an error is an event if there is room for it.
                    if len(errors) >= max_events:
                        raise
                    code = error.errno or 0
                    errors.append(kevent(change.ident, change.filter, KQ_EV_ERROR, 0, code))
        if errors or not max_events:
            return errors
        return queue.wait(functools.partial(queue.take, max_events), timeout)

    def _was_forked(self) -> bool:
        return self._queue is not None and self._queue.pid != posix.getpid()


class devpoll:
    """select.devpoll.  It is no context manager; only epoll is."""

    __module__ = "select"
    #: Whether its descriptor can be waited for; see `install`.
    _pollable = True

    def __init__(self) -> None:
        self._alarm = _Alarm()
        self._fd = self._alarm.epoll.fileno()
        if not self._pollable:
            reader, self._fd = posix.pipe()  # without a reader, poll(2) says POLLERR to it
            posix.close(reader)
        self._events: dict[int, int] = {}  # {fd: mask}, the monitored set
        self._owner: int | None = None
        # CPython writes changes to /dev/poll only when it polls (or has RLIMIT_NOFILE of them).
        self._unwritten: list[tuple[int, int]] = []

    @property
    def closed(self) -> bool:
        return self._fd < 0

    def fileno(self) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed devpoll object")
        return self._fd

    def close(self) -> None:
        if not self.closed and not self._pollable:
            posix.close(self._fd)
        self._fd = -1
        self._alarm.epoll.close()

    def register(self, fd: Any, eventmask: int = _IN | _PRI | _OUT, /) -> None:
        self._collect(fd, eventmask)

    def modify(self, fd: Any, eventmask: int = _IN | _PRI | _OUT, /) -> None:
        self._collect(fd, _POLLREMOVE, eventmask)

    def unregister(self, fd: Any, /) -> None:
        self._collect(fd, _POLLREMOVE)

    def poll(self, timeout: float | None = None, /) -> list[tuple[int, int]]:
        self.fileno()
        if timeout is None:
            timeout = -1
        timeout = _milliseconds(timeout)
        milliseconds = math.ceil(timeout) if timeout > 0 else math.floor(timeout)
        if not -1 <= milliseconds <= _INT // 2:
            raise OverflowError("timeout is too large")
        self._write()
        return self._alarm.wait(self._look, None if milliseconds < 0 else milliseconds / 1e3)

    def _collect(self, file: Any, *masks: int) -> None:
        fd = _as_fd(file, masks[-1])
        changes = [(fd, mask) for mask in masks]
        self.fileno()
        self._unwritten += changes

    def _write(self) -> None:
        """write(2) to /dev/poll."""
        # poll(7d): a child inherits the descriptor, and may only close it.  The first who uses
        # it is the owner, says devpoll.c.
        if self._owner is None:
            self._owner = posix.getpid()
        elif self._owner != posix.getpid():
            raise _failure(errno.EACCES)
        with self._alarm.lock:
            changes, self._unwritten = self._unwritten, []
            for fd, mask in changes:
                if mask == _POLLREMOVE:
                    self._events.pop(fd, None)
                else:
                    # poll(7d): the masks of several entries for one file are ORed.
                    self._events[fd] = self._events.get(fd, 0) | mask
            for fd in {fd for fd, _ in changes}:
                try:
                    _identity(fd)
                except OSError:
                    # devpoll.c: write() does not say EBADF, and DP_POLL skips the file
                    self._events.pop(fd, None)
                if fd in self._events:
                    self._alarm.arm(fd, self._events[fd])
                else:
                    self._alarm.disarm(fd)

    def _look(self, fired: set[int]) -> list[tuple[int, int]]:
        # poll(7d), NOTES: the set is one of numbers.  A closed file is POLLNVAL until it is
        # removed; if its number is used again, that file is polled.  This is what poll(2) does.
        poller = _poll()
        for fd, mask in self._events.items():
            self._alarm.arm(fd, mask)
            poller.register(fd, mask)
        found = poller.poll(0)
        self._alarm.ring(any(fd in self._alarm.refused for fd, _ in found))
        return found


class _Hide:
    """An import hook: `coopselectors._unpatched` looks behind patchers, and would find these."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "coopselectors._unpatched":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        assert spec is not None
        loader: Any = spec.loader
        execute = loader.exec_module

        def execute_and_hide(module: Any) -> None:
            execute(module)
            for hidden in self._names:
                setattr(module, hidden, None)
            module.system.dup2 = _dup2

        loader.exec_module = execute_and_hide
        return spec


def _open_bell() -> None:
    global _bell
    _bell, writer = posix.pipe()
    posix.close(writer)


def install(which: str, *, pollable: bool = True) -> None:
    """Make this process look like a platform that has `which`, and no epoll.

    `which` is ``"kqueue"``, ``"devpoll"``, or ``"select"`` for one without poll too.  To be
    called before coopselectors is imported, else RuntimeError.  The standard `selectors` is not
    imported anew.  With `pollable`, a devpoll's descriptor is readable while a file is ready;
    without, it answers POLLERR to whoever polls it, which is what poll(7d) says of every
    /dev/poll.
    """
    if "coopselectors" in sys.modules:
        raise RuntimeError("install() comes too late: coopselectors is imported already")
    known = {**vars(standin_filters), **globals()}
    if which == "kqueue":
        names = ["kqueue", "kevent", *(name for name in known if name.startswith("KQ_"))]
    elif which == "devpoll":
        names = ["devpoll"]
        devpoll._pollable = pollable
    elif which == "select":
        names = []
    else:
        raise ValueError(f"unknown stand-in {which!r}: it is 'kqueue', 'devpoll' or 'select'")
    for name in names:
        setattr(select, name, known[name])
    hidden = ("epoll", "poll") if which == "select" else ("epoll",)
    for name in [name for name in vars(select) if name.lower().startswith(hidden)]:
        delattr(select, name)
    _open_bell()  # now, and not as if it were something that a test has left behind
    sys.meta_path.insert(0, _Hide(*hidden))
