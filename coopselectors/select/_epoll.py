"""epoll(7) that waits through the hub."""

from __future__ import annotations

import errno
import select as standard
from time import monotonic
from types import TracebackType
from typing import Any, Callable, Dict, List, Optional, Set, Type

from .. import _unpatched
from .._pollers import IN, OUT, Pair, doorbell
from ._kernel import Asked, Kernel, WithDescriptor
from ._waiting import (
    MOST,
    NATIVE,
    PLAIN,
    descriptor_of,
    find_way,
    integer_of,
    judge_with,
    number_of,
    wait,
)

# <sys/epoll.h>; the interpreter does not name them all on every version.
_PRI = 0x002
_ET = 1 << 31
_ONESHOT = 1 << 30
_EXCLUSIVE = 1 << 28

_ONCE = _ET | _ONESHOT
_SPECIAL = _ONCE | _EXCLUSIVE

_AT_ONCE = 0


class _Kernel(Kernel):
    name = "epoll"

    def __init__(self, native: Any, is_shared: bool = False) -> None:
        super().__init__(native, is_shared)
        #: {fd: mask} of the files that are told of in another way than for as long as it lasts.
        self.special: Dict[int, int] = {}
        self._exclusive: Set[int] = set()

    def note(self, number: int, mask: int) -> None:
        """A file is now watched in such a way, or not any more."""
        self.special[number] = mask
        if mask & _EXCLUSIVE:
            self._exclusive.add(number)
            self._leave_nests()
        else:
            self._exclusive.discard(number)

    def forget(self, number: int) -> None:
        self.special.pop(number, None)
        self._exclusive.discard(number)

    def gives_way(self, error: OSError) -> bool:
        """Whether the kernel may have refused a file only for how deep a nest makes it lie."""
        if error.errno not in (errno.EINVAL, errno.ELOOP) or not self.seats:
            return False
        self.withdraw()
        return True

    @property
    def needs_thread(self) -> bool:  # type: ignore[override]
        return self.refused or bool(self._exclusive)  # see EpollPoller.needs_thread

    def poll(self, timeout: Optional[float]) -> List[Pair]:
        return self.collect(timeout)

    def _native_way(self) -> Callable[..., List[Pair]]:
        way: Callable[..., List[Pair]] = self.native.poll
        return way

    def _without_doorbell(self, *how: Any) -> List[Pair]:
        bell = doorbell()
        return [pair for pair in self.native.poll(*how) if pair[0] != bell]

    def _block(self, timeout: Optional[float]) -> List[Pair]:
        return self.poll(timeout) if self._exclusive else super()._block(timeout)

    def put_back(self, pairs: List[Pair]) -> None:
        for fd, _ in pairs:
            mask = self.special.get(fd, 0)
            if mask & _ONCE:
                try:
                    if mask & _EXCLUSIVE:  # which cannot be modified
                        self.native.unregister(fd)
                        self.native.register(fd, mask)
                    else:
                        self.native.modify(fd, mask)
                except OSError:
                    pass  # closed meanwhile

    def ring(self, on: bool) -> None:
        try:
            if on:
                self.native.register(doorbell(), IN)
            else:
                self.native.unregister(doorbell())
        except (OSError, ValueError):
            pass  # there already, or closed


class epoll(WithDescriptor):
    """``select.epoll``: takes, returns and raises what that does.

    In an ordinary process it waits in the kernel, and under gevent or eventlet only the calling
    greenlet waits: that is decided at each call of `poll`.  There, `close` wakes who waits, with a
    ValueError.
    """

    # What `_way` says: to ask for it here is cheaper.
    __slots__ = ("_hub", "_owed", "_select", "_thread")

    def __init__(self, sizehint: int = -1, flags: int = 0) -> None:
        self._take(_unpatched.epoll(sizehint, flags))

    @classmethod
    def fromfd(cls, fd: int, /) -> epoll:
        """One for the epoll that a descriptor names already."""
        self = cls.__new__(cls)
        self._take(_unpatched.epoll.fromfd(fd), is_shared=True)
        return self

    def _take(self, native: Any, is_shared: bool = False) -> None:
        self._native = native
        self._waitable = _Kernel(native, is_shared)
        self._find_way()

    def _find_way(self) -> None:
        self._way = find_way()
        self._select, self._hub, self._thread = self._way
        self._owed = self._hub.owes_a_turn

    def register(self, fd: Any, eventmask: int = IN | _PRI | OUT) -> None:
        """Watch a file, a number or an object with ``fileno()``; OSError if the kernel refuses."""
        if type(eventmask) is not int:
            eventmask = integer_of(eventmask)
        # What was said of a file that was closed is not to be said of the next with its number.
        is_special = self._is_special(eventmask)
        if is_special:
            fd = descriptor_of(fd)
        try:
            self._native.register(fd, eventmask)
        except OSError as error:
            if not self._waitable.gives_way(error):
                raise
            self._native.register(fd, eventmask)
        if is_special:
            self._waitable.note(fd, eventmask)

    def modify(self, fd: Any, eventmask: int) -> None:
        """Watch a registered file for other events."""
        if type(eventmask) is not int:
            eventmask = integer_of(eventmask)
        is_special = self._is_special(eventmask)
        if is_special:
            fd = descriptor_of(fd)
        self._native.modify(fd, eventmask)
        if is_special:
            self._waitable.note(fd, eventmask)

    def unregister(self, fd: Any) -> None:
        """Watch a file no longer."""
        if not self._waitable.special:
            self._native.unregister(fd)
            return
        fd = descriptor_of(fd)
        self._native.unregister(fd)
        self._waitable.forget(fd)

    def _is_special(self, mask: Any) -> bool:
        return isinstance(mask, int) and bool(mask & _SPECIAL or self._waitable.special)

    def poll(self, timeout: Optional[float] = None, maxevents: int = -1) -> List[Pair]:
        """Wait for at most `timeout` seconds, for ever if it is None or negative.

        Returns ``[(fd, events), ...]``, of `maxevents` files at most.
        """
        pairs: List[Pair]
        if self._hub is not NATIVE:
            # Whoever may have patched what since: to collect what is there blocks nobody.
            try:
                if (
                    monotonic() < self._thread.hurry_until  # as in `may_hurry`: a call less
                    and not self._owed
                    and (
                        timeout is _AT_ONCE  # asked most often
                        or timeout is None
                        or (type(timeout) in PLAIN and -MOST <= timeout <= MOST)
                    )
                ):
                    pairs = self._waitable.collect(0, maxevents)
                    if pairs:
                        return pairs
            except AttributeError:
                pass  # nobody has waited yet in this thread
        if standard.select is not self._select:
            self._find_way()
        if self._hub is NATIVE:
            pairs = self._native.poll(timeout, maxevents)
            return pairs
        if type(maxevents) is not int or not -1 <= maxevents <= MOST or not maxevents:
            self._judge(timeout, maxevents)
            maxevents = integer_of(maxevents)
        seconds = number_of(timeout, self._judge)
        if seconds is not None and seconds < 0:
            # It rounds up to milliseconds first, and only then is it negative.
            seconds = 0 if seconds * 1000 > -1 else None
        kernel = self._waitable
        waited: Any = kernel
        if maxevents != -1:
            waited = Asked(kernel, lambda _: kernel.collect(0, maxevents))
        return wait(self._way, waited, seconds)

    def _judge(self, *how: Any) -> None:
        if self._native.closed:
            self._native.poll(*how)
        judge_with(_unpatched.epoll(), *how)

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
