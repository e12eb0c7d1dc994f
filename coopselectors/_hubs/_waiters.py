"""Which greenlets sleep in one hub, and how are they woken?

Greenlets that wait for the same poller share one `Waiters`.  An `Outer` has all sleepers of a hub.
If kernel objects can be nested, it is an `OuterPoller` (see _outer).
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any, Callable, Dict, List, Optional, Protocol, Tuple

from .._pollers._poller import Poller
from ._base import Source
from ._guarded import guarded

#: The attribute of a hub that holds its outer poller.  A table of ours would keep it alive; here it
#: belongs to one hub, and so to one thread, and goes with the hub.
OUTER = "_coopselectors_outer"


class Adapter(Protocol):
    """The methods of an adapter that an outer poller calls; `CooperativeHub` describes them."""

    def call_soon(self, hub: Any, function: Callable[[], None]) -> None: ...

    def retry_soon(self, hub: Any, outer: Outer) -> None: ...

    def report(self, hub: Any, culprit: Any, *exc_info: Any) -> None: ...

    def watch(self, hub: Any, outer: Outer) -> None: ...

    def watch_anew(self, hub: Any, outer: Outer, is_needed: bool) -> None: ...

    def others_are_due(self, hub: Any) -> bool: ...

    def is_asleep(self, greenlet: Any) -> bool: ...


class Waiters:
    """The greenlets of one hub that wait for one poller."""

    __slots__ = (
        "disarmed",
        "fd",
        "greenlets",
        "notified",
        "outer",
        "times_disarmed",
    )

    def __init__(self, outer: Outer, fd: int = -1) -> None:
        self.outer: Outer = outer
        #: The poller's descriptor in the outer poller.
        self.fd: int = fd
        #: The outer poller does not report the poller now.
        self.disarmed: bool = False
        self.times_disarmed: int = 0
        #: Something has happened since it was taken in: look again, and do not sleep here.
        self.notified: bool = False
        #: {greenlet: what it collects from}, in the order of their coming.  Only the greenlet
        #: itself writes here, on its way into and out of the hub, and nobody may switch to others.
        self.greenlets: Dict[Any, Source] = {}

    def wake(self, *_: Any) -> None:
        """Switch to each greenlet that waits here.  Only the hub may call this."""
        are_all_awake = True
        for greenlet in tuple(self.greenlets):
            if greenlet in self.greenlets:  # an earlier one may have killed it
                are_all_awake &= self.outer.switch_to(greenlet)
        if not are_all_awake:
            self.outer.try_again(self)


class Heartbeat(Waiters):
    """Counts how often its hub has answered; no greenlet waits here."""

    __slots__ = ("count",)

    def __init__(self, outer: Outer) -> None:
        super().__init__(outer)
        self.count: int = 0
        # So that `notify` finds somebody to wake.
        self.greenlets[None] = None  # type: ignore[assignment]

    def ask(self) -> None:
        """Have the hub answer at its next turn.  Any thread may call this."""
        self.outer.notify(self)

    def wake(self, *_: Any) -> None:
        self.count += 1


class Outer:
    """The sleepers of one hub, where no outer epoll or kqueue is possible (Windows, Solaris).

    `hub` is the runtime's own object, and `adapter` is its adapter.
    """

    #: What the hub has to watch, if anything.
    fd: Optional[int]
    #: Where greenlets wait until the hub watches `fd`; None once it does.
    not_yet_watched: Optional[Waiters]
    #: Where to wait for a poller that has a descriptor; None if its files have to be watched one by
    #: one.  Here, no poller has one.
    waiters_of: Callable[[Poller], Optional[Waiters]]

    def __init__(self, adapter: Adapter, hub: Any) -> None:
        self._adapter = adapter
        self._hub = hub
        self.fd = None
        self.not_yet_watched = None
        #: The hub has ended.
        self.gone: bool = False
        #: {greenlet: its Waiters}, of all that sleep here, the longest sleeper first.
        self.sleepers: Dict[Any, Waiters] = {}
        #: (greenlet, source, pairs), collected for the greenlet that is being switched to.
        self.handed: Optional[Tuple[Any, Source, List[Any]]] = None
        #: The waiters for which a thread waits; a forked child does not have these threads.
        self.beside_threads: Dict[Waiters, None] = {}
        #: Its ``ref`` is true while somebody sleeps: the hub may not end then.
        self.watcher: Any = SimpleNamespace(ref=False)
        #: Has the hub stop watching `fd`; may be called after the hub has ended.
        self.unwatch: Callable[[], None] = lambda: None
        #: Those that `retry` wakes once more.
        self._to_retry: Dict[Waiters, None] = {}
        #: What the hub calls, with an argument to ignore, a moment after `Adapter.retry_soon`.
        self.retry: Callable[[Any], None] = guarded(self._retry, self._retry_failed)
        #: The adapter's timer for that, if there is one.
        self.timers: List[Any] = []
        #: Stops that timer; may be called after the hub has ended.
        self.end_timers: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Have the hub watch `fd`."""
        self._adapter.watch(self._hub, self)

    def switch_to(self, greenlet: Any) -> bool:
        """Let a sleeper continue; only the hub may call this.

        Returns False if the greenlet is not asleep here, because a signal handler runs in it and
        waits for something else.  An exception that a handler raises before the switch counts as
        that, too.
        """
        is_awake = False
        try:
            is_awake = self._adapter.is_asleep(greenlet)
            if is_awake:
                greenlet.switch()
        except BaseException:
            exc_info = sys.exc_info()
            is_awake = bool(greenlet.dead)
            self._adapter.report(self._hub, greenlet if is_awake else None, *exc_info)
        return is_awake

    def try_again(self, waiters: Waiters) -> None:
        """Wake these waiters in a moment, and again until every greenlet could be woken.

        Only this hub's own thread may call this.
        """
        if not self.gone:
            self._to_retry[waiters] = None
            self._adapter.retry_soon(self._hub, self)

    def _retry(self, _: Any) -> None:
        for waiters in tuple(self._to_retry):
            try:
                self._to_retry.pop(waiters, None)
                waiters.wake()
            except BaseException:  # a signal handler's
                self._to_retry[waiters] = None
                raise

    def _retry_failed(self, *exc_info: Any) -> None:
        if self._to_retry and not self.gone:
            self._adapter.retry_soon(self._hub, self)
        self._adapter.report(self._hub, None, *exc_info)

    # A signal handler may select in the middle of a select() of its own greenlet.  While it does,
    # the greenlet does not sleep where it slept before, and must not be switched to for that.

    def awake(
        self,
        greenlet: Any,
        waiters: Waiters,
        suspended: Optional[Tuple[Waiters, Optional[Source]]],
    ) -> None:
        """Remove a greenlet that no longer sleeps.  Calling this twice does no harm."""
        waiters.greenlets.pop(greenlet, None)
        if suspended is None:
            if len(self.sleepers) == 1:
                self.watcher.ref = False
            self.sleepers.pop(greenlet, None)
            # A signal handler may have slept in between, or have let others come.
            if self.watcher.ref != bool(self.sleepers):
                self.watcher.ref = bool(self.sleepers)
        else:
            before, source = suspended
            self.sleepers[greenlet] = before
            if source is not None:
                before.greenlets[greenlet] = source
            self.try_again(before)  # what happened meanwhile has woken nobody

    def notify(self, waiters: Waiters) -> None:
        """Have whoever waits there, or is about to, look again.  Any thread may call this."""
        waiters.notified = True
        if not self.gone:
            self.wake_soon(waiters)

    def wake_soon(self, waiters: Waiters) -> None:
        """Wake whoever waits there at the hub's next turn."""
        self._adapter.call_soon(self._hub, waiters.wake)

    def callback(self) -> Callable[[Any], None]:
        """What the hub calls, with an argument to ignore, when `fd` is readable."""
        return lambda _: None

    def close(self) -> None:
        """Release everything of ours, as the hub has ended or no longer watches us.

        Calling this twice does no harm.
        """
        self.gone = True
        unwatch, self.unwatch = self.unwatch, lambda: None
        try:
            unwatch()
        finally:
            self.end_timers()
            # A selector may refer to us for long, and should not keep a hub alive.  gevent keeps
            # hubs that have ended, and they should not keep us alive.
            hub, self._hub = self._hub, None
            if getattr(hub, OUTER, None) is self:
                setattr(hub, OUTER, None)
            self.watcher = SimpleNamespace(ref=False)
            self.beside_threads.clear()
