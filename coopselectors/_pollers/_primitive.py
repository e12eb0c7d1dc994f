"""What does each primitive of the operating system have to supply?

Each has a file of its own, with its members in the order of this class, so that a diff of two shows
only real differences.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import AbstractSet, Any, Callable, ClassVar, Mapping

from .. import _unpatched
from ._waitable import Waitable

# <poll.h> and <sys/epoll.h> agree on these numbers, on every platform that has either.
IN = 0x001
OUT = 0x004
_NVAL = 0x020

#: ERR and HUP, of which the kernel tells whether or not it was asked to.
ALWAYS = 0x018


class Primitive(Waitable):
    """What a poller asks of its primitive; `Poller` says what the arguments mean."""

    #: The primitive's name in the ``select`` module.
    name: ClassVar[str]

    #: The numbers of files that were closed before they were unregistered.  If they live on in a
    #: duplicate, `poll` goes on to report them, also as if they were what has the number now.
    suspects: AbstractSet[int] = frozenset()
    #: The kernel object's descriptor; poll(2) and select(2) have none.
    fileno: Callable[[], int]
    #: Whether making one already shows that the kernel has the primitive.
    asks_at_once: ClassVar[bool] = True

    #: {number: name} of all that `extra` may hold beside `events`.
    extras: ClassVar[Mapping[int, str]] = {}
    #: Those of `extras` with which the kernel tells once, and no more before the next `modify`.
    once: ClassVar[int] = 0

    #: {what `poll` says instead of a number: its key}, of what is no file.
    others: Mapping[Any, Any] = {}

    @abstractmethod
    def register(self, fd: int, events: int, extra: int = 0) -> None:
        """Watch `fd` for `events`, of ``EVENT_READ | EVENT_WRITE``, and for `extra`, of `extras`.

        OSError if that is refused.
        """

    @abstractmethod
    def modify(self, fd: int, events: int, before: int, extra: int = 0) -> None:
        """Watch `fd` for `events` instead of `before`; events of 0 leave it there, unwatched."""

    @abstractmethod
    def unregister(self, fd: int, before: int) -> None:
        """Forget `fd`.  No error if the kernel has forgotten it already, as a closed file is."""

    @abstractmethod
    def events(self, mask: int) -> int:
        """Translate a pair's mask: what may be done without blocking, HUP and ERR included."""

    def native(self, mask: int) -> int:
        """What the caller is told, in the primitive's own bits, for a pair's mask."""
        return mask

    def events_beside(self, mask: int, extra: int) -> int:
        """Like `events`, but for what the caller has asked for in its own right."""
        return self.events(mask & ~(extra & ~ALWAYS))

    def refusal(self, events: int, extra: int) -> str:
        """Why the kernel would not take these together, or nothing."""
        return ""

    def refusal_to_change(self, before: Any, events: int, extra: int) -> str:
        """Why the kernel would not take these in the place of a key's, or nothing."""
        return ""

    def purge(self, force: bool = False) -> None:
        """Get rid of files that are reported although nobody registered them.

        Does nothing if there cannot be any, unless it is told by `force` that there are.
        """

    def clear(self, fd: int) -> None:
        """Do not suspect a number of anything any more."""

    def confirm(self, fd: int, events: int) -> int:
        """Which of `events` the file with number `fd` is ready for, whatever `poll` says."""
        poll = _unpatched.poll()
        poll.register(fd, (0, IN, OUT, IN | OUT)[events])
        for _, mask in poll.poll(0):
            if not mask & _NVAL:
                return self.events(mask) & events
        return 0

    def only_changes(self, fd: int, events: int, extra: int = 0) -> None:
        """From now on, report `fd` when its state changes, and not for as long as it lasts."""
