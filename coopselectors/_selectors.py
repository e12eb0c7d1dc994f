"""The selector classes, over one base.

Here live the files that are registered, and the way from the kernel's answer to the caller's.  What
the kernel says is a poller's business, and how to wait for it a hub's.
"""

from __future__ import annotations

import selectors
from selectors import EVENT_READ, EVENT_WRITE, SelectorKey
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Dict, List, Optional, Tuple, Type

from . import _fork, _runtime, _unpatched
from ._extra_events import KeventKey, check, key_of
from ._files import Map, lookup
from ._hubs import NATIVE, Hub, hub_for, pinned_hub, seen
from ._pollers import (
    DevpollPoller,
    EpollPoller,
    KqueuePoller,
    Poller,
    PollPoller,
    SelectPoller,
)
from ._ready import Answers, Ready
from ._runtime import offered

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike as File

_NEITHER = ~(EVENT_READ | EVENT_WRITE)

_NEVER = object(), None, None

# How many numbers may be in doubt, each of which needs a second look, before we start anew.
_SUSPECTS = 64


class _Selector(selectors.BaseSelector):
    """What all the classes share: everything but the poller.

    `DefaultSelector` says what `runtime` is, and which errors there are.
    """

    #: What the class is built on.
    _poller_cls: ClassVar[Type[Poller]]
    # The standard module's name for it: its own tests put a mock in this place, and gevent puts
    # its `poll` there when it patches a process in which ours are installed.
    _selector_cls: Type[Poller]

    def __init__(self, *, runtime: Optional[str] = None) -> None:
        self._pinned = None if runtime is None else pinned_hub(runtime)
        kind = self._poller_cls
        self._name = kind.name
        #: (what select.select was, what the primitive was, the hub for them) at the last call.
        self._seen: Tuple[Any, Any, Any] = seen.get(self._name, _NEVER)
        self._fd_to_key: Dict[int, SelectorKey] = {}
        self._map: Map = Map(self._fd_to_key)
        own = self._selector_cls
        if own is not kind and _runtime.owner(own) == _runtime.FOREIGN:
            kind = own
        self._poller = kind(self._fd_to_key)
        _fork.tell(self._poller)
        self._answers = Answers(self._fd_to_key, self._poller)
        self._known = self._answers.known

    def register(
        self, fileobj: File, events: int, data: Any = None, *, extra_events: int = 0
    ) -> SelectorKey:
        """Watch a file for `events`, until it is unregistered.

        `fileobj` is a descriptor or an object with a ``fileno()`` method, `events` is of
        ``EVENT_READ | EVENT_WRITE``, and `data` is the caller's own.  Returns the SelectorKey.
        Raises ValueError for other events or no valid descriptor, KeyError if the file is
        registered, and OSError if the kernel refuses it (epoll: EPERM for a regular file, EBADF
        for a closed one); then nothing of it is left behind.

        `extra_events` are the platform's own: ``EPOLLET``, ``EPOLLONESHOT``, ``EPOLLEXCLUSIVE``,
        ``EPOLLRDHUP``, ``EPOLLPRI`` and so on for epoll, ``POLLPRI`` and its like for poll and
        /dev/poll, ``KQ_EV_CLEAR`` and ``KQ_EV_ONESHOT`` for kqueue.  With them, `events` may be 0,
        and `select` tells of the file by an `Events`.  What the class or the kernel cannot honour
        is a ValueError.
        """
        if extra_events:
            check(self._poller, type(self), events, extra_events)
        elif not events or events & _NEITHER:
            raise ValueError(f"Invalid events: {events!r}")
        fd = lookup(self._fd_to_key, fileobj)
        if fd in self._fd_to_key:
            raise KeyError(f"{fileobj!r} (FD {fd}) is already registered")
        key = self._fd_to_key[fd] = (
            key_of(fileobj, fd, events, data, extra_events)
            if extra_events
            else SelectorKey(fileobj, fd, events, data)
        )
        poller = self._poller
        try:
            if extra_events:
                poller.register(fd, events, extra_events)
            else:
                poller.register(fd, events)
        except BaseException:
            del self._fd_to_key[fd]
            raise
        if poller.loose:
            poller.changed()
        return key

    def unregister(self, fileobj: File) -> SelectorKey:
        """Watch `fileobj`, which may be closed already, no longer.

        Returns its SelectorKey.  Raises KeyError if it is not registered, and ValueError if it is
        no file and was none when it was registered.
        """
        try:
            key = self._fd_to_key.pop(lookup(self._fd_to_key, fileobj))
        except KeyError:
            raise KeyError(f"{fileobj!r} is not registered") from None
        self._forget(key)
        return key

    def modify(
        self, fileobj: File, events: int, data: Any = None, *, extra_events: int = 0
    ) -> SelectorKey:
        """Watch a registered file for other events, or with other data.

        Takes and returns what `register` does.  Raises KeyError if the file is not registered, and
        ValueError for bad events, which changes nothing.  A file that the kernel refuses is
        unregistered before the OSError comes out (bpo-30014).

        Extra events that are not given again are no longer watched for.  Where they are, the kernel
        is told whether or not anything has changed: that is how ``EPOLLONESHOT`` is armed anew.
        ``EPOLLEXCLUSIVE`` can be neither set nor taken away here, which is a ValueError.
        """
        if not extra_events and (not events or events & _NEITHER):
            raise ValueError(f"Invalid events: {events!r}")
        try:
            before = self._fd_to_key[lookup(self._fd_to_key, fileobj)]
        except KeyError:
            raise KeyError(f"{fileobj!r} is not registered") from None
        extra = extra_events or type(before) is not SelectorKey
        if extra:
            check(self._poller, type(self), events, extra_events, before)
        elif events == before.events and data is before.data:
            return before
        fd = before.fd
        if extra_events:
            key = key_of(before.fileobj, fd, events, data, extra_events)
        else:
            key = SelectorKey(before.fileobj, fd, events, data)
        self._fd_to_key[fd] = key
        self._known.pop(fd, None)
        if extra or events != before.events:
            try:
                self._poller.modify(fd, events, before.events, extra_events)
            except BaseException:
                del self._fd_to_key[fd]
                self._forget(before)
                raise
            if self._poller.loose:
                self._poller.changed()
        return key

    def select(self, timeout: Optional[float] = None) -> List[Ready]:
        """Wait until a file is ready, and return all that are.

        `timeout` is in seconds: None waits for ever, 0 or less does not wait.  Under gevent and
        eventlet only the calling greenlet waits, and even a call that does not wait lets others run
        once.  Returns a list of ``(key, events)``, with `events` as far as they were asked for; HUP
        and ERR count as whatever was asked for.  It is empty only when the time is up, never
        before, whatever signals arrive (PEP 475).  Raises ValueError if the selector is closed, or
        gets closed meanwhile; what a signal handler raises; and, in a hub's own greenlet, what that
        hub raises there, unless `timeout` is 0.
        """
        if timeout is not None and timeout <= 0:
            timeout = 0
        deadline = monotonic() + timeout if timeout else None
        hub = self._pinned
        if hub is None:
            select, own, hub = self._seen
            if offered("select") is not select or offered(self._name) is not own:
                hub = self._look()
        poller = self._poller
        if hub is NATIVE and poller.notices_changes:
            pairs = poller.poll(timeout)  # as the hub would: a call less is a tenth of the cost
        else:
            pairs = hub.wait(poller, timeout, deadline)
        # A plain loop: map() and the like are no faster for many files, and slower for one.
        known = self._known
        ready = []
        try:
            for fd, _ in pairs:
                ready.append(known[fd])
        except KeyError:
            return self._answers.look_closer(pairs, hub.wait, timeout, deadline)
        return ready

    def _look(self) -> Hub:
        """The hub to wait in from now on, until somebody patches or unpatches."""
        select, own = offered("select"), offered(self._name)
        hub = hub_for(self._name)  # what is patched between these two lines is noticed next time
        self._seen = select, own, hub
        return hub

    def close(self) -> None:
        """Give the kernel's object back.  Whoever waits in `select` gets a ValueError at once."""
        self._poller.close()
        self._fd_to_key.clear()
        self._known.clear()
        # To type checkers `get_map` never returns it, as in typeshed: programs rely on that.
        self._map = None  # type: ignore[assignment]

    def get_map(self) -> Map:
        """Return a read-only mapping of the files to their SelectorKeys, or None once closed."""
        return self._map

    def _forget(self, key: SelectorKey) -> None:
        """Undo what `register` did for a key that is no longer in the map."""
        self._known.pop(key.fd, None)
        self._poller.unregister(key.fd, key.events)
        if len(self._poller.suspects) > _SUSPECTS + len(self._fd_to_key) // 8:
            self._poller.purge()
        if self._poller.loose:
            self._poller.changed()


class _WithDescriptor(_Selector):
    """A selector whose kernel object has a descriptor."""

    def fileno(self) -> int:
        """Return the kernel object's descriptor.  Raises ValueError once the selector is closed."""
        return self._poller.fileno()


class SelectSelector(_Selector):
    """select(2): bound by ``FD_SETSIZE``, which is 1024 on most platforms."""

    _poller_cls = _selector_cls = SelectPoller


if _unpatched.poll is not None:

    class PollSelector(_Selector):
        """poll(2): any descriptor, and the whole list is handed to the kernel at each call."""

        _poller_cls = _selector_cls = PollPoller


if _unpatched.epoll is not None:

    class EpollSelector(_WithDescriptor):
        """epoll(7), of Linux: the kernel keeps the list."""

        _poller_cls = _selector_cls = EpollPoller


if _unpatched.devpoll is not None:

    class DevpollSelector(_WithDescriptor):
        """/dev/poll, poll(7d), of Solaris and illumos: the kernel keeps the list."""

        _poller_cls = _selector_cls = DevpollPoller


if _unpatched.kqueue is not None:

    class KqueueSelector(_WithDescriptor):
        """kqueue(2), of macOS and the BSDs: the kernel keeps the list."""

        _poller_cls = _selector_cls = KqueuePoller
        _poller: KqueuePoller

        def register_kevent(self, kevent: Any, data: Any = None) -> SelectorKey:
            """Watch what is no file to read or to write: a process, a signal, a timer, a vnode.

            `kevent` is a ``select.kevent`` as kqueue(2) wants it, whose KQ_EV_ADD is set by itself,
            and `data` the caller's own.  Returns a SelectorKey with the kevent for its `fileobj`,
            the ident for its `fd`, and 0 for `events`.  `select` returns it with an `Events` of 0,
            whose `kevent` is what the kernel sent, and whose `native` that one's fflags.  It is not
            in the map, which is of files.  Raises ValueError for the filters that `register` is for
            and for KQ_EV_DELETE, KeyError if there is a kevent of this ident and filter, and
            OSError if the kernel refuses it (ESRCH: no such process); then nothing is left behind.
            """
            key = KeventKey(kevent, kevent.ident, 0, data)
            self._poller.add(key)
            if self._poller.loose:
                self._poller.changed()
            return key

        def unregister_kevent(self, kevent: Any) -> SelectorKey:
            """Watch the kevent of this ident and filter no longer, also if it is gone by itself.

            Returns its SelectorKey.  Raises KeyError if there is none.
            """
            return self._poller.remove(kevent)
