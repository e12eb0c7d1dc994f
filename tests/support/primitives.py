"""The primitives of `coopselectors.select`, as one class each with the same methods.

What is special in one of them is tested by its own name; this is for what all have in common.
"""

from __future__ import annotations

from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, Callable, Dict, List, Optional

from coopselectors import select as ours

_IN, _OUT = 0x1, 0x4  # <poll.h> and <sys/epoll.h> agree
_KQ_READ, _KQ_WRITE, _KQ_ADD, _KQ_DELETE = -1, -2, 0x1, 0x2


class Primitive:
    """Files, and a way to wait for them; `own` is the object of ours that does, if there is one."""

    #: Whether `close` wakes who waits.
    closes = True
    #: Seconds in one of its time-out's units.
    unit = 1.0

    def __init__(self) -> None:
        self.own: Any = None

    def watch(self, fd: int, events: int = EVENT_READ) -> None:
        """Watch a file, again to watch it for other events."""

    def forget(self, fd: int) -> None:
        """Watch it no longer."""

    def wait(self, seconds: Optional[float] = None) -> Dict[int, int]:
        """What is ready: ``{fd: events}``."""
        return _readable(self.call(None if seconds is None else seconds / self.unit))

    def call(self, timeout: Optional[float]) -> Any:
        """What the primitive itself returns for a time-out in its own unit."""

    def close(self) -> None:
        """Give it back."""


def _readable(pairs: Any) -> Dict[int, int]:
    return {fd: (mask & ~_OUT and EVENT_READ) | (mask & _OUT and EVENT_WRITE) for fd, mask in pairs}


def _mask(events: int) -> int:
    return (events & EVENT_READ and _IN) | (events & EVENT_WRITE and _OUT)


class Poll(Primitive):
    closes = False
    unit = 1e-3

    def __init__(self) -> None:
        self.own = ours.poll()

    def watch(self, fd: int, events: int = EVENT_READ) -> None:
        self.own.register(fd, _mask(events))

    def forget(self, fd: int) -> None:
        self.own.unregister(fd)

    def call(self, timeout: Optional[float]) -> Any:
        return self.own.poll(timeout)


class Devpoll(Poll):
    closes = True

    def __init__(self) -> None:
        self.own = ours.devpoll()

    def watch(self, fd: int, events: int = EVENT_READ) -> None:
        self.own.unregister(fd)  # to register a file once more adds to what it was watched for
        self.own.register(fd, _mask(events))

    def close(self) -> None:
        self.own.close()


class Epoll(Primitive):
    def __init__(self) -> None:
        self.own = ours.epoll()

    def watch(self, fd: int, events: int = EVENT_READ) -> None:
        try:
            self.own.register(fd, _mask(events))
        except FileExistsError:
            self.own.modify(fd, _mask(events))

    def forget(self, fd: int) -> None:
        self.own.unregister(fd)

    def call(self, timeout: Optional[float]) -> Any:
        return self.own.poll(timeout)

    def close(self) -> None:
        self.own.close()


class Kqueue(Primitive):
    def __init__(self) -> None:
        self.own = ours.kqueue()

    def watch(self, fd: int, events: int = EVENT_READ) -> None:
        for event, kind in ((EVENT_READ, _KQ_READ), (EVENT_WRITE, _KQ_WRITE)):
            try:
                flag = _KQ_ADD if events & event else _KQ_DELETE
                self.own.control([ours.kevent(fd, kind, flag)], 0)
            except FileNotFoundError:
                pass

    def forget(self, fd: int) -> None:
        self.watch(fd, 0)

    def wait(self, seconds: Optional[float] = None) -> Dict[int, int]:
        ready: Dict[int, int] = {}
        for event in self.call(seconds):
            found = EVENT_READ if event.filter == _KQ_READ else EVENT_WRITE
            ready[event.ident] = ready.get(event.ident, 0) | found
        return ready

    def call(self, timeout: Optional[float]) -> Any:
        return self.own.control(None, 200, timeout)

    def close(self) -> None:
        self.own.close()


class Select(Primitive):
    closes = False

    def __init__(self) -> None:
        super().__init__()
        self._events: Dict[int, int] = {}

    def watch(self, fd: int, events: int = EVENT_READ) -> None:
        self._events[fd] = events

    def forget(self, fd: int) -> None:
        del self._events[fd]

    def wait(self, seconds: Optional[float] = None) -> Dict[int, int]:
        ready: Dict[int, int] = {}
        for some, event in zip(self.call(seconds), (EVENT_READ, EVENT_WRITE)):
            for fd in some:
                ready[fd] = ready.get(fd, 0) | event
        return ready

    def call(self, timeout: Optional[float]) -> Any:
        readers, writers = (
            [fd for fd, events in self._events.items() if events & event]
            for event in (EVENT_READ, EVENT_WRITE)
        )
        return ours.select(readers, writers, [], timeout)


_ALL: Dict[str, Callable[[], Primitive]] = {
    "epoll": Epoll,
    "kqueue": Kqueue,
    "devpoll": Devpoll,
    "poll": Poll,
    "select": Select,
}

#: Those that this platform has.
PRIMITIVES = {name: kind for name, kind in _ALL.items() if hasattr(ours, name)}

NAMES: List[str] = list(PRIMITIVES)
