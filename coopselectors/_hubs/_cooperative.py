"""How does one greenlet wait for a poller while its hub and all others run on?

Yield once, then collect.  A select that finds something at once must still let others run, and its
result must be true when it returns, which is after the others have run.  If nothing is ready, the
greenlet sleeps in the hub until the poller's descriptor is readable, and collects again.  A poller
whose last waits had to sleep goes straight to sleep, which lets others run as well.

Collecting never blocks, and every result comes from the kernel at the moment of returning.  So a
wake-up carries no message: one that comes too early, too late or from a stranger costs one look.

A signal handler may raise between any two lines.  So whatever a sleep leaves in a hub is removed
twice; the second removal does nothing, unless the first was interrupted.
"""

from __future__ import annotations

import errno
import math
from abc import abstractmethod
from functools import partial
from typing import Any, Callable, ClassVar, List, Optional, Set

from greenlet import getcurrent

from .._backends import Pair
from .._backends._base import can_be_watched
from .._poller import Poller
from .._unpatched import clock, system
from ._base import Hub, Source
from ._hub_end import thread_end
from ._outer import open_outer
from ._waiters import Heartbeat, Outer, Waiters
from ._waiting_thread import ThreadWait, pool

# The attribute of a hub that holds its outer poller.  A table of ours would keep it alive; here it
# belongs to one hub, and so to one thread, and goes with the hub.
_OUTER = "_coopselectors_outer"

# No single timer is longer than a day; the deadline decides, not the timer.
_LONGEST = 86400.0

# After so many sleeps in a row, a poller goes straight to sleep.  That saves a poll and a switch, a
# quarter of the cost of a wait under gevent.
_STEADY = 2
# After so many, it looks first once again.
_SLEEPS = 256

# Seconds until a file is looked at again if the hub and the primitive disagree about it.
_SECOND_LOOK = 0.02


class CooperativeHub(Hub):
    """What the adapters for greenlet hubs share.

    `hub` in the signatures is the calling thread's hub, the runtime's own object.  Its ``switch()``
    lets it run until the hub, or one of its callbacks, switches back.
    """

    #: ``_thread.start_new_thread``, which starts a real thread, whatever is patched.
    start_thread: ClassVar[Callable[..., Any]]
    #: ``_thread.allocate_lock``, likewise.
    allocate_lock: ClassVar[Callable[..., Any]]

    def __init__(self) -> None:
        # The code in which our greenlets sleep; compared by identity, as code is slow to hash.
        self._sleep_code: Any = CooperativeHub._sleep.__code__
        self._timed_code: Any = type(self).sleep_at_most.__code__

    @abstractmethod
    def hub_if_any(self) -> Any:
        """The calling thread's hub, or None."""

    @abstractmethod
    def hub(self) -> Any:
        """The calling thread's hub, made if there is none."""

    @abstractmethod
    def greenlet(self, hub: Any) -> Any:
        """The greenlet in which `hub` runs.  It must never block."""

    @abstractmethod
    def refuse_to_block(self, hub: Any) -> None:
        """Raise what this runtime raises when the hub's own greenlet tries to block."""

    def waits_with(self, hub: Any, poller: Poller) -> bool:
        """Whether the hub itself waits with this poller."""
        return False

    @abstractmethod
    def yield_once(self, hub: Any) -> None:
        """Let all other greenlets that can run do so, once."""

    @abstractmethod
    def sleep_at_most(self, hub: Any, seconds: float) -> None:
        """Sleep until somebody switches here, or for `seconds`."""

    @abstractmethod
    def call_soon(self, hub: Any, function: Callable[[], None]) -> None:
        """Have the hub call `function` at its next turn; from any thread, if the hub allows it."""

    @abstractmethod
    def others_are_due(self, hub: Any) -> bool:
        """Whether the hub must turn before another greenlet is woken."""

    def is_asleep(self, greenlet: Any) -> bool:
        """Whether a greenlet is in a sleep of ours, and not in a signal handler within it."""
        frame = getattr(greenlet, "gr_frame", None)
        while frame is not None:
            code = frame.f_code
            if code is self._sleep_code or code is self._timed_code:
                return True
            if code.co_name != "switch":  # the hub's own, where it is written in Python
                return False
            frame = frame.f_back
        return True

    @abstractmethod
    def has_ended(self, hub: Any) -> bool:
        """Whether `hub` has been destroyed."""

    @abstractmethod
    def watch(self, hub: Any, outer: Outer) -> Callable[[], None]:
        """Have `outer.on_ready` called whenever `outer.fd`, if any, is readable.

        Returns a function that ends this, even after the hub has ended.  A hub that ends by itself
        must not do so while ``outer.watcher.ref`` is true.
        """

    @abstractmethod
    def watch_anew(self, hub: Any) -> None:
        """In a forked child: tell the hub that `outer.fd` names another kernel object."""

    @abstractmethod
    def watch_file(
        self, hub: Any, fd: int, events: int, callback: Callable[..., None]
    ) -> Callable[[], None]:
        """Have `callback` called when `fd`, which must be ours, is ready; returns how to end it."""

    @abstractmethod
    def report(self, hub: Any, culprit: Any, *exc_info: Any) -> None:
        """Report an exception that nobody caught, as this runtime does.

        `culprit` raised it; None if nothing of ours did, for instance a signal handler.
        """

    def wait(
        self,
        poller: Poller,
        timeout: Optional[float],
        deadline: Optional[float],
        source: Optional[Source] = None,
    ) -> List[Pair]:
        if source is None:
            source = poller
        hub = self.hub_if_any()
        if hub is None:
            # A new hub opens descriptors.  One of them may get the number of a registered file that
            # was just closed, so the kernel is asked about that file first.
            pairs = source.poll(0)
            if pairs:
                return pairs
            hub = self.hub()
        current = getcurrent()
        if current is self.greenlet(hub):
            if timeout == 0:
                return source.poll(0)
            if not self.waits_with(hub, poller):
                self.refuse_to_block(hub)
            return source.poll(timeout)
        looked = False
        if (
            timeout == 0
            or poller.sleeps < _STEADY
            or self.needs_a_turn
            or (poller.shadow is not None and poller.must_look_first())
        ):
            self.yield_once(hub)
            pairs = source.poll(0)
            if pairs or timeout == 0:
                poller.sleeps = 0
                return pairs
            looked = True
        patience = None if poller.shadow is None else poller.before_sleep()
        while True:
            seconds = patience
            if deadline is not None:
                rest = deadline - clock.monotonic()
                if rest <= 0:
                    if looked:
                        return []
                    rest = 0.0
                # Rounded up to milliseconds, like the standard module: some loops count in them.
                seconds = min(math.ceil(rest * 1e3) * 1e-3, patience or _LONGEST)
            outer: Any = getattr(hub, _OUTER, None) or self._open_outer(hub)
            waiters = poller.waiters.get(outer)
            if waiters is None or waiters.disarmed or waiters.notified:
                waiters = self._waiters_of(poller, outer)
            if waiters is None:
                pairs = self._sleep_otherwise(hub, outer, poller, source, seconds, looked)
            else:
                poller.sleeps = poller.sleeps + 1 if poller.sleeps < _SLEEPS else 0
                pairs = self._sleep(hub, current, waiters, source, seconds)
            if pairs:
                return pairs
            pairs = source.poll(0)
            if not pairs and poller.shadow is not None and poller.woken_in_vain():
                pairs = source.poll(0)
            if pairs:
                return pairs
            looked = True
            if poller.shadow is not None:
                patience = poller.before_sleep(again=True)

    def _waiters_of(self, poller: Poller, outer: Outer) -> Optional[Waiters]:
        """Where to sleep for `poller`; None if the outer poller cannot hold it."""
        if outer.not_yet_watched is not None:
            return outer.not_yet_watched
        inner = None if poller.needs_thread else poller.pollable()
        return None if inner is None else outer.waiters_of(inner)

    def heartbeat(self) -> Heartbeat:
        """An object that asks the calling thread's hub whether it still turns."""
        hub = self.hub()
        return Heartbeat(getattr(hub, _OUTER, None) or self._open_outer(hub))

    def _sleep(
        self, hub: Any, current: Any, waiters: Waiters, source: Source, seconds: Optional[float]
    ) -> List[Pair]:
        """Sleep until somebody switches here; returns pairs that the hub has collected, if any."""
        outer = waiters.outer
        sleepers = outer.sleepers
        suspended = None
        try:
            try:
                if current in sleepers:
                    suspended = outer.suspend(current)
                sleepers[current] = waiters
                if len(sleepers) == 1:
                    outer.watcher.ref = True
                waiters.greenlets[current] = source
                if not waiters.notified:  # read after the line above: see OuterPoller.notify
                    if seconds is None:
                        hub.switch()
                    else:
                        self.sleep_at_most(hub, seconds)
            finally:
                outer.awake(current, waiters, suspended)
        finally:
            if current in sleepers:
                outer.awake(current, waiters, suspended)
        handed = outer.handed
        if handed is None or handed[0] is not current:
            return []
        outer.handed = None
        return handed[2]

    def _sleep_otherwise(
        self,
        hub: Any,
        outer: Outer,
        poller: Poller,
        source: Source,
        seconds: Optional[float],
        looked: bool,
    ) -> List[Pair]:
        """Sleep if the outer poller cannot hold `poller`."""
        if poller.needs_thread:
            return self._sleep_beside_a_thread(hub, outer, poller, seconds)
        if looked:
            self._sleep_on_files(hub, outer, poller, source, seconds)
        else:  # a regular file is always ready, and a hub must not be given one
            self.yield_once(hub)
        return []

    def _sleep_beside_a_thread(
        self, hub: Any, outer: Outer, poller: Poller, seconds: Optional[float]
    ) -> List[Pair]:
        taken, poller.taken = list(poller.taken), ()
        if taken:
            return _merge(taken, poller.poll(0))
        waiters = Waiters(outer)
        wait = ThreadWait(poller, seconds, waiters)
        pool.begin(wait, self.start_thread, self.allocate_lock)
        try:
            while not wait.is_over:
                self._sleep(hub, getcurrent(), waiters, poller_of_nothing, None)
        except BaseException:
            pool.cancel(wait)
            raise
        kept = poller.give_back(wait.pairs)
        return _merge(kept, poller.poll(0)) if kept else []

    def _sleep_on_files(
        self, hub: Any, outer: Outer, poller: Poller, source: Source, seconds: Optional[float]
    ) -> None:
        """The kernel refuses to nest `poller` in the outer poller: watch its files one by one.

        The hub is given duplicates.  Nobody else knows them, so nobody can close them.
        """
        waiters = Waiters(outer)
        if poller.has_extras and (seconds is None or seconds > _SECOND_LOOK):
            seconds = _SECOND_LOOK  # a hub knows READ and WRITE only
        told: Set[int] = set()
        poller.watch_per_file(waiters, True)
        try:
            if poller.closed:  # read after the line above: see `Poller.close`
                return
            end = math.inf if seconds is None else clock.monotonic() + seconds
            self._sleep_on_each(hub, poller, waiters, told, seconds)
            end = min(end, clock.monotonic() + _SECOND_LOOK)
            known = 0
            while len(told) > known:
                pairs = source.poll(0)
                if pairs:
                    source.give_back(pairs)
                    break
                # For instance a hang-up, which select(2) does not report to a writer, or an
                # edge-triggered file.  Watching it any longer would make the hub spin.
                known = len(told)
                rest = max(end - clock.monotonic(), 1e-3)  # libuv has no shorter timer
                self._sleep_on_each(hub, poller, waiters, told, rest)
        finally:
            poller.watch_per_file(waiters, False)

    def _sleep_on_each(
        self,
        hub: Any,
        poller: Poller,
        waiters: Waiters,
        told: Set[int],
        seconds: Optional[float],
    ) -> None:
        """Sleep until a file that is not in `told` is ready, and add it there."""
        undo: List[Callable[[], None]] = []

        def wake(fd: int, *_: Any) -> None:
            told.add(fd)
            waiters.wake()

        try:
            for fd, key in list(poller.keys.items()):
                if fd in told or not key.events:
                    continue
                try:
                    duplicate = system.dup(fd)
                except OSError as error:
                    if error.errno != errno.EBADF:
                        raise
                    continue  # closed while registered: it will never be ready
                undo.append(partial(system.close, duplicate))
                if not can_be_watched(duplicate):
                    # For instance an epoll at the end of a chain.  A loop would abort the process.
                    seconds = _SECOND_LOOK if seconds is None else min(seconds, _SECOND_LOOK)
                    continue
                undo.append(self.watch_file(hub, duplicate, key.events, partial(wake, fd)))
            self._sleep(hub, getcurrent(), waiters, poller_of_nothing, seconds)
        finally:
            while undo:
                undo.pop()()

    def _open_outer(self, hub: Any) -> Outer:
        outer = open_outer(self, hub)
        try:
            outer.start()
        except BaseException:
            outer.close()
            raise
        setattr(hub, _OUTER, outer)

        def has_ended() -> bool:
            return self.has_ended(hub)

        thread_end(self.thread_local).add(outer, has_ended)
        return outer


def _merge(taken: List[Pair], found: List[Pair]) -> List[Pair]:
    masks = dict(taken)
    for fd, mask in found:
        masks[fd] = masks.get(fd, 0) | mask
    return list(masks.items())


class _Nothing:
    """The source of a wait that ends only when somebody else wakes the greenlet."""

    def poll(self, timeout: Any) -> List[Pair]:
        return []

    give_back: Any = poll


poller_of_nothing = _Nothing()
