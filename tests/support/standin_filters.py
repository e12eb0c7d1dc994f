"""Stand-ins for tests, not the real things: kqueue's filters of what is no reading or writing.

What must live here: one source per filter, which gives descriptors for a queue's epoll and says
what has happened.  What must not: queues and knotes, which are in standins.py.  They follow
kqueue(2) of FreeBSD and macOS; where these differ, a comment says which was followed.  What stays
different from the real things:

* KQ_FILTER_PROC knows NOTE_EXIT only; what else is asked for is refused with NotImplementedError.
  The status is 0 of a process that is not our child, and of a child that was waited for before its
  event was retrieved, unless Linux (6.15) still knows it.
* KQ_FILTER_SIGNAL hears only of signals that have a Python handler, and of those that the system
  delivers: several that are pending at once are one.  The first such filter has to be added in the
  main thread.  It takes the wakeup descriptor (signal.set_wakeup_fd) and hands on to the one before
  what it reads, so that one hears of a signal when some queue is looked at; it does not notice
  being replaced.  Another signal makes the queue's descriptor readable, until the next call.
* KQ_FILTER_TIMER knows milliseconds only.
* KQ_FILTER_VNODE needs /proc.  It learns of links and attributes from one kind of report: a change
  of attributes together with one of links is unnoticed, and one that is not wanted makes the
  queue's descriptor readable, until the next call.  What grew and shrank again has not grown.
  Truncation is a NOTE_WRITE.  A directory's own removal is unnoticed; nothing is ever revoked.
"""

from __future__ import annotations

import collections
import errno
import fcntl
import functools
import os
import posix  # the system's own calls: patchers replace those in `os`
import select
import signal
import stat
import struct
import sys
import weakref
from _thread import RLock
from typing import Any, Callable, Optional

# <sys/event.h> of FreeBSD, under CPython's names.
KQ_FILTER_AIO, KQ_FILTER_VNODE, KQ_FILTER_PROC = -3, -4, -5
KQ_FILTER_SIGNAL, KQ_FILTER_TIMER = -6, -7
KQ_EV_ONESHOT, KQ_EV_CLEAR, KQ_EV_EOF = 0x10, 0x20, 0x8000
KQ_EV_SYSFLAGS, KQ_EV_FLAG1 = 0xF000, 0x2000
KQ_NOTE_LOWAT = 0x1
KQ_NOTE_DELETE, KQ_NOTE_WRITE, KQ_NOTE_EXTEND, KQ_NOTE_ATTRIB = 0x1, 0x2, 0x4, 0x8
KQ_NOTE_LINK, KQ_NOTE_RENAME, KQ_NOTE_REVOKE = 0x10, 0x20, 0x40
KQ_NOTE_EXIT, KQ_NOTE_FORK, KQ_NOTE_EXEC = 0x80000000, 0x40000000, 0x20000000
KQ_NOTE_PCTRLMASK, KQ_NOTE_PDATAMASK = 0xF0000000, 0xFFFFF
KQ_NOTE_TRACK, KQ_NOTE_TRACKERR, KQ_NOTE_CHILD = 0x1, 0x2, 0x4

_poll = select.poll
_NEW = os.O_NONBLOCK | os.O_CLOEXEC  # what EFD_, TFD_ and IN_ call so is the same

# <sys/inotify.h>
_IN_MODIFY, _IN_ATTRIB, _IN_DELETE_SELF, _IN_MOVE_SELF = 0x2, 0x4, 0x400, 0x800
_IN_MOVED_FROM, _IN_MOVED_TO, _IN_CREATE, _IN_DELETE = 0x40, 0x80, 0x100, 0x200
_IN_ISDIR = 1 << 30
_IN_ENTRIES = _IN_MOVED_FROM | _IN_MOVED_TO | _IN_CREATE | _IN_DELETE

# <linux/pidfd.h>: a struct of 64 bytes that begins with a mask and ends with the exit status.
_PIDFD_GET_INFO, _PIDFD_INFO_EXIT, _PIDFD_INFO = 0xC040FF0B, 0x8, struct.Struct("=Q52xi")

#: (flags to add, fflags, data) of an event.
News = tuple[int, int, int]


def _failure(code: int) -> OSError:
    return OSError(code, os.strerror(code))


@functools.cache
def _libc() -> Any:
    import ctypes  # most queues need none of this

    return ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: Any) -> int:
    """Call a function of the C library that `os` does not have, or not in every version."""
    import ctypes

    result: int = getattr(_libc(), name)(*arguments)
    if result < 0:
        raise _failure(ctypes.get_errno())
    return result


def _count(fd: int) -> int:
    """What an eventfd or a timerfd has counted since the last call."""
    try:
        return int.from_bytes(posix.read(fd, 8), sys.byteorder)
    except BlockingIOError:
        return 0


def _add(fd: int, number: int) -> None:
    """Add to an eventfd, which makes it readable."""
    posix.write(fd, number.to_bytes(8, sys.byteorder))


class Source:
    """What one knote waits for."""

    #: The flags that an event has without having been asked for.
    flags = KQ_EV_CLEAR

    def __init__(self, change: Any) -> None:
        self.ident: int = change.ident
        # They are the source's own.  One of them is readable while `take` has something.
        self.fds: list[int] = []
        _sources.add(self)

    def open(self, fd: int) -> int:
        self.fds.append(fd)
        return fd

    def close(self) -> None:
        while self.fds:
            posix.close(self.fds.pop())

    def __del__(self) -> None:
        self.close()

    def is_current(self) -> bool:
        """Whether `ident` still names what it named when the source was made."""
        return True

    def add_again(self, change: Any) -> None:
        """EV_ADD of what is there already: new parameters, and nothing that happened is lost."""

    def take(self) -> Optional[News]:
        """What has happened since the last call, if anything has."""
        raise NotImplementedError


class ProcessSource(Source):
    def __init__(self, change: Any) -> None:
        super().__init__(change)
        if change.fflags != KQ_NOTE_EXIT:
            raise NotImplementedError("of KQ_FILTER_PROC only KQ_NOTE_EXIT is imitated")
        try:
            # FreeBSD's filter takes a child that nobody has waited for; macOS says ESRCH.
            self._fd = self.open(os.pidfd_open(self.ident))
        except OverflowError:
            raise _failure(errno.ESRCH) from None
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT):  # 0, or a thread
                raise _failure(errno.ESRCH) from None
            raise

    def take(self) -> Optional[News]:
        poller = _poll()
        poller.register(self._fd, 0x1)  # POLLIN: it has ended
        if not poller.poll(0):
            return None
        # FreeBSD gives the status; macOS only if NOTE_EXITSTATUS asks for it.
        return KQ_EV_EOF | KQ_EV_ONESHOT, KQ_NOTE_EXIT, self._status()

    def _status(self) -> int:
        try:
            options = os.WEXITED | os.WNOWAIT | os.WNOHANG
            # Not P_PID: if it was waited for, its number may be another's.
            child = posix.waitid(os.P_PIDFD, self._fd, options)
        except ChildProcessError:
            child = None
        if child is None:
            return self._status_after_wait()
        if child.si_code == os.CLD_EXITED:
            return child.si_status << 8
        return child.si_status | (0x80 if child.si_code == os.CLD_DUMPED else 0)

    def _status_after_wait(self) -> int:
        info = bytearray(_PIDFD_INFO.pack(_PIDFD_INFO_EXIT, 0))
        try:
            fcntl.ioctl(self._fd, _PIDFD_GET_INFO, info)
        except OSError:
            return 0
        known, status = _PIDFD_INFO.unpack(info)
        return status if known & _PIDFD_INFO_EXIT else 0


class SignalSource(Source):
    def __init__(self, change: Any) -> None:
        # Neither system minds a number that is no signal's.
        super().__init__(change)
        self.counter = self.open(_call("eventfd", 0, _NEW))
        with _lock:
            self.open(_wakeup.start())
            _wakeup.sources.add(self)

    def close(self) -> None:
        with _lock:
            super().close()
            _wakeup.sources.discard(self)
            if not _wakeup.sources:
                _wakeup.stop()

    def take(self) -> Optional[News]:
        with _lock:
            _wakeup.hand_out()
            count = _count(self.counter)
        return (0, 0, count) if count else None


class _Wakeup:
    """The process has one wakeup descriptor: whoever reads it tells all queues.  See `_lock`."""

    def __init__(self) -> None:
        self.sources: weakref.WeakSet[SignalSource] = weakref.WeakSet()
        self._reader = self._writer = self._before = self._pid = -1

    def start(self) -> int:
        """A descriptor that is readable when a signal has come that was not handed out."""
        if self._reader < 0:
            # A socketpair is full after a few hundred signals, a pipe after 65,536.
            reader, writer = posix.pipe2(_NEW)
            try:
                self._before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
            except ValueError:
                posix.close(reader)
                posix.close(writer)
                raise NotImplementedError(
                    "KQ_FILTER_SIGNAL is imitated over signal.set_wakeup_fd(), which works in the "
                    "main thread only: add the first one there"
                ) from None
            self._reader, self._writer, self._pid = reader, writer, posix.getpid()
        else:
            self.hand_out()  # what came before is not for the new one
        # An epoll takes a number once, and a queue may have several of these filters.
        return posix.dup(self._reader)

    def stop(self) -> None:
        if self._reader < 0:
            return
        if self._pid == posix.getpid():  # a child would take its parent's
            self.hand_out()
        try:
            current = signal.set_wakeup_fd(-1)
        except ValueError:
            return  # not in the main thread: it stays for the next source
        if current != self._writer:
            signal.set_wakeup_fd(current)  # another's that came after ours
        elif self._before >= 0:
            try:
                signal.set_wakeup_fd(self._before)
            except (OSError, ValueError):
                pass  # closed since
        posix.close(self._reader)
        posix.close(self._writer)
        self._reader = self._writer = self._before = self._pid = -1

    def hand_out(self) -> None:
        try:
            came = posix.read(self._reader, 1 << 16)
        except BlockingIOError:
            return
        if self._before >= 0:
            try:
                posix.write(self._before, came)
            except OSError:
                pass  # full, or closed since: the interpreter loses them, too
        counts = collections.Counter(came)
        for source in tuple(self.sources):
            if counts[source.ident]:
                _add(source.counter, counts[source.ident])


class TimerSource(Source):
    def __init__(self, change: Any) -> None:
        super().__init__(change)
        self._fd = self.open(_call("timerfd_create", 1, _NEW))  # CLOCK_MONOTONIC
        self.add_again(change)

    def add_again(self, change: Any) -> None:
        # Both systems start the timer anew, and forget how often it had expired.
        if change.fflags:
            raise NotImplementedError("of KQ_FILTER_TIMER only milliseconds are imitated")
        if change.data < 0:
            raise _failure(errno.EINVAL)  # as FreeBSD; for macOS that is one in the past
        import ctypes

        # FreeBSD makes 1 of 0; a one-shot timer's 0 is "at once", which a timerfd takes for "off".
        once = bool(change.flags & KQ_EV_ONESHOT)
        period = max(change.data * 10**6, 1 if once else 10**6)
        first = divmod(period, 10**9)
        every = (0, 0) if once else first
        _call("timerfd_settime", self._fd, 0, (ctypes.c_long * 4)(*every, *first), None)

    def take(self) -> Optional[News]:
        count = _count(self._fd)
        return (0, 0, count) if count else None


class VnodeSource(Source):
    flags = 0

    def __init__(self, change: Any) -> None:
        super().__init__(change)
        status = posix.fstat(self.ident)
        # FreeBSD says EINVAL for what is no file of a file system; anonymous inodes have no type.
        kind = stat.S_IFMT(status.st_mode)
        if kind in (0, stat.S_IFSOCK, stat.S_IFIFO):
            raise _failure(errno.EINVAL)
        self._identity = status.st_dev, status.st_ino
        self._size, self._links = status.st_size, status.st_nlink
        self._is_directory = kind == stat.S_IFDIR
        self._happened = 0
        self._fd = self.open(_call("inotify_init1", _NEW))
        self._bell = self.open(_call("eventfd", 0, _NEW))
        self.add_again(change)

    def is_current(self) -> bool:
        try:
            status = posix.fstat(self.ident)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._identity

    def add_again(self, change: Any) -> None:
        wanted = change.fflags
        if wanted & ~0x7F:
            raise NotImplementedError("KQ_FILTER_VNODE is imitated up to KQ_NOTE_REVOKE")
        mask = _IN_DELETE_SELF  # somebody has closed what had been deleted
        if wanted & (KQ_NOTE_DELETE | KQ_NOTE_ATTRIB | KQ_NOTE_LINK):
            mask |= _IN_ATTRIB
        if wanted & KQ_NOTE_RENAME:
            mask |= _IN_MOVE_SELF
        if self._is_directory:
            if wanted & (KQ_NOTE_WRITE | KQ_NOTE_LINK):
                mask |= _IN_ENTRIES
        elif wanted & (KQ_NOTE_WRITE | KQ_NOTE_EXTEND):
            mask |= _IN_MODIFY
        path = f"/proc/self/fd/{self.ident}".encode()
        _call("inotify_add_watch", self._fd, path, mask)  # the same file again: a new mask
        self._wanted, self._lasting = wanted, not change.flags & KQ_EV_CLEAR

    def take(self) -> Optional[News]:
        for mask, named in self._reports():
            if self._is_directory:
                self._happened |= self._directory_notes(mask, named) & self._wanted
            else:
                self._happened |= self._file_notes(mask) & self._wanted
        happened = self._happened
        if not happened:
            return None
        if self._lasting:
            # Nothing takes back what happened to a file: both systems report it again and again.
            _add(self._bell, 1)
        else:
            self._happened = 0
            _count(self._bell)
        return 0, happened, 0

    def _reports(self) -> list[tuple[int, bool]]:
        """inotify's (mask, whether it is about an entry of the directory)."""
        found: list[tuple[int, bool]] = []
        while True:
            try:
                data = posix.read(self._fd, 1 << 16)
            except BlockingIOError:
                return found
            while data:
                _, mask, _, length = struct.unpack_from("iIII", data)
                found.append((mask, length > 0))
                data = data[16 + length :]

    def _file_notes(self, mask: int) -> int:
        status = posix.fstat(self.ident)
        notes = KQ_NOTE_RENAME if mask & _IN_MOVE_SELF else 0
        if mask & _IN_MODIFY:
            notes |= KQ_NOTE_WRITE | (KQ_NOTE_EXTEND if status.st_size > self._size else 0)
            self._size = status.st_size
        if mask & _IN_ATTRIB:
            # unlink() is NOTE_DELETE even if there are other links.  It changes their number: so
            # say both manuals, and does macOS; FreeBSD leaves NOTE_LINK out.
            if status.st_nlink < self._links:
                notes |= KQ_NOTE_DELETE | KQ_NOTE_LINK
            else:
                notes |= KQ_NOTE_LINK if status.st_nlink > self._links else KQ_NOTE_ATTRIB
            self._links = status.st_nlink
        return notes

    @staticmethod
    def _directory_notes(mask: int, named: bool) -> int:
        notes = KQ_NOTE_RENAME if mask & _IN_MOVE_SELF else 0
        if mask & _IN_ATTRIB and not named:
            notes |= KQ_NOTE_ATTRIB
        if mask & _IN_ENTRIES:
            # FreeBSD has NOTE_EXTEND, too, if it was a rename; macOS not.
            notes |= KQ_NOTE_WRITE
            if mask & _IN_ISDIR and mask & (_IN_CREATE | _IN_DELETE):
                notes |= KQ_NOTE_LINK  # its ".." is, or was, a link to the directory
        return notes


#: {filter: what makes its source of a kevent; OSError as in kqueue(2), ERRORS}
SOURCES: dict[int, Callable[[Any], Source]] = {
    KQ_FILTER_PROC: ProcessSource,
    KQ_FILTER_SIGNAL: SignalSource,
    KQ_FILTER_TIMER: TimerSource,
    KQ_FILTER_VNODE: VnodeSource,
}

_sources: weakref.WeakSet[Source] = weakref.WeakSet()
_wakeup = _Wakeup()
_lock = RLock()  # of `_wakeup`, and of its sources' counters


def _leave_to_parent() -> None:
    """kqueue(2): a queue is not inherited by a child.  Its helpers neither."""
    global _lock
    _lock = RLock()  # a thread that is not here may have held it
    for source in tuple(_sources):
        source.close()


os.register_at_fork(after_in_child=_leave_to_parent)
