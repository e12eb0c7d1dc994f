"""How does a greenlet wait for a file that reports only to a blocked thread?

The kernel gives an exclusive wake-up (EPOLLEXCLUSIVE) to one of the threads that are blocked in
epoll_wait(2) on the same epoll that holds the file.  A wait through another epoll, as our outer
epolls and every event loop do it, is woken together with all others.  And a file that reports
POLLPRI once (/proc/self/mounts) would report it to the outer epoll alone.

So a real thread waits for such a file in the greenlet's place.  The thread touches nothing but the
poller: it waits, and then wakes the greenlet.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional

from .. import _fork
from .._backends import Pair
from .._poller import Poller
from ._waiters import Waiters


class ThreadWait:
    """One wait of a thread, for the greenlet in `waiters`."""

    def __init__(self, poller: Poller, timeout: Optional[float], waiters: Waiters) -> None:
        self.poller = poller
        self.timeout = timeout
        self.waiters = waiters
        self.is_over = False
        #: The greenlet has left, so nobody wants the result.
        self.is_cancelled = False
        #: What the thread collected.
        self.pairs: List[Pair] = []


class _WaitingThread:
    """One thread, which performs one wait after another."""

    def __init__(
        self, pool: _Pool, start_thread: Callable[..., Any], lock: Callable[..., Any]
    ) -> None:
        self._pool = pool
        self._wait: Optional[ThreadWait] = None
        self._start = lock()
        self._start.acquire()
        start_thread(self._run, ())

    def begin(self, wait: ThreadWait) -> None:
        self._wait = wait
        self._start.release()

    def _run(self) -> None:
        while True:
            self._start.acquire()
            wait, self._wait = self._wait, None
            assert wait is not None
            try:
                wait.pairs = wait.poller.block(wait.timeout)
            except Exception:
                pass  # the greenlet finds out for itself
            self._pool.end(wait, self)
            del wait


class _Pool:
    """The idle threads of this process, and the waits that are running."""

    def __init__(self) -> None:
        self._idle: List[_WaitingThread] = []
        self._under_way: Dict[ThreadWait, None] = {}
        _fork.tell(self)

    def begin(
        self, wait: ThreadWait, start_thread: Callable[..., Any], lock: Callable[..., Any]
    ) -> None:
        with _fork.lock():
            thread = self._idle.pop() if self._idle else None
        if thread is None:
            thread = _WaitingThread(self, start_thread, lock)
        self._under_way[wait] = None
        wait.waiters.outer.beside_threads[wait.waiters] = None
        thread.begin(wait)

    def cancel(self, wait: ThreadWait) -> None:
        """End the thread's wait, because the greenlet is about to leave."""
        with _fork.lock():
            if not wait.is_over:
                wait.is_cancelled = True
                wait.poller.cancel_block(True)
                return
        _give_back(wait)  # the thread was faster, and nobody wants its result

    def end(self, wait: ThreadWait, thread: _WaitingThread) -> None:
        """The wait is over; `thread` is idle again."""
        poller, waiters = wait.poller, wait.waiters
        with _fork.lock():
            wait.is_over = True
            if wait.is_cancelled:
                poller.cancel_block(False)
            self._idle.append(thread)
        if wait.is_cancelled:
            _give_back(wait)
        self._under_way.pop(wait, None)
        waiters.outer.beside_threads.pop(waiters, None)
        waiters.outer.notify(waiters)

    def forked(self) -> None:
        """Forget all threads: a forked child has none of them."""
        self._idle.clear()
        for wait in self._under_way:
            wait.is_over = True
        self._under_way.clear()


def _give_back(wait: ThreadWait) -> None:
    try:
        kept = wait.poller.give_back(wait.pairs)
    except (OSError, ValueError):
        return  # another thread has just closed the selector, or there is no memory
    if kept:
        wait.poller.taken = [*wait.poller.taken, *kept]  # for the next wait


pool = _Pool()
