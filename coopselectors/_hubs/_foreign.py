"""How does one wait if an unknown patcher replaced `select`?  By calling the replacement.

Whatever the patcher wants to happen in a wait can only happen in its own functions, so these are
called, at any cost.  A replaced ``select.poll`` or ``select.epoll`` gets the whole list of files at
each call.  A replaced ``select.select`` is asked to wait for our descriptor.  Our descriptor is
among the files in either case; it becomes readable when the selector is closed.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from selectors import EVENT_READ
from typing import Any, List, Optional, Type

from .. import _runtime
from .._backends import Backend, Pair, SelectBackend
from .._backends._base import extra_of
from .._unpatched import clock, system
from ._base import Hub, Source

# What a function raises that exists but is not meant to be called, and the errors of a sandbox.
_NOT_MEANT = (TypeError, NotImplementedError, AttributeError)
_REFUSED = (errno.ENOSYS, errno.EPERM, errno.EACCES)

#: The name to pass to `hub_for` for objects that are not built on a primitive.
NO_PRIMITIVE = ""

# On most platforms, select(2) takes only descriptors below this.
_FD_SETSIZE = 1024


def are_three(said: Any) -> bool:
    """Whether this looks like the result of a ``select.select``."""
    if not (isinstance(said, (tuple, list)) and len(said) == 3):
        return False
    return all(isinstance(each, (list, tuple, set, frozenset)) for each in said)


def _duplicate(inner: Any, poller: Any) -> Optional[int]:
    """A descriptor to wait for that stays open until the wait is over.

    The foreign function may wait in a hub, which would not notice that a descriptor was closed.
    """
    try:
        fd: int = system.dup(inner.descriptor())
    except OSError:
        return None  # no descriptor is left: wait for the files alone
    if fd in poller.keys:  # the number of a file that was closed while registered
        system.close(fd)
        return None
    return fd


class ForeignHub(Hub):
    """Waits in `primitive`, a replacement of the poller's own primitive, or else in `select`."""

    name = "foreign"

    def __init__(self, select: Any, primitive: Any) -> None:
        self._select = select
        self._primitive = primitive
        #: The replacement turned out not to work: see _runtime.
        self.is_broken = False

    def wait(
        self,
        poller: Any,
        timeout: Optional[float],
        deadline: Optional[float],
        source: Optional[Source] = None,
    ) -> List[Pair]:
        asked: Source = poller if source is None else source
        while not self.is_broken:
            if poller.closed:
                poller.raise_closed()
            pairs = self._ask(poller, asked, timeout)
            if pairs or (timeout == 0 and not self.is_broken):
                return pairs
            if deadline is not None:
                remaining: float = deadline - clock.monotonic()
                if remaining <= 0:
                    return pairs
                timeout = remaining
        from . import hub_for

        # The hub for what is left without the broken replacement.
        name = NO_PRIMITIVE if self._primitive is None else poller.backend.name
        return hub_for(name).wait(poller, timeout, deadline, source)

    def describe(self) -> str:
        asked = self._select if self._primitive is None else self._primitive
        try:
            return repr(asked)
        except Exception:
            return f"a {type(asked).__name__} object"

    def _ask(self, poller: Any, source: Source, timeout: Optional[float]) -> List[Pair]:
        """Return what is ready after one call of the foreign function, even if it was early."""
        pairs: List[Pair] = []
        if timeout != 0 and not poller.has_descriptor():
            # A new descriptor may get the number of a file that was just closed.
            pairs = poller.poll(0)
            if pairs and (self._primitive is None or poller.has_extras):
                return pairs
        inner = None if pairs or timeout == 0 else poller.pollable()
        own = None if inner is None else _duplicate(inner, poller)
        # While this refers to the kernel object, `close` sees that it is in use and notifies it.
        held = None if inner is None else inner.backend.native
        try:
            if self._primitive is not None:
                if poller.keys and not (poller.has_extras and poller.backend.edges):
                    return self._mirror(poller, type(poller.backend), self._primitive, own, timeout)
                # A new object would report each edge again.
                self._wait_for(own, type(poller.backend), timeout)
            elif own is not None:
                self._call_select(own, timeout)
            else:
                return self._mirror_by_select(poller, source, timeout)
        except InterruptedError:  # the function does not implement PEP 475
            pass
        except (*_NOT_MEANT, OSError) as error:
            if isinstance(error, OSError) and error.errno not in _REFUSED:
                raise
            self._give_up()
            return []
        finally:
            del held
            if own is not None:
                system.close(own)
        if poller.closed:
            poller.raise_closed()
        return source.poll(0)

    def _call_select(self, own: int, timeout: Optional[float]) -> None:
        try:
            self._checked_select([own], [], [], timeout)
        except ValueError:
            # "filedescriptor out of range in select()": wait without it.
            self._wait_natively(own, timeout)

    def _mirror_by_select(
        self, poller: Any, source: Source, timeout: Optional[float]
    ) -> List[Pair]:
        """Give the files to a replacement of select(2), which refuses more than other primitives.

        The poller itself says what is ready, unless it is built on select(2), too.
        """
        is_own = poller.backend.name == "select"
        try:
            pairs = self._mirror(poller, SelectBackend, self._checked_select, None, timeout)
        except (OSError, ValueError) as error:
            # A closed file, or a number that is too large for it.
            if is_own or getattr(error, "errno", errno.EBADF) != errno.EBADF:
                raise
            return source.poll(timeout)
        return pairs if is_own else source.poll(0)

    def _checked_select(self, *how: Any) -> Any:
        said = self._select(*how)
        if not are_three(said):
            raise TypeError("it returns no three collections")
        return said

    def _give_up(self) -> None:
        self.is_broken = True
        _runtime.mark_broken(self._select if self._primitive is None else self._primitive)

    def _wait_natively(self, fd: int, timeout: Optional[float]) -> None:
        from .._backends import PollBackend

        backend = PollBackend()
        backend.register(fd, EVENT_READ)
        backend.poll(timeout)

    def _wait_for(self, own: Optional[int], kind: Type[Backend], timeout: Optional[float]) -> None:
        """Let a foreign primitive wait for one descriptor, a poller's own."""
        mirror = kind(self._primitive(), is_ours=False)
        try:
            if own is not None:
                mirror.register(own, EVENT_READ)
            mirror.poll(timeout)
        finally:
            mirror.close()

    def _mirror(
        self,
        poller: Any,
        kind: Type[Backend],
        primitive: Any,
        own: Optional[int],
        timeout: Optional[float],
    ) -> List[Pair]:
        """Let a foreign primitive wait for the files of `poller`, and for its own descriptor."""
        native = primitive if kind is SelectBackend else primitive()
        mirror = kind(native, is_ours=False)
        try:
            for fd, key in list(poller.keys.items()):
                with suppress(OSError):  # closed while registered
                    mirror.register(fd, key.events, extra_of(key))
            if own is not None and (kind is not SelectBackend or own < _FD_SETSIZE):
                with suppress(OSError):
                    mirror.register(own, EVENT_READ)
            pairs = mirror.poll(timeout)
        finally:
            mirror.close()
        if type(pairs) is not list:
            raise TypeError("it returns no list of pairs")
        if poller.closed:
            poller.raise_closed()
        return [pair for pair in pairs if pair[0] != own]
