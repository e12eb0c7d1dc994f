"""How does a file ask for more than READ and WRITE, and how is it told?

The standard module has no way for either (python/cpython 144211, 79698).  A caller asks with the
platform's own numbers, in `extra_events`; what `select` returns stays ``(key, events)``, and where
they were asked for, `events` knows the platform's answer as well.
"""

from __future__ import annotations

from operator import index
from selectors import EVENT_READ, EVENT_WRITE, SelectorKey
from typing import Any, Dict, List, Optional

from ._backends import BACKENDS, IN, OUT, Backend

_BOTH = EVENT_READ | EVENT_WRITE


class Events(int):
    """What a file that was registered with `extra_events` is ready for.

    As a number, ``EVENT_READ | EVENT_WRITE`` as far as they were asked for, and 0 if the file is
    ready for nothing but an extra event.
    """

    #: What the kernel said, in its own bits: ``EPOLLIN | EPOLLRDHUP``, say.  Of a kqueue: the
    #: event's flags, such as ``KQ_EV_EOF``, and for `KqueueSelector.register_kevent` its fflags.
    native: int
    #: For `KqueueSelector.register_kevent`, the ``select.kevent`` that came; None for a file.
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
    #: {mask: what the caller has been told for it}
    told: Dict[int, Events]


class KeventKey(SelectorKey):
    """The SelectorKey of a kevent, which is its fileobj and cannot be hashed."""

    def __hash__(self) -> int:
        return hash((self.fd, self.events))


def key_of(fileobj: Any, fd: int, events: int, data: Any, extra_events: int) -> SelectorKey:
    """The key of a file that is registered with extra events."""
    key = ExtraKey(fileobj, fd, events, data)
    key.extra_events = extra_events
    key.told = {}
    return key


def check(
    backend: Backend,
    owner: type,
    events: int,
    extra: int,
    before: Optional[SelectorKey] = None,
) -> None:
    """Raise ValueError if `backend`, which is `owner`'s, cannot watch a file for all that.

    `before` is the file's key so far, if it has one.
    """
    if events & ~_BOTH:
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
    """What the lowest of some bits is, and whose."""
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
