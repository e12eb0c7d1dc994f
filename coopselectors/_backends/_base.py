"""What must each primitive of the operating system supply?

A backend wraps one primitive.  It either blocks in the kernel or returns at once, and knows nothing
of waiters, forks and hubs.  Each backend has a file of its own, with its members in the order of
this class, so that a diff of two shows only real differences.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, Callable, ClassVar, List, Mapping, Optional, Tuple

from .. import _threads, _unpatched
from .._wakeup import wakeup_fd
from ._masks import ALWAYS, IN, NVAL, OUT

#: A ready file: its descriptor, and a mask in the primitive's own bits.
Pair = Tuple[int, int]


def extra_of(key: Any) -> int:
    """The extra events that a file is registered with, in the primitive's own bits."""
    extra: int = getattr(key, "extra_events", 0)
    return extra


class Backend(ABC):
    """One kernel object, or one primitive that has none.

    `native` is the object or function that does the work: a new one of the interpreter's, unless
    another is given.  If `is_ours`, we opened its descriptor, and close it.
    """

    #: The primitive's name in the ``select`` module.
    name: ClassVar[str]
    #: Whether there is a kernel object, with a descriptor of its own.
    has_kernel_object: ClassVar[bool] = True
    #: Whether that descriptor becomes readable when any file here is ready.
    pollable: ClassVar[bool] = True
    #: Whether a blocked `poll` notices what other threads register meanwhile.
    notices_changes: bool
    #: Whether `close` wakes every thread that is blocked in `poll` and can be woken.
    wakes_on_close: bool
    #: Whether making one already shows that the kernel has the primitive.
    made_is_proof: ClassVar[bool] = True

    #: {number: name} of all that `extra` may hold beside `events`.
    extras: ClassVar[Mapping[int, str]] = {}
    #: The extras that make a file edge-triggered.
    edges: ClassVar[int] = 0
    #: The extras that make a file one-shot: reported once before the next `modify`.
    once: ClassVar[int] = 0
    #: The extras that make a file report only to a thread blocked in `poll`.
    exclusive: ClassVar[int] = 0
    #: {what `poll` returns instead of a descriptor: its key}, of registrations that are not files.
    others: Mapping[Any, Any]

    native: Any

    @abstractmethod
    def __init__(self, native: Any = None, is_ours: bool = True) -> None: ...

    @abstractmethod
    def register(self, fd: int, events: int, extra: int = 0) -> None:
        """Watch `fd` for `events`, of ``EVENT_READ | EVENT_WRITE``, and for `extra`, of `extras`.

        Raises OSError if the kernel refuses that.
        """

    @abstractmethod
    def modify(self, fd: int, events: int, before: int, extra: int = 0) -> None:
        """Watch `fd` for `events` instead of `before`; events of 0 leave it there, disarmed."""

    @abstractmethod
    def unregister(self, fd: int, before: int) -> None:
        """Forget `fd`.  Raises OSError if the kernel cannot tell which file that was."""

    @abstractmethod
    def poll(self, timeout: Optional[float]) -> List[Pair]:
        """Return a pair per ready file, all of them, after at most `timeout` seconds.

        None waits forever, 0 not at all.  Interrupted waits go on (PEP 475).
        """

    def collect(self, *how: Any) -> List[Any]:
        """Return what the native object's own poll method returns for these arguments."""
        found: List[Any] = self.native.poll(*how)
        return found

    def without(self, wakeup_fd: int, found: List[Any]) -> List[Any]:
        """What `collect` has found, without the wake-up file."""
        return [pair for pair in found if pair[0] != wakeup_fd]

    #: The kernel object's descriptor, where there is one.
    fileno: Callable[[], int]

    def close(self) -> None:
        """Close the kernel object, unless somebody else has closed its descriptor."""

    def close_inherited(self) -> None:
        """The same in a forked child, while the parent still uses the kernel object."""
        self.close()

    def is_ours(self) -> bool:
        """Whether the descriptor still names our kernel object."""
        return True

    def is_in_use(self) -> bool:
        """Whether another thread may be blocked in `poll`."""
        return _threads.has_others()

    def fresh(self) -> Any:
        """Another, empty backend of the same kind."""
        return type(self)()

    def replace(self, fresh: Any) -> None:
        """Take over the kernel object of `fresh`, under the old descriptor if that is ours."""

    def is_inherited(self) -> bool:
        """Whether the descriptor is as the parent had it; called right after fork(2)."""
        return self.is_ours()

    def replace_in_child(self, fresh: Any) -> None:
        """The same right after fork(2), when nobody can have reused a closed descriptor."""
        self.replace(fresh)

    def notify(self, wakeup_fd: int, on: bool) -> None:
        """Wake whoever is blocked in `poll`, until this is turned off again.

        Raises OSError if it is on or off already, and ValueError if this is closed.
        """

    def report_changes_only(self, fd: int, events: int, extra: int = 0) -> None:
        """Make `fd` edge-triggered from now on."""

    def is_at_once(self, timeout: Any) -> bool:
        """Whether the standard class passes 0 to this primitive instead of a time-out."""
        return bool(timeout <= 0)

    def timeout(self, timeout: Any) -> Any:
        """The argument that the standard class makes of a time-out for this primitive.

        Raises what the standard class raises for a time-out that cannot be counted in.
        """
        return math.ceil(timeout * 1e3)

    @abstractmethod
    def validate_timeout(self, argument: Any) -> None:
        """Raise what the primitive raises for this argument, without waiting."""

    def events(self, mask: int) -> int:
        """Translate a pair's mask: what may be done without blocking, HUP and ERR included."""
        return (mask & ~IN and EVENT_WRITE) | (mask & ~OUT and EVENT_READ)

    def native_mask(self, mask: int) -> int:
        """The mask for the caller, in the primitive's own bits, for a pair's mask."""
        return mask

    def events_beside(self, mask: int, extra: int) -> int:
        """Like `events`, but without the events that were requested by `extra`."""
        return self.events(mask & ~(extra & ~ALWAYS))

    def refusal(self, events: int, extra: int) -> str:
        """Why the kernel would refuse this combination; empty if it would not."""
        return ""

    def refusal_to_change(self, before: Any, events: int, extra: int) -> str:
        """Why the kernel would refuse this change of a key; empty if it would not."""
        return ""


def poll_once(fd: int, mask: int) -> int:
    """What poll(2) says of the file that has this number now; 0 for a closed one."""
    poll = _unpatched.poll()
    poll.register(fd, mask)
    found: int = dict(poll.poll(0)).get(fd, 0)
    return 0 if found & NVAL else found


def validate_with(native: Any, *arguments: Any) -> None:
    """Have a new native object refuse these arguments of `poll`."""
    try:
        native.register(wakeup_fd(), IN)  # so that it does not wait if it accepts them
        native.poll(*arguments)
    finally:
        if hasattr(native, "close"):
            native.close()
