"""How does a kernel object give way to another one with the same files?

It has to in a forked child, which may not touch its parent's, and where the kernel goes on to
report files that were closed.  The other one takes its place at the next call that needs it.
"""

from __future__ import annotations

import errno
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from typing import AbstractSet, Any, ClassVar, List

from .. import _unpatched
from ._doorbell import doorbell
from ._primitive import Primitive
from ._waitable import Pair

# What uses the kernel object.
_CALLS = ("register", "modify", "unregister", "poll", "wait_fd", "fileno")


def extra_of(key: Any) -> int:
    """The extra events that a file is registered with, in the primitive's own bits."""
    extra: int = getattr(key, "extra_events", 0)
    return extra


class Renewable(Primitive):
    """A primitive whose kernel object can be replaced."""

    #: The extra events with which the kernel tells of a change only, and not of it again.
    edges: ClassVar[int] = 0
    #: The numbers of files that were to be told of once, and have been.
    spent: AbstractSet[int] = frozenset()

    def __init__(self) -> None:
        super().__init__()
        #: This is a forked child, and the kernel object is still its parent's.
        self.inherited = False
        # Whether `renew` stands before all that uses the kernel object.
        self._covered = False

    def forked(self) -> None:
        super().forked()
        if self.closed:
            return
        self.inherited = True
        self.renew()

    def renew(self) -> None:
        """Replace the kernel object by another with the same files, at the next call that needs it.

        Not before: many a forked child only wants to ``exec``.  And a call is there to tell whoever
        called it if there is no descriptor or memory left for another one; the next call tries
        again.
        """
        with self._lock:
            if not self.closed:
                for name in _CALLS:
                    setattr(self, name, partial(self._renew_and, name))
                self._covered = True

    def reopen(self) -> None:
        """Take a new and empty kernel object instead of the parent's."""

    def reopen_in_place(self) -> None:
        """Put a new and empty kernel object behind the same descriptor."""

    def _renew_and(self, name: str, *arguments: Any) -> Any:
        with self._lock:
            is_due = name in vars(self) and not self.closed  # else another thread was faster
            if is_due:
                self._renew_now()
        outcome = getattr(self, name)(*arguments)
        if is_due and name == "unregister":
            self.clear(arguments[0])  # what has just been filled never had it
        return outcome

    def _renew_now(self) -> None:
        self._uncover()
        try:
            if self.inherited:
                self.reopen()
                self.refill()
                self.inherited = False
            else:
                self._wake_blocked()
                self.reopen_in_place()
        except BaseException:
            self.renew()
            raise
        self._leave_nests()

    def refill(self) -> None:
        """Put all files that are registered into a new kernel object."""
        for fd in list(self.keys):
            self.settle(fd)

    def settle(self, fd: int) -> None:
        """Have the kernel watch a file as it is registered now, whatever it was told before.

        Other threads write into `keys` first and tell the kernel then: whoever comes last here has
        seen what they wrote.
        """
        key: Any = self  # which no file is registered with
        while key is not self.keys.get(fd):
            if fd == self.fileno():
                return  # a file was closed while registered, and its number is ours by now
            key = self.keys.get(fd)
            if fd in self.spent:
                return  # not to be told of before the next `modify`, by a new kernel object neither
            try:
                if key is None:
                    self.unregister(fd, EVENT_READ | EVENT_WRITE)
                else:
                    self.register(fd, key.events, extra_of(key))
            except OSError as error:
                # Closed while registered, and its number reused for a regular file perhaps; or
                # another thread is at it, too.
                if error.errno not in (errno.EBADF, errno.EPERM, errno.EEXIST, errno.ENOENT):
                    raise

    def _uncover(self) -> None:
        if self._covered:
            self._covered = False
            for name in _CALLS:
                vars(self).pop(name, None)

    def _wake_blocked(self) -> None:
        """Wake the threads that are blocked in `poll`: their kernel object is about to go."""
        if not self.inherited and _unpatched.has_other_threads():
            try:
                type(self).register(self, doorbell(), EVENT_READ)
            except (OSError, ValueError):
                pass  # there already, or closed before, or no memory: then nothing can be done

    def spend(self, fd: int) -> None:
        """Note that a file that was to be told of once has been."""
        if not self.spent:
            self.spent = set()
        self.spent.add(fd)  # type: ignore[attr-defined]

    def rearm(self, fd: int) -> None:
        """Note that it may be told of again."""
        if fd in self.spent:
            self.spent.discard(fd)  # type: ignore[attr-defined]

    def put_back(self, pairs: List[Pair]) -> None:
        if self.has_extras:
            for fd, _ in pairs:
                if extra_of(self.keys.get(fd)) & self.edges:
                    self.rearm(fd)
                    self.settle(fd)
