"""The selector classes, over one base.

Here live the files that are registered, and the way from the kernel's answer to the caller's.  What
the kernel says is a poller's business, and how to wait for it a hub's.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Mapping
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE, SelectorKey
from typing import Any, Dict, Iterator, List, Optional, Type

from . import _fork, _originals
from ._answers import Answers, Ready
from ._hubs import hub_for, pinned_hub
from ._pollers import (
    DevpollPoller,
    EpollPoller,
    KqueuePoller,
    Poller,
    PollPoller,
    SelectPoller,
)

_NEITHER = ~(EVENT_READ | EVENT_WRITE)

# How many numbers may be in doubt, each of which needs a second look, before we start anew.
_SUSPECTS = 64


def _fd_of(fileobj: Any) -> int:
    """The descriptor of a file object, or ValueError; the words are the standard module's."""
    if isinstance(fileobj, int):
        fd = fileobj
    else:
        try:
            fd = int(fileobj.fileno())
        except (AttributeError, TypeError, ValueError):
            raise ValueError(f"Invalid file object: {fileobj!r}") from None
    if fd < 0:
        raise ValueError(f"Invalid file descriptor: {fd}")
    return fd


class _Map(Mapping):  # type: ignore[type-arg]  # the standard module's is not generic either
    """What `get_map` returns: the selector's files, read-only, found by descriptor or by object."""

    def __init__(self, selector: _Selector) -> None:
        self._selector = selector

    def __len__(self) -> int:
        return len(self._selector._fd_to_key)

    def get(self, fileobj: Any, default: Any = None) -> Any:
        return self._selector._fd_to_key.get(self._selector._lookup(fileobj), default)

    def __getitem__(self, fileobj: Any) -> SelectorKey:
        key: Optional[SelectorKey] = self.get(fileobj)
        if key is None:
            raise KeyError(f"{fileobj!r} is not registered")
        return key

    def __iter__(self) -> Iterator[int]:
        return iter(list(self._selector._fd_to_key))  # others may register meanwhile


class _Selector(selectors.BaseSelector):
    """What all the classes share: everything but the poller.

    Arguments: `runtime` pins the selector to ``"native"``, ``"gevent"`` or ``"eventlet"``; by
    default each `select` call goes by who has patched the ``select`` module at that moment.  Pin it
    in a program that uses gevent or eventlet without patching, or in a thread that must not have a
    hub.  Raises ValueError for an unknown name, ImportError where the library is not installed, and
    OSError where the kernel has no such primitive or no descriptor left.
    """

    # The standard module's name for it; its own tests put a mock in this place.
    _selector_cls: Type[Poller]

    def __init__(self, *, runtime: Optional[str] = None) -> None:
        self._pinned = pinned_hub(runtime)
        self._fd_to_key: Dict[int, SelectorKey] = {}
        self._map: Optional[_Map] = _Map(self)
        self._poller = self._selector_cls(self._fd_to_key)
        _fork.tell(self._poller)
        self._answers = Answers(self._fd_to_key, self._poller)
        self._answer = self._answers.__getitem__

    def register(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:
        """Watch a file for `events`, until it is unregistered.

        `fileobj` is a descriptor or an object with a ``fileno()`` method, `events` is of
        ``EVENT_READ | EVENT_WRITE``, and `data` is the caller's own.  Returns the SelectorKey.
        Raises ValueError for other events or no valid descriptor, KeyError if the file is
        registered, and OSError if the kernel refuses it (epoll: EPERM for a regular file, EBADF
        for a closed one); then nothing of it is left behind.
        """
        if not events or events & _NEITHER:
            raise ValueError(f"Invalid events: {events!r}")
        fd = self._lookup(fileobj)
        if fd in self._fd_to_key:
            raise KeyError(f"{fileobj!r} (FD {fd}) is already registered")
        key = self._fd_to_key[fd] = SelectorKey(fileobj, fd, events, data)
        try:
            self._poller.register(fd, events)
        except BaseException:
            del self._fd_to_key[fd]
            raise
        if self._poller.loose:
            self._poller.changed()
        return key

    def unregister(self, fileobj: Any) -> SelectorKey:
        """Watch a file no longer; it may be closed already.

        Returns its SelectorKey.  Raises KeyError if it is not registered, and ValueError if it is
        no file and was none when it was registered.
        """
        try:
            key = self._fd_to_key.pop(self._lookup(fileobj))
        except KeyError:
            raise KeyError(f"{fileobj!r} is not registered") from None
        self._forget(key)
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:
        """Watch a registered file for other events, or with other data.

        Takes and returns what `register` does.  Raises KeyError if the file is not registered, and
        ValueError for bad events, which changes nothing.  A file that the kernel refuses is
        unregistered before the OSError comes out (bpo-30014).
        """
        if not events or events & _NEITHER:
            raise ValueError(f"Invalid events: {events!r}")
        try:
            before = self._fd_to_key[self._lookup(fileobj)]
        except KeyError:
            raise KeyError(f"{fileobj!r} is not registered") from None
        if events == before.events and data is before.data:
            return before
        fd = before.fd
        key = self._fd_to_key[fd] = SelectorKey(before.fileobj, fd, events, data)
        self._answers.forget(fd)
        if events != before.events:
            try:
                self._poller.modify(fd, events, before.events)
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
        gets closed meanwhile.
        """
        if timeout is not None and timeout <= 0:
            timeout = 0
        answers = self._answers
        stranger = answers.stranger
        deadline = time.monotonic() + timeout if timeout else None
        hub = self._pinned or hub_for(self._selector_cls.name)
        pairs = hub.wait(self._poller, timeout)
        ready = list(map(self._answer, pairs))
        if answers.stranger is not stranger:
            wait = partial(hub.wait, self._poller)
            return answers.without_strangers(pairs, wait, timeout, deadline)
        return ready  # type: ignore[return-value]  # only strangers are answered with None

    def close(self) -> None:
        """Give the kernel's object back.  Whoever waits in `select` gets a ValueError at once."""
        self._poller.close()
        self._fd_to_key.clear()
        self._answers.clear()
        self._map = None

    def get_map(self) -> Optional[_Map]:  # type: ignore[override]  # typeshed omits the None
        """The registered files: a read-only mapping to their SelectorKeys, or None once closed."""
        return self._map

    def _lookup(self, fileobj: Any) -> int:
        """The descriptor under which `fileobj` is, or would be, registered; ValueError if none."""
        try:
            return _fd_of(fileobj)
        except ValueError:
            # A closed file has none any more, but can be found by what it is.
            for key in list(self._fd_to_key.values()):
                if key.fileobj is fileobj:
                    return key.fd
            raise

    def _forget(self, key: SelectorKey) -> None:
        """Undo what `register` did for a key that is no longer in the map."""
        self._answers.forget(key.fd)
        self._poller.unregister(key.fd, key.events)
        if len(self._poller.suspects) > _SUSPECTS + len(self._fd_to_key) // 8:
            self._poller.purge()
        if self._poller.loose:
            self._poller.changed()


class _WithDescriptor(_Selector):
    """A selector whose kernel object has a descriptor."""

    def fileno(self) -> int:
        """The kernel object's descriptor.  Raises ValueError once the selector is closed."""
        return self._poller.fileno()


class SelectSelector(_Selector):
    """select(2)."""

    _selector_cls = SelectPoller


if _originals.poll is not None:

    class PollSelector(_Selector):
        """poll(2)."""

        _selector_cls = PollPoller


if _originals.epoll is not None:

    class EpollSelector(_WithDescriptor):
        """epoll(7)."""

        _selector_cls = EpollPoller


if _originals.devpoll is not None:

    class DevpollSelector(_WithDescriptor):
        """/dev/poll, poll(7d)."""

        _selector_cls = DevpollPoller


if _originals.kqueue is not None:

    class KqueueSelector(_WithDescriptor):
        """kqueue(2)."""

        _selector_cls = KqueuePoller
