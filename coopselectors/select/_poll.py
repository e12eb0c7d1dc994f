"""How does poll(2) wait through a hub?"""

from __future__ import annotations

from functools import lru_cache
from selectors import EVENT_READ, EVENT_WRITE
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, NoReturn, Optional

from .. import _unpatched
from .._backends import IN, OUT, PRI, Pair, PollBackend
from .._backends._base import validate_with
from .._hubs import NATIVE
from .._pickling import reduced_home
from .._pollers._files_poller import FilesPoller
from ._arguments import descriptor_of, integer_of, number_of
from ._waiting import Way, find_way, in_time_slice, latest_way, wait

# What <poll.h> and <sys/epoll.h> both know: PRI, ERR, HUP, RDNORM to MSG, RDHUP.
_EXTRAS = 0x27DA


class Watched(NamedTuple):
    """What a file is watched for, in the form that a poller takes."""

    events: int
    extra_events: int


@lru_cache(maxsize=256)
def watched(mask: int) -> Watched:
    """Translate a mask in the primitive's own bits."""
    events = (mask & IN and EVENT_READ) | (mask & OUT and EVENT_WRITE)
    return Watched(events, mask & _EXTRAS)


class Poll:
    """What `poll` returns."""

    __slots__ = ("__weakref__", "_is_busy", "_keys", "_native", "_poller", "_way")

    _native: Any
    _keys: Dict[int, Watched]
    #: Made at the first wait under a hub.
    _poller: Optional[FilesPoller]
    #: Whether a greenlet is in `poll`.
    _is_busy: bool
    _way: Way

    def __new__(cls) -> Poll:
        raise TypeError(f"cannot create '{cls.__module__}.{cls.__qualname__}' instances")

    @classmethod
    def _around(cls, native: Any, poller: Optional[FilesPoller] = None) -> Poll:
        """Return an object around a native one, and perhaps around the poller of a selector."""
        made = object.__new__(cls)
        made._native = native
        made._keys = {}
        made._poller = poller
        made._is_busy = False
        made._way = latest_way()
        return made

    def __reduce__(self) -> NoReturn:
        raise TypeError("cannot pickle 'coopselectors.select.poll' object")

    def register(self, fd: Any, eventmask: int = IN | PRI | OUT, /) -> None:
        """Watch a file, a number or an object with ``fileno()``; again, to change the events."""
        fd = descriptor_of(fd)
        self._native.register(fd, eventmask)
        self._note(fd, watched(integer_of(eventmask)))

    def modify(self, fd: Any, eventmask: int, /) -> None:
        """Watch a registered file for other events; OSError (ENOENT) if it is not registered."""
        fd = descriptor_of(fd)
        self._native.modify(fd, eventmask)
        self._note(fd, watched(integer_of(eventmask)))

    def unregister(self, fd: Any, /) -> None:
        """Watch a file no longer; KeyError if it is not registered."""
        fd = descriptor_of(fd)
        self._native.unregister(fd)
        self._note(fd, None)

    def _note(self, number: int, now: Optional[Watched]) -> None:
        before = self._keys.pop(number, None)
        if now is not None:
            self._keys[number] = now
        if self._poller is not None:
            self._poller.note(number, now, before)

    def poll(self, timeout: Optional[float] = None, /) -> List[Pair]:
        """Wait for at most `timeout` milliseconds, forever if it is None or negative.

        Returns ``[(fd, events), ...]``.  RuntimeError if another thread or greenlet is in here.
        """
        if not self._way.holds():
            self._way = find_way()
        way = self._way
        pairs: List[Pair]
        if way.hub is NATIVE:
            pairs = self._native.poll(timeout)
            return pairs
        if self._is_busy:
            raise RuntimeError("concurrent poll() invocation")
        seconds = number_of(timeout, lambda _: validate_with(_unpatched.poll(), timeout))
        if seconds is not None:
            seconds = None if seconds < 0 else seconds / 1000
        if in_time_slice(way):
            pairs = self._native.poll(0)
            if pairs:
                return pairs
        if self._poller is None:
            self._poller = self._make_poller()
        try:
            try:
                self._is_busy = True
                return wait(way, self._poller, seconds)
            finally:
                self._is_busy = False
        finally:  # a signal handler may have raised where the same was to be done above
            self._is_busy = False

    def _make_poller(self) -> FilesPoller:
        poller = FilesPoller(PollBackend(self._native), self._keys)
        for fd, key in self._keys.items():
            poller.note(fd, key, None)
        return poller


class _Home:
    """Holds the function `poll` as a method; see `Select` for the reason."""

    def __reduce__(self) -> Any:
        return reduced_home(self, "poll")

    def __deepcopy__(self, _: Any) -> _Home:
        return self

    def poll(self) -> Poll:
        """Like ``select.poll``, with the same arguments, results and errors.

        Each call of ``poll()`` decides how to wait: in an ordinary process in the kernel; under
        gevent and eventlet, only the calling greenlet waits.  There, the wait includes files that
        others register meanwhile.
        """
        return Poll._around(_unpatched.poll())


_home = _Home()

if TYPE_CHECKING:
    poll = Poll  # the class, as in typeshed: programs annotate with it
else:
    poll = _home.poll
