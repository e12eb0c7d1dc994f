"""How does /dev/poll, poll(7d), wait through a hub?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Optional

from .. import _unpatched
from .._backends import IN, OUT, PRI, DevpollBackend, Pair
from .._backends._base import validate_with
from .._hubs import NATIVE
from .._pickling import reduced_home
from .._pollers._files_poller import FilesPoller
from ._arguments import descriptor_of, number_of
from ._poll import Watched, watched
from ._user_poller import WithDescriptor
from ._waiting import find_way, in_time_slice, wait


class Devpoll(WithDescriptor):
    """What `devpoll` returns."""

    __slots__ = ("_keys",)

    _keys: Dict[int, Watched]

    def __new__(cls) -> Devpoll:
        raise TypeError(f"cannot create '{cls.__module__}.{cls.__qualname__}' instances")

    @classmethod
    def _around(cls, backend: DevpollBackend, poller: Optional[FilesPoller] = None) -> Devpoll:
        made = object.__new__(cls)
        made._keys = {}
        made._poller = FilesPoller(backend, made._keys) if poller is None else poller
        made._way = find_way()
        return made

    @property
    def _native(self) -> Any:
        if not self._poller.closed:
            self._poller.descriptor()  # a forked child gets its own
        return self._poller.backend.native

    def register(self, fd: Any, eventmask: int = IN | PRI | OUT, /) -> None:
        """Watch a file, a number or an object with ``fileno()``."""
        fd = descriptor_of(fd)
        self._native.register(fd, eventmask)
        self._note(fd, eventmask)

    def modify(self, fd: Any, eventmask: int = IN | PRI | OUT, /) -> None:
        """Watch a registered file for other events."""
        fd = descriptor_of(fd)
        self._native.modify(fd, eventmask)
        self._note(fd, eventmask)

    def unregister(self, fd: Any, /) -> None:
        """Watch a file no longer; no error if it is not registered."""
        fd = descriptor_of(fd)
        self._native.unregister(fd)
        self._note(fd, None)

    def _note(self, number: int, mask: Optional[int]) -> None:
        before = self._keys.pop(number, None)
        now = None if mask is None else watched(mask)
        if now is not None:
            self._keys[number] = now
        self._poller.note(number, now, before)

    def poll(self, timeout: Optional[float] = None, /) -> List[Pair]:
        """Wait for at most `timeout` milliseconds, forever if it is None or -1.

        Returns ``[(fd, events), ...]``.
        """
        if not self._way.holds():
            self._way = find_way()
        way = self._way
        pairs: List[Pair]
        if way.hub is NATIVE or self._native.closed:
            pairs = self._native.poll(timeout)
            return pairs
        seconds = number_of(timeout, self._validate)
        if seconds is not None:
            if seconds < -1:
                self._validate(timeout)
            seconds = None if seconds < 0 else seconds / 1000
        if in_time_slice(way):
            pairs = self._native.poll(0)
            if pairs:
                return pairs
        return wait(way, self._poller, seconds)

    def _validate(self, timeout: Any) -> None:
        validate_with(_unpatched.devpoll(), timeout)


class _Home:
    """Holds the function `devpoll` as a method; see `Select` for the reason."""

    def __reduce__(self) -> Any:
        return reduced_home(self, "devpoll")

    def __deepcopy__(self, _: Any) -> _Home:
        return self

    def devpoll(self) -> Devpoll:
        """Like ``select.devpoll``, with the same arguments, results and errors.

        Each call of ``poll()`` decides how to wait: in an ordinary process in the kernel; under
        gevent and eventlet, only the calling greenlet waits.
        """
        return Devpoll._around(DevpollBackend())


_home = _Home()

if TYPE_CHECKING:
    devpoll = Devpoll  # the class, as in typeshed: programs annotate with it
else:
    devpoll = _home.devpoll
