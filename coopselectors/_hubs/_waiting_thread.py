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
from .._lock import SimpleQueue
from .._pollers._poller import Poller
from ._waiters import Waiters


class ThreadWait:
    """One wait of a thread, for the greenlet in `waiters`."""

    def __init__(self, poller: Poller, timeout: Optional[float], waiters: Waiters) -> None:
        self.poller = poller
        self.timeout = timeout
        self.waiters = waiters
        #: The thread that waits, once there is one.
        self.thread: Any = None
        self.is_over = False
        #: The greenlet has left, so nobody wants the result.
        self.is_cancelled = False
        #: What the thread collected.
        self.pairs: List[Pair] = []


class _WaitingThread:
    """One thread, which performs one wait after another."""

    def __init__(self, pool: _Pool, start_thread: Callable[..., Any]) -> None:
        self._pool = pool
        #: What to wait for next.  One that is over already is passed by.
        self.waits: Any = SimpleQueue()
        start_thread(self._run, ())

    def _run(self) -> None:
        while True:
            wait: ThreadWait = self.waits.get()
            if not wait.is_over:
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

    def begin(self, wait: ThreadWait, start_thread: Callable[..., Any]) -> None:
        """Have a thread begin `wait`; `cancel` undoes that, wherever a signal handler raised."""
        # Without the lock: a signal handler may wait in here for what such a thread does.
        try:
            wait.thread = self._idle.pop()
        except IndexError:
            wait.thread = _WaitingThread(self, start_thread)
        self._under_way[wait] = None
        wait.waiters.outer.beside_threads[wait.waiters] = None
        wait.thread.waits.put(wait)

    def cancel(self, wait: ThreadWait) -> None:
        """End the thread's wait, because the greenlet is about to leave."""
        with _fork.lock():
            if wait.thread is None:
                return
            if not wait.is_over:
                if not wait.is_cancelled:
                    wait.is_cancelled = True
                    wait.poller.cancel_block(True)
                wait.thread.waits.put(wait)  # once more, if it has it already: see `begin`
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
        self._under_way.pop(wait, None)  # not before: a child looks here for whom to tell
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
