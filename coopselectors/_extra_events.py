"""How does a file ask for more than READ and WRITE?

The standard module has no way to do either (python/cpython 144211, 79698).  A caller passes the
platform's own numbers in `extra_events`.  `select` still returns ``(key, events)``; if extra events
were requested, `events` carries the kernel's answer as well.
"""

from __future__ import annotations

from operator import index
from selectors import SelectorKey
from typing import Any, Dict, List, Optional

from ._backends import BACKENDS, BOTH, IN, OUT, Backend


class Events(int):
    """What a file that was registered with `extra_events` is ready for.

    Its value is those of ``EVENT_READ`` and ``EVENT_WRITE`` that were requested and are ready, or 0
    if only an extra event occurred.
    """

    #: The kernel's answer in its own bits, such as ``EPOLLIN | EPOLLRDHUP``.  For kqueue, the
    #: event's flags, such as ``KQ_EV_EOF``; for `KqueueSelector.register_kevent`, its fflags.
    native: int
    #: For `KqueueSelector.register_kevent`, the kernel's ``select.kevent``; None for a file.
    kevent: Any

    def __new__(cls, events: int, native: int, kevent: Any = None) -> Events:
        self = super().__new__(cls, events)
        self.native = native
        self.kevent = kevent
        return self

    def __getnewargs__(self) -> Any:  # for copy and pickle
        return int(self), self.native, self.kevent

    def __repr__(self) -> str:
        return f"Events({int(self)}, native={self.native:#x})"

    def __str__(self) -> str:
        return int.__repr__(self)


class ExtraKey(SelectorKey):
    """A SelectorKey that remembers its `extra_events`."""

    extra_events: int = 0
    #: {mask of the kernel: the `Events` that the caller gets for it}
    results: Dict[int, Events]


class KeventKey(SelectorKey):
    """The SelectorKey of a kevent, which is its fileobj and cannot be hashed."""

    def __hash__(self) -> int:
        return hash((self.fd, self.events))


def key_of(fileobj: Any, fd: int, events: int, data: Any, extra_events: int) -> SelectorKey:
    """The key of a file that is registered with extra events."""
    key = ExtraKey(fileobj, fd, events, data)
    key.extra_events = extra_events
    key.results = {}
    return key


def check(
    backend: Backend,
    owner: type,
    events: int,
    extra: int,
    before: Optional[SelectorKey] = None,
) -> None:
    """Raise ValueError if `backend`, that of class `owner`, cannot watch a file for all these.

    `before` is the key with which the file is registered already, if any.
    """
    if events & ~BOTH:
        raise ValueError(f"Invalid events: {events!r}")
    extra = index(extra)
    rest = extra
    for number in backend.extras:
        rest &= ~number
    if rest:
        asked = f"{extra:#x}" if extra > 0 else str(extra)
        raise ValueError(f"{owner.__name__} cannot honour extra_events={asked}: {_described(rest)}")
    why = backend.refusal(events, extra)
    if not why and before is not None:
        why = backend.refusal_to_change(before, events, extra)
    if why:
        raise ValueError(why)


def _described(numbers: int) -> str:
    """Name the lowest of these bits, and the classes that support it."""
    if numbers < 0:
        return "it is negative"
    lowest = numbers & -numbers
    known: Dict[str, List[str]] = {}
    for kind in BACKENDS:
        if lowest in kind.extras:
            known.setdefault(kind.extras[lowest], []).append(f"{kind.name.capitalize()}Selector")
    if known:
        names = [f"{name} of {' and '.join(owners)}" for name, owners in known.items()]
        return f"{lowest:#x} is {', or '.join(names)}"
    if lowest in (IN, OUT):
        return f"{lowest:#x} is what EVENT_READ and EVENT_WRITE in `events` are for"
    return f"{lowest:#x} is no extra event of any class"
