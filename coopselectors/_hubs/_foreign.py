"""How does one wait if an unknown patcher replaced `select`?  By calling the replacement.

Whatever the patcher wants to happen in a wait can only happen in its own functions, so these are
called, at any cost.  A replaced ``select.poll`` or ``select.epoll`` gets the whole list of files at
each call.  A replaced ``select.select`` is asked to wait for our descriptor.  Our descriptor is
among the files in either case; it becomes readable when the selector is closed.

The replacement may be a wrapper around that of gevent or eventlet, and libev and libuv abort the
process if a file is closed that they are about to watch.  So where one of these is loaded, a
replacement never gets a user's file.  It waits for our descriptor, and the kernel says what is
ready.
"""

from __future__ import annotations

import errno
import time
from contextlib import suppress
from selectors import EVENT_READ
from typing import Any, List, Optional, Type

from .. import _runtime
from .._backends import Backend, Pair, SelectBackend
from .._backends._base import extra_of
from .._pollers._duplicates import Duplicate
from .._unpatched import clock
from ._base import Hub, Source, can_nest

# What a function raises that exists but is not meant to be called, and the errors of a sandbox.
_NOT_MEANT = (TypeError, NotImplementedError, AttributeError)
_REFUSED = (errno.ENOSYS, errno.EPERM, errno.EACCES)

#: The name to pass to `hub_for` for objects that are not built on a primitive.
NO_PRIMITIVE = ""

# Seconds until a function is asked again that has found nothing without waiting.
_PAUSE = 0.005

# The descriptors that select(2) takes are below this, on most platforms.
_FD_SETSIZE = 1024

# Seconds between two looks at files that the foreign function cannot be given.
_NAP = 0.01


def are_three(said: Any) -> bool:
    """Whether this looks like the result of a ``select.select``."""
    if not (isinstance(said, (tuple, list)) and len(said) == 3):
        return False
    return all(isinstance(each, (list, tuple, set, frozenset)) for each in said)


def _duplicate(inner: Any, poller: Any) -> Optional[Duplicate]:
    """A descriptor to wait for, which stays open until the wait is over.

    The foreign function may wait in a hub, which would not notice that a descriptor was closed.
    """
    try:
        duplicate = Duplicate(inner.descriptor(), is_ours=True)
    except OSError:
        return None  # none is left: wait for the files alone
    if duplicate.fd in poller.keys:  # a file was closed while registered: this is its number
        try:
            return _duplicate(inner, poller)
        finally:
            duplicate.close()
    return duplicate


def _checked_poll(mirror: Backend, timeout: Optional[float]) -> List[Pair]:
    pairs = mirror.poll(timeout)
    if type(pairs) is not list:
        raise TypeError("it returns no list of pairs")
    return pairs


class ForeignHub(Hub):
    """Waits in `primitive`, a replacement of the poller's own primitive, or else in `select`."""

    name = "foreign"

    def __init__(self, select: Any, primitive: Any) -> None:
        super().__init__()
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
            started = clock.monotonic()
            pairs = self._ask(poller, asked, timeout)
            if pairs or (timeout == 0 and not self.is_broken):
                return pairs
            now = clock.monotonic()
            if deadline is not None:
                remaining: float = deadline - now
                if remaining <= 0:
                    return pairs
                timeout = remaining
            if now - started < _PAUSE and not self.is_broken:
                # It does not wait, and to ask it again at once would be to spin.  Whoever replaced
                # `select` has replaced this as well, if others are to run meanwhile.
                time.sleep(_PAUSE if timeout is None else min(_PAUSE, timeout))
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
        has_hub = _runtime.has_hub()
        pairs: List[Pair] = []
        if timeout != 0 and not poller.has_descriptor():
            # A new descriptor may get the number of a file that was just closed.
            pairs = poller.poll(0)
            if pairs and (self._primitive is None or poller.has_extras):
                return pairs
            if pairs and has_hub:
                timeout = 0
        if timeout != 0 and poller.shadow is not None and poller.must_look_first():
            timeout = 0  # a closed file, say, which our descriptor does not tell of
        inner = None if pairs or timeout == 0 else poller.pollable()
        duplicate = None if inner is None else _duplicate(inner, poller)
        own = None if duplicate is None else duplicate.fd
        # While this refers to the kernel object, `close` finds it in use, and notifies it.
        held = None if inner is None else inner.backend.native
        try:
            if self._primitive is None or (has_hub and poller.backend.name == "select"):
                found = self._ask_select(poller, source, own, timeout)
            else:
                found = self._ask_own(poller, own, timeout)
            if found is not None:
                return found
        except InterruptedError:  # the function does not implement PEP 475
            pass
        except (*_NOT_MEANT, OSError) as error:
            if isinstance(error, OSError) and error.errno not in _REFUSED:
                raise
            self._give_up()
            return []
        finally:
            del held
            if duplicate is not None:
                duplicate.close()
        if poller.closed:
            poller.raise_closed()
        return source.poll(0)

    def _ask_select(
        self, poller: Any, source: Source, own: Optional[int], timeout: Optional[float]
    ) -> Optional[List[Pair]]:
        """Wait in a replacement of select(2); None means that the poller says what is ready."""
        if (
            timeout == 0
            or (own is None and _runtime.has_hub())
            or not can_nest(poller.keys if own is None else (own,))
        ):
            self._nap(SelectBackend, timeout)
        elif own is None:
            return self._mirror_by_select(poller, source, timeout)
        else:
            try:
                self._checked_select([own], [], [], timeout)
            except ValueError:  # "filedescriptor out of range in select()"
                self._nap(SelectBackend, timeout)
        return None

    def _ask_own(
        self, poller: Any, own: Optional[int], timeout: Optional[float]
    ) -> Optional[List[Pair]]:
        """Wait in a replacement of the poller's own primitive; None means as above."""
        kind = type(poller.backend)
        is_guarded = _runtime.has_hub()
        if (is_guarded and own is None) or not can_nest(poller.keys if own is None else (own,)):
            self._nap(kind, timeout)
        elif is_guarded:
            self._wait_for(own, kind, timeout)
        elif kind is not SelectBackend and (
            not poller.keys or poller.backend.others or (poller.has_extras and poller.backend.edges)
        ):
            # A new object would report each edge again, and knows nothing but files.
            self._wait_for(own, kind, timeout)
        else:
            try:
                return self._mirror(poller, kind, self._primitive, own, timeout)
            except ValueError:
                if kind is not SelectBackend or own is None or own < _FD_SETSIZE:
                    raise
                self._nap(kind, timeout)
        return None

    def _nap(self, kind: Type[Backend], timeout: Optional[float]) -> None:
        """Sleep for a moment in the foreign function, without a file that it could not take."""
        seconds = _NAP if timeout is None else min(timeout, _NAP)
        if kind is SelectBackend:
            self._checked_select([], [], [], seconds)
        else:
            self._wait_for(None, kind, seconds)

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

    def _wait_for(self, own: Optional[int], kind: Type[Backend], timeout: Optional[float]) -> None:
        """Let a foreign primitive wait for one descriptor, a poller's own."""
        mirror = kind(self._primitive(), is_ours=False)
        try:
            if own is not None:
                mirror.register(own, EVENT_READ)
            _checked_poll(mirror, timeout)
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
            if own is not None:
                with suppress(OSError):
                    mirror.register(own, EVENT_READ)
            pairs = _checked_poll(mirror, timeout)
        finally:
            mirror.close()
        if poller.closed:
            poller.raise_closed()
        return [pair for pair in pairs if pair[0] != own]
