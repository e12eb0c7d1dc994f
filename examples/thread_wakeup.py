"""How does a real thread wake a greenlet that waits in a selector?  With an eventfd.

    python examples/thread_wakeup.py [native|gevent|eventlet]

kqueue has EVFILT_USER for this.  In a patched process, queues, locks and events only work between
the greenlets of one thread, but a descriptor works for all threads.  Source: eventfd(2);
os.eventfd, CPython 3.10.

Fall-back on CPython 3.9: a pipe(7).  It needs a second descriptor, and can become full.
"""

from __future__ import annotations

# The thread's functions are imported before the patch, so that they are the real ones.  Afterwards,
# `_thread` starts greenlets, and `sleep` and eventlet's `write` would start a hub in the thread.
import os
import sys
from _thread import get_native_id, start_new_thread
from collections import deque
from os import write
from time import sleep

import coopselectors as selectors
from _runtime import Ticker, enter


def open_bell() -> tuple[int, int, str]:
    """Return a descriptor to wait for, one that any thread may write to, and their kind."""
    if hasattr(os, "eventfd"):
        bell = os.eventfd(0)
        return bell, bell, "an eventfd"
    return (*os.pipe(), "a pipe")


def work(results: deque[tuple[int, int]], bell: int) -> None:
    for number in (1, 2, 3):
        sleep(0.08)  # stops the whole thread
        results.append((get_native_id(), number**2))
        write(bell, (1).to_bytes(8, sys.byteorder))  # a number: an eventfd adds them up


def main() -> None:
    enter()
    results: deque[tuple[int, int]] = deque()
    inside, outside, kind = open_bell()  # never closed: the thread may still be at its last ring
    start_new_thread(work, (results, outside))
    print(f"Waiting in thread {get_native_id()} for the results of another, by {kind}.")
    square = 0
    with selectors.DefaultSelector() as selector, Ticker():
        selector.register(inside, selectors.EVENT_READ)
        while square < 9:
            selector.select()
            os.read(inside, 4096)  # before the results are fetched: who comes later rings anew
            while results:
                thread, square = results.popleft()
                print(f"Thread {thread} says {square}.")


if __name__ == "__main__":
    main()
