"""What do all selector classes share?  Everything but the backend.

This module keeps the registered files, and turns the kernel's answers into the caller's.  A poller
knows what the kernel reports, and a hub knows how to wait.
"""

from __future__ import annotations

import selectors
from selectors import SelectorKey
from typing import Any, ClassVar, Dict, List, Mapping, Optional, Type

from . import _fork, _runtime, _unpatched
from ._backends import BOTH, Backend, Pair
from ._extra_events import check, key_of
from ._hubs import NATIVE, Hub, look, pinned_hub, seen
from ._keys import File, Map, lookup
from ._pollers._files_poller import FilesPoller
from ._pollers._poller import CLOSED
from ._pollers._refusals import poll_again
from ._ready import Ready, translate
from ._runtime import modules

_INVALID = ~BOTH

# A third of the cost of calling the class, whose __new__ is written in Python.
_new_tuple: Any = tuple.__new__

_NEVER: Any = object(), {}, None, None, None, ""

# For more results than this, a comprehension is faster; it costs a call.
_FEW = 16

# Every primitive accepts a plain time-out up to so many seconds.
_LONGEST = 2_000_000


def _known_results(known: Dict[int, Ready], pairs: List[Pair]) -> List[Ready]:
    return [known[fd] for fd, _ in pairs]


class Selector(selectors._BaseSelectorImpl):
    """The base of all selector classes: everything but the backend.

    `DefaultSelector` describes `runtime` and the errors.
    """

    #: What the class is built on.
    _backend_cls: ClassVar[Type[Backend]]
    # The standard module's name for the primitive.  Its own tests put a mock here, and gevent puts
    # its `poll` here when it patches a process in which our classes are installed.
    _selector_cls: Any = None
    _primitive: ClassVar[Any] = None
    # Its name in the `select` module.
    _primitive_name: ClassVar[str]

    def __init__(self, *, runtime: Optional[str] = None) -> None:
        self._pinned = None if runtime is None else pinned_hub(runtime)
        self._fd_to_key: Dict[int, SelectorKey] = {}
        #: {fd: (key, events)} of files that are watched for one event; see _ready.
        self._known: Dict[int, Ready] = {}
        own = self._selector_cls
        if own is self._primitive or _runtime.owner(own) != _runtime.FOREIGN:
            backend = self._backend_cls()
        else:
            backend = self._backend_cls(own(), is_ours=False)
        self._poller = FilesPoller(backend, self._fd_to_key)
        #: How the last call waited, with everything that must be unchanged to wait so again.
        self._seen: Any = seen.get(self._primitive_name, _NEVER)
        #: What `get_map` returns.  Most selectors are never asked for it.
        self._made_map: Optional[Map] = None

    def register(
        self, fileobj: File, events: int, data: Any = None, *, extra_events: int = 0
    ) -> SelectorKey:
        """Watch a file for `events`, until it is unregistered.

        `fileobj` is a descriptor or an object with a ``fileno()`` method.  `events` is
        ``EVENT_READ``, ``EVENT_WRITE`` or both.  `data` is anything that the caller wants to find
        in the key.  Returns the SelectorKey.

        Raises ValueError for other events or an invalid descriptor, KeyError if the file is
        registered already, and OSError if the kernel refuses it (epoll: EPERM for a regular file,
        EBADF for a closed one).  After an error, the selector is unchanged.

        `extra_events` are the platform's own events: ``EPOLLET``, ``EPOLLONESHOT``,
        ``EPOLLEXCLUSIVE``, ``EPOLLRDHUP``, ``EPOLLPRI`` and others for epoll, ``POLLPRI`` and
        others for poll and /dev/poll, ``KQ_EV_CLEAR`` and ``KQ_EV_ONESHOT`` for kqueue.  With them,
        `events` may be 0, and `select` reports the file with an `Events`.  Raises ValueError for
        events that the class or the kernel cannot honour.
        """
        if extra_events:
            check(self._poller.backend, type(self), events, extra_events)
        elif not events or events & _INVALID:
            raise ValueError(f"Invalid events: {events!r}")
        keys = self._fd_to_key
        fd = fileobj if type(fileobj) is int and fileobj >= 0 else lookup(keys, fileobj)
        if fd in keys:
            raise KeyError(f"{fileobj!r} (FD {fd}) is already registered")
        poller = self._poller
        try:
            if extra_events:
                key = keys[fd] = key_of(fileobj, fd, events, data, extra_events)
                poller.register(fd, events, extra_events)
            else:
                key = _new_tuple(SelectorKey, (fileobj, fd, events, data))
                if events != BOTH and fd not in poller.stale_fds:
                    self._known[fd] = key, events  # before others can find the key and take it out
                keys[fd] = key
                poller.register(fd, events)
        except BaseException:
            self._known.pop(fd, None)
            keys.pop(fd, None)
            poller.take_out(fd, events)
            raise
        return key

    def unregister(self, fileobj: File) -> SelectorKey:
        """Stop watching a file, which may be closed already.

        Returns its SelectorKey.  Raises KeyError if the file is not registered, and ValueError if
        `fileobj` has no valid descriptor and is not registered.
        """
        keys = self._fd_to_key
        try:
            fd = fileobj if type(fileobj) is int and fileobj >= 0 else lookup(keys, fileobj)
            key = keys[fd]
        except KeyError:
            raise KeyError(f"{fileobj!r} is not registered") from None
        poller = self._poller
        try:
            if keys.pop(fd, None) is None:  # another thread was faster
                raise KeyError(f"{fileobj!r} is not registered")
            self._known.pop(fd, None)
            poller.unregister(fd, key.events)
        except BaseException:  # of a signal handler, in the middle of it
            keys.pop(fd, None)
            self._known.pop(fd, None)
            poller.unregister(fd, key.events)
            raise
        return key

    def modify(
        self, fileobj: File, events: int, data: Any = None, *, extra_events: int = 0
    ) -> SelectorKey:
        """Watch a registered file for other events, or with other data.

        The arguments are those of `register`.  Returns the new SelectorKey.  Raises KeyError if the
        file is not registered, and ValueError for invalid events; then the selector is unchanged.
        If the kernel refuses the change, the file is unregistered and OSError is raised
        (bpo-30014).

        Extra events that are not given again are no longer watched.  A call with `extra_events`
        always reaches the kernel, even if nothing has changed; this re-arms ``EPOLLONESHOT``.
        Setting or removing ``EPOLLEXCLUSIVE`` raises ValueError.
        """
        if not extra_events and (not events or events & _INVALID):
            raise ValueError(f"Invalid events: {events!r}")
        keys, known, poller = self._fd_to_key, self._known, self._poller
        try:
            fd = fileobj if type(fileobj) is int and fileobj >= 0 else lookup(keys, fileobj)
            before = keys[fd]
        except KeyError:
            raise KeyError(f"{fileobj!r} is not registered") from None
        events_before = before.events
        extra = extra_events or type(before) is not SelectorKey
        if extra:
            check(poller.backend, type(self), events, extra_events, before)
        elif events == events_before and data is before.data:
            return before
        if extra_events:
            key = key_of(before.fileobj, fd, events, data, extra_events)
            known.pop(fd, None)
        else:
            key = _new_tuple(SelectorKey, (before.fileobj, fd, events, data))
            if events != BOTH and fd not in poller.stale_fds:
                known[fd] = key, events
            else:
                known.pop(fd, None)
        keys[fd] = key
        if extra or events != events_before:
            try:
                poller.modify(fd, events, events_before, extra_events)
            except BaseException:
                known.pop(fd, None)
                keys.pop(fd, None)
                poller.unregister(fd, events_before)
                raise
        return key

    def select(self, timeout: Optional[float] = None) -> List[Ready]:
        """Wait until a file is ready, and return all ready files.

        `timeout` is in seconds: None waits forever, 0 or less does not wait.  Under gevent and
        eventlet only the calling greenlet waits.  Even a call that does not wait lets other
        greenlets run once.

        Returns a list of ``(key, events)``.  `events` says which of the requested events the file
        is ready for; HUP and ERR count as the requested events.  The list is empty only when the
        time is up, and never before that, whatever signals arrive (PEP 475).

        Raises ValueError if the selector is closed, or is closed during the wait.  An exception of
        a signal handler passes through.  In a hub's own greenlet, the hub's error is raised unless
        `timeout` is 0.  A time-out that is not an int or float is accepted or refused as by the
        standard class.
        """
        deadline = None
        if timeout is not None:
            kind = type(timeout)
            if (kind is not float and kind is not int) or not timeout <= _LONGEST:
                timeout = self._plain(timeout)
            if timeout <= 0:
                timeout = 0
            else:
                deadline = _unpatched.clock.monotonic() + timeout
        hub = self._pinned
        if hub is None:
            module, offers, select, own, hub, name = self._seen
            try:
                if (
                    modules["select"] is not module
                    or offers["select"] is not select
                    or (offers[name] is not own if own is not None else name in offers)
                ):
                    hub = self._look()
            except KeyError:
                hub = self._look()
        poller = self._poller
        backend = poller.backend
        if hub is not NATIVE:
            pairs = hub.wait(poller, timeout, deadline)
        elif backend.notices_changes and poller.state is _fork.settled_generation:
            # As the hub and the poller would; each of these two calls is a tenth of the cost.
            try:
                pairs = backend.poll(timeout)
            except (OSError, ValueError) as error:
                pairs = poll_again(poller, error, timeout)
        else:
            pairs = poller.poll_noticing(timeout)
        if not pairs:
            return []
        known = self._known
        try:
            number = len(pairs)
            if number == 1:
                return [known[pairs[0][0]]]
            if number > _FEW:
                return _known_results(known, pairs)
            ready = []
            for fd, _ in pairs:
                ready.append(known[fd])
        except KeyError:
            return self._select_closely(pairs, hub, timeout, deadline)
        return ready

    def _select_closely(
        self, pairs: List[Pair], hub: Hub, timeout: Optional[float], deadline: Optional[float]
    ) -> List[Ready]:
        """Return the results for pairs that are not all in the table; polls again if needed."""
        poller, keys = self._poller, self._fd_to_key
        kept: Dict[Any, Ready] = {}  # results that will not be reported again
        attempt = 0
        while True:
            found = translate(poller, keys, self._known, pairs)
            is_complete = attempt > 1 or not found.ask_again
            if not pairs or (is_complete and (found.ready or kept or timeout == 0)):
                return list({**kept, **found.ready}.values())
            for fd in (*poller.backend.others, *(fd for fd, _ in poller.give_back(pairs))):
                if fd in found.ready:
                    kept[fd] = found.ready[fd]
            if found.is_stale or attempt:
                # A file that another thread has just unregistered is not reported a second time.
                poller.mark_stale()
            if deadline is not None:
                timeout = max(0, deadline - _unpatched.clock.monotonic())
            asked = 0 if found.ready or kept else timeout
            pairs = hub.wait(poller, asked, deadline)
            if not pairs and not kept and asked != timeout:
                # What was ready is not ready any more, but the wait goes on.
                pairs = hub.wait(poller, timeout, deadline)
            attempt += 1

    def _plain(self, timeout: Any) -> float:
        """Return a time-out as a plain number, or raise what the standard class raises."""
        backend = self._poller.backend
        if backend.is_at_once(timeout):
            return 0
        argument = backend.timeout(timeout)
        backend.validate_timeout(argument)
        return float(timeout)

    def _look(self) -> Hub:
        """Find the hub to wait in until somebody patches or unpatches `select`."""
        self._seen = found = look(self._primitive_name)
        return found[4]

    def close(self) -> None:
        """Close the kernel object.  Every caller waiting in `select` gets a ValueError."""
        self._poller.close()
        self._fd_to_key.clear()
        self._known.clear()

    def get_map(self) -> Mapping[File, SelectorKey]:
        """Return a read-only mapping of the files to their SelectorKeys, or None once closed."""
        found: Any = None
        if self._poller.state is not CLOSED:
            found = self._made_map
            if found is None:
                found = self._made_map = Map(self._fd_to_key)
        # To type checkers it never returns None, as in typeshed: programs rely on that.
        return found  # type: ignore[no-any-return]

    # Private names of the standard classes that public programs use.

    @property
    def _map(self) -> Any:
        return self.get_map()

    def _fileobj_lookup(self, fileobj: File) -> int:
        return lookup(self._fd_to_key, fileobj)

    def _key_from_fd(self, fd: int) -> Optional[SelectorKey]:
        return self._fd_to_key.get(fd)
