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

import math
from abc import abstractmethod
from typing import Any, Callable, ClassVar, List, Optional

from greenlet import getcurrent

from .._backends import Pair
from .._pollers._poller import Poller
from .._unpatched import clock
from ._base import Hub, Source
from ._hub_end import thread_end
from ._outer import open_outer
from ._per_file import EMPTY_SOURCE, PerFileSleep
from ._waiters import OUTER, Heartbeat, Outer, Waiters
from ._waiting_thread import ThreadWait, pool

# No single timer is longer than a day; the deadline decides, not the timer.
_LONGEST = 86400.0

# After so many sleeps in a row, a poller goes straight to sleep.  That saves a poll and a switch, a
# quarter of the cost of a wait under gevent.
_STEADY = 2
# After so many, it looks first once again.
_SLEEPS = 256


class CooperativeHub(PerFileSleep, Hub):
    """What the adapters for greenlet hubs share.

    `hub` in the signatures is the calling thread's hub, the runtime's own object.  Its ``switch()``
    lets it run until the hub, or one of its callbacks, switches back.
    """

    #: ``_thread.start_new_thread``, which starts a real thread, whatever is patched.
    start_thread: ClassVar[Callable[..., Any]]

    def __init__(self) -> None:
        super().__init__()
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
    def retry_soon(self, hub: Any, outer: Outer) -> None:
        """Have the hub, which is the calling thread's, call ``outer.retry(None)`` in a moment."""

    @abstractmethod
    def others_are_due(self, hub: Any) -> bool:
        """Whether the hub must turn before another greenlet is woken."""

    def is_asleep(self, greenlet: Any) -> bool:
        """Whether a greenlet is in a sleep of ours, and not in a signal handler within it."""
        frame = getattr(greenlet, "gr_frame", None)
        while frame is not None:
            code = frame.f_code
            if code is self._sleep_code:
                return True
            # "switch" is the hub's own, where it is written in Python.
            if code is not self._timed_code and code.co_name != "switch":
                return False
            frame = frame.f_back
        return True

    @abstractmethod
    def has_ended(self, hub: Any) -> bool:
        """Whether `hub` has been destroyed."""

    @abstractmethod
    def watch(self, hub: Any, outer: Outer) -> None:
        """Have ``outer.callback()`` called whenever `outer.fd`, if any, is readable.

        What ends that is in ``outer.unwatch`` before it begins.  If the hub would end by itself, it
        may not while ``outer.watcher.ref`` is true.
        """

    @abstractmethod
    def watch_anew(self, hub: Any, outer: Outer, is_needed: bool) -> None:
        """In a forked child: tell the hub that `outer.fd` names another kernel object.

        It is needed if greenlets sleep there; otherwise the next wait may open another one.
        """

    @abstractmethod
    def watch_file(
        self,
        hub: Any,
        fd: int,
        events: int,
        callback: Callable[..., None],
        undo: List[Callable[[], None]],
    ) -> None:
        """Have `callback` called, with one argument to ignore, when `fd` is ready.

        `fd` must be ours.
        What ends that is appended to `undo` before it begins.
        """

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
            try:
                outer: Any = hub._coopselectors_outer  # faster than getattr() with a default
            except AttributeError:
                outer = None
            if outer is None:
                outer = self._open_outer(hub)
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
        """Where to sleep for `poller`; None where the outer poller cannot help."""
        start = outer.not_yet_watched
        if start is not None:
            return start
        inner = None if poller.needs_thread else poller.pollable()
        if inner is None:
            return None
        waiters: Optional[Waiters] = None
        try:
            waiters = outer.waiters_of(inner)
        except Exception:
            if not outer.gone:
                raise
        if outer.gone:
            # A signal handler has forked meanwhile, and this is the child: look again at once.
            waiters = Waiters(outer)
            waiters.notified = True
        return waiters

    def heartbeat(self) -> Heartbeat:
        """An object that asks the calling thread's hub whether it still turns."""
        hub = self.hub()
        return Heartbeat(getattr(hub, OUTER, None) or self._open_outer(hub))

    def _sleep(
        self, hub: Any, current: Any, waiters: Waiters, source: Source, seconds: Optional[float]
    ) -> List[Pair]:
        """Sleep until somebody switches here; returns pairs that the hub has collected, if any."""
        outer = waiters.outer
        sleepers = outer.sleepers
        # In a signal handler: where the greenlet was asleep when that cut in.
        suspended = None
        if current in sleepers:
            suspended = sleepers[current], sleepers[current].greenlets.get(current)
        try:
            try:
                if suspended is not None:
                    suspended[0].greenlets.pop(current, None)
                sleepers[current] = waiters
                if not outer.watcher.ref:
                    outer.watcher.ref = True
                waiters.greenlets[current] = source
                # Asked for after the line above: whatever has happened since these waiters were
                # looked up, nobody would wake us.  Look again, but let the hub turn before.
                if waiters.notified or waiters.disarmed:
                    seconds = 0
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
            return poller.merge(taken)
        waiters = Waiters(outer)
        wait = ThreadWait(poller, seconds, waiters)
        try:
            pool.begin(wait, self.start_thread)
            while not wait.is_over:
                waiters.notified = False
                if wait.is_over:  # asked for after the line above, see `pool.end`
                    break
                self._sleep(hub, getcurrent(), waiters, EMPTY_SOURCE, None)
        except BaseException:
            pool.cancel(wait)
            raise
        kept = poller.give_back(wait.pairs)
        return poller.merge(kept) if kept else []

    @staticmethod
    def forget(hub: Any, outer: Outer) -> None:
        """Close an outer poller; the next wait opens another one."""
        setattr(hub, OUTER, None)
        outer.close()

    def _open_outer(self, hub: Any) -> Outer:
        outer = open_outer(self, hub)
        try:
            outer.start()
        except BaseException:
            outer.close()
            raise
        setattr(hub, OUTER, outer)

        def has_ended() -> bool:
            return self.has_ended(hub)

        thread_end(self.thread_local).add(outer, has_ended)
        return outer
