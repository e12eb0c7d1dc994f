"""How does a greenlet wait where only a blocked thread counts?

The kernel gives an exclusive wake-up (EPOLLEXCLUSIVE) to one of the threads that are blocked in
epoll_wait(2) on the very epoll in which the file is.  Who waits for that epoll by way of another
one, as our nests and every event loop do, is woken with all others, and nothing is won.  So a
greenlet that waits for such a file has a real thread wait for it.  That thread touches nothing but
the poller: it waits, and wakes the greenlet.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional

from .. import _fork, _unpatched
from .._pollers import Pair, Waitable
from ._nest import Seat


class Errand:
    """One wait."""

    def __init__(self, poller: Waitable, timeout: Optional[float], seat: Seat) -> None:
        self.poller = poller
        self.timeout = timeout
        #: Where the greenlet sleeps that is to be told of the end.
        self.seat = seat
        self.is_over = False
        #: The greenlet could not wait for the end, and the doorbell has been rung.
        self.is_called_back = False
        #: What the kernel has said.
        self.pairs: List[Pair] = []


class _Deputy:
    """One thread, which does one errand after the other."""

    def __init__(
        self, office: _Office, start_thread: Callable[..., Any], lock: Callable[..., Any]
    ) -> None:
        self._office = office
        self._errand: Optional[Errand] = None
        self._start = lock()
        self._start.acquire()
        start_thread(self._work, ())

    def begin(self, errand: Errand) -> None:
        self._errand = errand
        self._start.release()

    def _work(self) -> None:
        while True:
            self._start.acquire()
            errand, self._errand = self._errand, None
            assert errand is not None
            try:
                errand.pairs = errand.poller.block(errand.timeout)
            except Exception:
                pass  # the greenlet finds out for itself
            self._office.end(errand, self)
            del errand


class _Office:
    """The threads of this process that have nothing to do, and the errands that are under way."""

    def __init__(self) -> None:
        self._lock = _unpatched.RLock()
        self._idle: List[_Deputy] = []
        self._under_way: Dict[Errand, None] = {}
        _fork.tell(self)

    def begin(
        self, errand: Errand, start_thread: Callable[..., Any], lock: Callable[..., Any]
    ) -> None:
        with self._lock:
            deputy = self._idle.pop() if self._idle else None
        if deputy is None:
            deputy = _Deputy(self, start_thread, lock)
        self._under_way[errand] = None
        errand.seat.nest.guests[errand.seat] = None
        deputy.begin(errand)

    def call_back(self, errand: Errand) -> None:
        """Have the thread come out of its wait: the greenlet is about to leave."""
        with self._lock:
            if not errand.is_over:
                errand.is_called_back = True
                errand.poller.call_back(True)
                return
        _put_back(errand)  # it was faster, and nobody hears what it has to say

    def end(self, errand: Errand, deputy: _Deputy) -> None:
        """The wait is over; `deputy` is idle again."""
        poller, seat = errand.poller, errand.seat
        with self._lock:
            errand.is_over = True
            if errand.is_called_back:
                poller.call_back(False)
            self._idle.append(deputy)
        if errand.is_called_back:
            _put_back(errand)
        self._under_way.pop(errand, None)
        seat.nest.guests.pop(seat, None)
        seat.nest.wake_soon(seat)

    def forked(self) -> None:
        """This is a child, which has none of these threads."""
        self._lock = _unpatched.RLock()
        self._idle.clear()
        for errand in self._under_way:
            errand.is_over = True
        self._under_way.clear()


def _put_back(errand: Errand) -> None:
    try:
        errand.poller.put_back(errand.pairs)
    except (OSError, ValueError):
        pass  # another thread has just closed the selector, or there is no memory


office = _Office()
