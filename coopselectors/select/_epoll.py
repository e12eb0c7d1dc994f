"""How does epoll(7) wait through a hub?"""

from __future__ import annotations

import errno
from types import TracebackType
from typing import Any, List, Optional, Type

from .. import _unpatched
from .._backends import IN, OUT, PRI, EpollBackend, Pair
from .._backends._base import validate_with
from .._hubs import NATIVE
from .._owned import OUR_FDS
from .._pollers._nested import note, refuse_outer_pollers
from .._pollers._poller import Poller
from .._runtime import modules
from .._unpatched import clock
from ._arguments import LONGEST, PLAIN, descriptor_of, integer_of, number_of
from ._user_poller import SPECIAL, UserPoller, WithDescriptor
from ._waiting import find_way, wait

_AT_ONCE = 0


class _AtMost:
    """Polls for at most `maxevents` events, for one caller."""

    def __init__(self, poller: UserPoller, maxevents: int) -> None:
        self._poller = poller
        self._maxevents = maxevents
        self.give_back = poller.give_back

    def poll(self, timeout: Optional[float]) -> List[Pair]:
        if self._poller.closed:
            self._poller.raise_closed()
        return self._poller.collect(-1 if timeout is None else timeout, self._maxevents)


class epoll(WithDescriptor):
    """Like ``select.epoll``, with the same arguments, results and errors.

    Each call of `poll` decides how to wait: in an ordinary process in the kernel; under gevent and
    eventlet, only the calling greenlet waits.  There, `close` raises ValueError in every caller
    that is waiting.
    """

    # Copies of what `_way` holds; they are cheaper to read.
    __slots__ = ("_hub", "_module", "_native", "_needs_a_turn", "_offers", "_select", "_thread")

    def __init__(self, sizehint: int = -1, flags: int = 0) -> None:
        self._take(EpollBackend(_unpatched.epoll(sizehint, flags)))

    @classmethod
    def fromfd(cls, fd: int, /) -> epoll:
        """Return an object for an epoll that exists already."""
        self = cls.__new__(cls)
        self._take(EpollBackend(_unpatched.epoll.fromfd(fd), is_ours=False), is_shared=True)
        return self

    @classmethod
    def _around(cls, poller: Any) -> epoll:
        """Return an object that uses the kernel object of a selector's poller."""
        self = cls.__new__(cls)
        self._take(poller.backend, is_shared=True, view_of=poller)
        return self

    def _take(
        self, backend: EpollBackend, is_shared: bool = False, view_of: Optional[Poller] = None
    ) -> None:
        self._native = backend.native
        self._poller = UserPoller(backend, is_shared, view_of)
        self._find_way()

    def _find_way(self) -> None:
        self._way = find_way()
        self._module, self._offers, self._select, self._hub, self._thread = self._way
        self._needs_a_turn = self._hub.needs_a_turn

    def register(self, fd: Any, eventmask: int = IN | PRI | OUT) -> None:
        """Watch a file, a number or an object with ``fileno()``; OSError if the kernel refuses."""
        if type(eventmask) is not int:
            eventmask = integer_of(eventmask)
        if type(fd) is not int:
            fd = descriptor_of(fd)
        try:
            self._native.register(fd, eventmask)
        except OSError as error:
            # The kernel may refuse the file only because an outer poller adds a level of nesting.
            is_too_deep = error.errno in (errno.EINVAL, errno.ELOOP)
            if not (is_too_deep and refuse_outer_pollers(self._poller)):
                raise
            self._native.register(fd, eventmask)
        if fd in OUR_FDS:
            note(fd, self._poller)
        # What holds for a closed file must not be taken to hold for the next file with its number.
        if self._is_special(eventmask):
            self._poller.note(fd, eventmask)

    def modify(self, fd: Any, eventmask: int) -> None:
        """Watch a registered file for other events."""
        if type(eventmask) is not int:
            eventmask = integer_of(eventmask)
        is_special = self._is_special(eventmask)
        if is_special:
            fd = descriptor_of(fd)
        self._native.modify(fd, eventmask)
        if is_special:
            self._poller.note(fd, eventmask)

    def unregister(self, fd: Any) -> None:
        """Stop watching a file."""
        if not self._poller.special:
            self._native.unregister(fd)
            return
        fd = descriptor_of(fd)
        self._native.unregister(fd)
        self._poller.forget(fd)

    def _is_special(self, mask: Any) -> bool:
        return isinstance(mask, int) and bool(mask & SPECIAL or self._poller.special)

    def poll(self, timeout: Optional[float] = None, maxevents: int = -1) -> List[Pair]:
        """Wait for at most `timeout` seconds, forever if it is None or negative.

        Returns ``[(fd, events), ...]``, of `maxevents` files at most.
        """
        pairs: List[Pair]
        if self._hub is not NATIVE:
            # Collecting what is ready blocks nobody, whatever was patched since.
            try:
                # As in `in_time_slice`, with a call less.
                if (
                    clock.monotonic() < self._thread.slice_ends
                    and not self._needs_a_turn
                    and (
                        timeout is _AT_ONCE  # asked most often
                        or timeout is None
                        or (type(timeout) in PLAIN and -LONGEST <= timeout <= LONGEST)
                    )
                ):
                    pairs = self._poller.collect(0, maxevents)
                    if pairs:
                        return pairs
            except AttributeError:
                pass  # nobody has waited yet in this thread
        try:
            if modules["select"] is not self._module or self._offers["select"] is not self._select:
                self._find_way()
        except KeyError:
            self._find_way()
        if self._hub is NATIVE:
            # PyPy's has no None for "forever".
            pairs = self._native.poll(-1 if timeout is None else timeout, maxevents)
            return pairs
        if type(maxevents) is not int or not -1 <= maxevents <= LONGEST or not maxevents:
            self._validate(timeout, maxevents)
            maxevents = integer_of(maxevents)
        seconds = number_of(timeout, self._validate)
        if seconds is not None and seconds < 0:
            # The native epoll rounds up to milliseconds before it tests for a negative time-out.
            seconds = 0 if seconds * 1000 > -1 else None
        source = None if maxevents == -1 else _AtMost(self._poller, maxevents)
        return wait(self._way, self._poller, seconds, source)

    def _validate(self, *how: Any) -> None:
        if self._native.closed:
            self._native.poll(*how)
        validate_with(_unpatched.epoll(), *how)

    def __enter__(self) -> epoll:
        self.fileno()  # a ValueError if it is closed
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]] = None,
        error: Optional[BaseException] = None,
        traceback: Optional[TracebackType] = None,
    ) -> None:
        self.close()
