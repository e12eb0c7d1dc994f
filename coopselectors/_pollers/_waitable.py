"""What can a hub wait for, and when does such a wait end?

For something with a descriptor that becomes readable when there is something to collect, or, where
there is no such descriptor, for files that are watched one by one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, List, Mapping, Optional, Protocol, Tuple

from .. import _unpatched

#: What a primitive says of one ready file: its descriptor, and a mask in the primitive's own bits.
#: Such a pair is a ready-made dictionary key: the selectors look their finished answers up by it.
Pair = Tuple[int, int]

CLOSED = "Selector is closed"


class Holder(Protocol):
    """What a waitable knows of the nests that hold its descriptor (see _hubs._nest)."""

    gone: bool

    def leave(self, seat: Any) -> None:
        """Take the waitable's seat away, and wake who waits there."""

    def wake_soon(self, seat: Any) -> None:
        """Wake who waits on `seat`, so that they look again."""


class Waitable(ABC):
    """Something that a hub can wait for."""

    #: {fd: what it is registered with, in `events` and perhaps `extra_events`}; empty where the
    #: files are known to the kernel alone.
    keys: Mapping[int, Any] = {}
    #: Whether any file has ever been registered here with extra events.
    has_extras: bool = False
    #: Whether the kernel lets a blocked `poll` notice what other threads register meanwhile.
    notices_changes: ClassVar[bool] = True
    #: Whether only a thread that is blocked in `block` can wait for it.
    needs_thread: bool = False
    #: How many threads are being called back from `block`, by the doorbell.
    called_back: int = 0

    def __init__(self) -> None:
        #: {nest: our seat in it}
        self.seats: dict[Holder, Any] = {}
        #: Another object whenever all seats have been given up: what `wait_fd` said before that may
        #: not be nested any more.
        self.epoch: object = object()
        #: The kernel would not nest our descriptor: whoever waits has to do without a nest.
        self.refused: bool = False
        #: The seats of those who watch the files one by one, and must hear of every change.
        self.loose: dict[Any, None] = {}
        self.closed: bool = False
        #: How many of the next waits under a hub go straight to sleep (see _hubs._cooperative).
        self.sleepy: int = 0
        #: Held while the kernel object is replaced or closed: nothing switches or blocks then.
        self._lock = _unpatched.RLock()

    @abstractmethod
    def poll(self, timeout: Optional[float]) -> List[Pair]:
        """Return a pair per ready file, all of them, after at most `timeout` seconds.

        None waits for ever, 0 not at all.  Interrupted waits go on (PEP 475).
        """

    @abstractmethod
    def wait_fd(self) -> Optional[int]:
        """The descriptor that becomes readable when any file here is ready.

        None where there is no such thing and the files have to be watched one by one.
        """

    def poll_noticing(self, timeout: Optional[float]) -> List[Pair]:
        """Like `poll`, but notice what other threads change meanwhile, as far as can be."""
        return self.poll(timeout)

    def block(self, timeout: Optional[float]) -> List[Pair]:
        """What a thread calls that waits in a greenlet's place."""
        return self.poll(timeout)

    def put_back(self, pairs: List[Pair]) -> None:
        """Have the kernel tell again of changes that somebody took who has no use for them."""

    def call_back(self, on: bool) -> None:
        """Have one more, or one less, of those who are in `block` called back."""
        self.called_back += 1 if on else -1
        if on or not self.called_back:
            self.ring(on)

    def ring(self, on: bool) -> None:
        """Call all of them back, which goes on until it is rung off."""

    def must_not_sleep(self) -> bool:
        """Whether there is something already that `wait_fd` may say nothing of."""
        return False

    def prepare_to_sleep(self, again: bool = False) -> Optional[float]:
        """Have what `wait_fd` names speak for all files.

        Returns after how many seconds of sleep to ask `again`, if at all.
        """
        return None

    def woken_in_vain(self) -> bool:
        """`wait_fd` was readable, and yet `poll` had nothing.  Returns whether to look again."""
        return False

    def forked(self) -> None:
        """This is a forked child, and the nests are its parent's."""
        self.seats.clear()
        self._lock = _unpatched.RLock()  # a thread that is not here may have held the other

    def closed_or(self, error: OSError) -> Exception:
        """What to raise where the kernel object refused: another thread may just have closed it."""
        return ValueError(CLOSED) if self.closed else error

    def withdraw(self) -> None:
        """Leave every nest, for good: the kernel refuses a file for how deep it would lie."""
        self.refused = True
        self._leave_nests()

    def changed(self) -> None:
        """Tell those who watch the files one by one that there is something new to watch."""
        for seat in tuple(self.loose):
            seat.nest.wake_soon(seat)

    def close(self) -> None:
        """Give everything back.  Whoever waits is woken; every later call is a ValueError."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        """What `close` does, for the classes to add to."""
        self.closed = True
        self._leave_nests()  # not before: other threads look again at once
        if self.loose:
            self.changed()

    def __del__(self) -> None:
        # A forked child may keep our kernel object alive, and with it our place in a nest.
        if getattr(self, "seats", None):
            self._leave_nests()

    def leave(self, nest: Holder) -> None:
        """Give up our seat in one nest; whoever waits there looks again."""
        seat = self.seats.pop(nest, None)
        if seat is not None:
            nest.leave(seat)

    def _leave_nests(self) -> None:
        self.epoch = object()
        for nest in tuple(self.seats):
            self.leave(nest)
