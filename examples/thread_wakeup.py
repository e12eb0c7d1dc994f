"""How does a real thread wake a greenlet that waits in a selector?  By an eventfd.

    python examples/thread_wakeup.py [native|gevent|eventlet]

What EVFILT_USER is to kqueue.  In a patched process, queues, locks and events are for the greenlets
of one thread; a descriptor is for all threads.  Source: eventfd(2); os.eventfd, CPython 3.10.

Fall-back on CPython 3.9: a pipe(7).  It takes a second descriptor, and it can become full.
"""

from __future__ import annotations

# What the thread uses is taken before the patch, so that it is real: afterwards `_thread` starts
# greenlets, and `sleep`, and eventlet's `write`, would start a hub in the thread.
import os
import sys
from _thread import get_native_id, start_new_thread
from collections import deque
from os import write
from time import sleep

import coopselectors as selectors
from _runtime import Ticker, enter


def open_bell() -> tuple[int, int, str]:
    """The descriptor that is readable once any thread has written to the other one; their kind."""
    if hasattr(os, "eventfd"):
        bell = os.eventfd(0)
        return bell, bell, "an eventfd"
    return (*os.pipe(), "a pipe")


def work(results: deque[tuple[int, int]], bell: int) -> None:
    for number in (1, 2, 3):
        sleep(0.08)  # stops the whole thread
        results.append((get_native_id(), number**2))
        write(bell, (1).to_bytes(8, sys.byteorder))  # a number, for an eventfd adds them up


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
