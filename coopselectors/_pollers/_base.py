"""What does every poller supply, and who waits for it?

A poller asks one primitive of the operating system what is ready.  It either blocks in the kernel
or returns at once; it knows nothing of greenlets.  Each lives in a file of its own, with its
members in the order of this class, so that a diff of two shows only real differences.
"""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from typing import (
    AbstractSet,
    Any,
    Callable,
    ClassVar,
    List,
    Mapping,
    NoReturn,
    Optional,
    Protocol,
    Tuple,
)

from .. import _originals
from ._doorbell import doorbell

#: What a primitive says of one ready file: its descriptor, and a mask in the primitive's own bits.
#: Such a pair is a ready-made dictionary key: the selectors look their finished answers up by it.
Pair = Tuple[int, int]

# <poll.h> and <sys/epoll.h> agree on these numbers, on every platform that has either.
IN = 0x001
OUT = 0x004
_NVAL = 0x020


# What uses the kernel object.
_CALLS = ("register", "modify", "unregister", "poll", "wait_fd", "fileno")


class Holder(Protocol):
    """What a poller knows of the nests that hold its descriptor (see _hubs._nest)."""

    gone: bool

    def leave(self, seat: Any) -> None:
        """Take the poller's seat away, and wake who waits there."""

    def wake_soon(self, seat: Any) -> None:
        """Wake who waits on `seat`, so that they look again."""


class Poller(ABC):
    """One kernel object, or one primitive that has none, and the files that it watches.

    `keys` is the selector's own ``{fd: SelectorKey}``; the selector writes a file into it before
    it calls `register` or `modify` and takes it out before it calls `unregister`, and a poller only
    reads it.  `primitive` is the function or type that does the work: the unpatched one, unless a
    foreign one has to be honoured.
    """

    #: The primitive's name in the ``select`` module.
    name: ClassVar[str]
    #: The numbers of files that were closed before they were unregistered.  If they live on in a
    #: duplicate, `poll` goes on to report them, also as if they were what has the number now.
    suspects: AbstractSet[int] = frozenset()
    #: The kernel object's descriptor; poll(2) and select(2) have none.
    fileno: Callable[[], int]
    #: Whether the kernel lets a blocked `poll` notice what other threads register meanwhile.
    notices_changes: ClassVar[bool] = True

    def __init__(self, keys: Mapping[int, Any], primitive: Any = None) -> None:
        self.keys = keys
        #: {nest: our seat in it}
        self.seats: dict[Holder, Any] = {}
        #: Another object whenever all seats have been given up: what `wait_fd` said before that may
        #: not be nested any more.
        self.epoch = object()
        #: The kernel would not nest our descriptor: whoever waits watches the files one by one.
        self.refused = False
        #: The seats of those who watch the files one by one, and must hear of every change.
        self.loose: dict[Any, None] = {}
        self.closed = False
        #: This is a forked child, and the kernel object is still its parent's.
        self.inherited = False
        #: Held while the kernel object is replaced or closed: nothing switches or blocks then.
        self._lock = _originals.RLock()

    @abstractmethod
    def register(self, fd: int, events: int) -> None:
        """Watch `fd` for `events`, of ``EVENT_READ | EVENT_WRITE``.  OSError if that is refused."""

    @abstractmethod
    def modify(self, fd: int, events: int, before: int) -> None:
        """Watch `fd` for `events` instead of `before`; events of 0 leave it there, unwatched."""

    @abstractmethod
    def unregister(self, fd: int, before: int) -> None:
        """Forget `fd`.  No error if the kernel has forgotten it already, as a closed file is."""

    @abstractmethod
    def poll(self, timeout: Optional[float]) -> List[Pair]:
        """Return a pair per ready file, all of them, after at most `timeout` seconds.

        None waits for ever, 0 not at all.  Interrupted waits go on (PEP 475).
        """

    @abstractmethod
    def events(self, mask: int) -> int:
        """Translate a pair's mask: what may be done without blocking, HUP and ERR included."""

    @abstractmethod
    def wait_fd(self) -> Optional[int]:
        """The descriptor that becomes readable when any file here is ready.

        None where there is no such thing and the files have to be watched one by one.
        """

    def poll_noticing(self, timeout: Optional[float]) -> List[Pair]:
        """Like `poll`, but notice what other threads change meanwhile, as far as can be."""
        return self.poll(timeout)

    def purge(self, force: bool = False) -> None:
        """Get rid of files that are reported although nobody registered them.

        Does nothing if there cannot be any, unless it is told by `force` that there are.
        """

    def confirm(self, fd: int, events: int) -> int:
        """Which of `events` the file with number `fd` is ready for, whatever `poll` says."""
        poll = _originals.poll()
        poll.register(fd, (0, IN, OUT, IN | OUT)[events])
        for _, mask in poll.poll(0):
            if not mask & _NVAL:
                return self.events(mask) & events
        return 0

    def only_changes(self, fd: int, events: int) -> None:
        """From now on, report `fd` when its state changes, and not for as long as it lasts."""

    def woken_in_vain(self) -> bool:
        """`wait_fd` was readable, and yet `poll` had nothing.  Returns whether to look again."""
        return False

    def withdraw(self) -> None:
        """Leave every nest, for good: the kernel refuses a file for how deep it would lie."""
        self.refused = True
        self._leave_nests()

    def changed(self) -> None:
        """Tell those who watch the files one by one that there is something new to watch."""
        for seat in tuple(self.loose):
            seat.nest.wake_soon(seat)

    def forked(self) -> None:
        """This is a forked child: the kernel object is the parent's, and so are the nests."""
        self.seats.clear()
        self._lock = _originals.RLock()  # a thread that is not here may have held the other
        if self.closed:
            return
        self.inherited = True
        self.renew()

    def renew(self) -> None:
        """Replace the kernel object by another with the same files, at the next call that needs it.

        Not before: many a forked child only wants to ``exec``.  And a call is there to tell whoever
        called it if there is no descriptor or memory left for another one; the next call tries
        again.
        """
        with self._lock:
            if not self.closed:
                for name in _CALLS:
                    setattr(self, name, partial(self._renew_and, name))

    def reopen(self) -> None:
        """Take a new and empty kernel object instead of the parent's."""

    def reopen_in_place(self) -> None:
        """Put a new and empty kernel object behind the same descriptor."""

    def _renew_and(self, name: str, *arguments: Any) -> Any:
        with self._lock:
            if name in vars(self) and not self.closed:  # else another thread was faster
                self._renew_now()
        return getattr(self, name)(*arguments)

    def _renew_now(self) -> None:
        self._uncover()
        try:
            if self.inherited:
                self.reopen()
                self.refill()
                self.inherited = False
            else:
                self._wake_blocked()
                self.reopen_in_place()
        except BaseException:
            self.renew()
            raise
        self._leave_nests()

    def refill(self) -> None:
        """Put all files that are registered into a new kernel object."""
        for fd in list(self.keys):
            self.settle(fd)

    def settle(self, fd: int) -> None:
        """Have the kernel watch a file as it is registered now, whatever it was told before.

        Other threads write into `keys` first and tell the kernel then: whoever comes last here has
        seen what they wrote.
        """
        key: Any = self  # which no file is registered with
        while key is not self.keys.get(fd):
            if fd == self.fileno():
                return  # a file was closed while registered, and its number is ours by now
            key = self.keys.get(fd)
            try:
                if key is None:
                    self.unregister(fd, EVENT_READ | EVENT_WRITE)
                else:
                    self.register(fd, key.events)
            except OSError as error:
                # Closed while registered, and its number reused for a regular file perhaps; or
                # another thread is at it, too.
                if error.errno not in (errno.EBADF, errno.EPERM, errno.EEXIST, errno.ENOENT):
                    raise

    def _uncover(self) -> None:
        for name in _CALLS:
            vars(self).pop(name, None)

    def close(self) -> None:
        """Give everything back.  Whoever waits is woken; every later call is a ValueError."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        """What `close` does, for the classes to add to."""
        self._uncover()
        for name in ("register", "modify", "poll", "wait_fd"):
            setattr(self, name, _closed)
        self.closed = True
        self._leave_nests()  # not before: other threads look again at once
        self.changed()

    def __del__(self) -> None:
        # A forked child may keep our kernel object alive, and with it our place in a nest.
        if hasattr(self, "seats"):
            self._leave_nests()

    def _wake_blocked(self) -> None:
        """Wake the threads that are blocked in `poll`: their kernel object is about to go."""
        if not self.inherited and _originals.has_other_threads():
            try:
                type(self).register(self, doorbell(), EVENT_READ)
            except (OSError, ValueError):
                pass  # there already, or closed before, or no memory: then nothing can be done

    def leave(self, nest: Holder) -> None:
        """Give up our seat in one nest; whoever waits there looks again."""
        seat = self.seats.pop(nest, None)
        if seat is not None:
            nest.leave(seat)

    def _leave_nests(self) -> None:
        self.epoch = object()
        for nest in tuple(self.seats):
            self.leave(nest)


def _closed(*args: Any, **kwargs: Any) -> NoReturn:
    raise ValueError("Selector is closed")
