"""How does a selector report that a period is over?  With a timerfd.

    python examples/timers.py [native|gevent|eventlet]

A timerfd is readable at each expiry.  kqueue has EVFILT_TIMER for this.  The kernel counts the
periods, so a program that reads late learns how many have passed.  Source: timerfd_create(2);
os.timerfd_create, CPython 3.13.

Fall-back before CPython 3.13: the same two system calls of the C library, through ctypes.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time

import coopselectors as selectors
from _runtime import Ticker, enter

PERIOD = 80_000_000  # nanoseconds


def start_timer() -> tuple[int, str]:
    """Start a timer; return its descriptor, and who made it."""
    if hasattr(os, "timerfd_create"):
        timer = os.timerfd_create(time.CLOCK_MONOTONIC, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC)
        os.timerfd_settime_ns(timer, initial=PERIOD, interval=PERIOD)
        return timer, "os.timerfd_create"
    libc = ctypes.CDLL(None, use_errno=True)
    # The header has the flags TFD_NONBLOCK and TFD_CLOEXEC as other names for these two.
    timer = libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
    # struct itimerspec: the interval and the first expiry, each in seconds and nanoseconds.
    times = (ctypes.c_long * 4)(*divmod(PERIOD, 10**9), *divmod(PERIOD, 10**9))
    if timer < 0 or libc.timerfd_settime(timer, 0, times, None) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return timer, "ctypes"


def main() -> None:
    enter()
    started = time.monotonic()
    timer, maker = start_timer()
    print(f"Waiting for the periods of a timer, by {maker}.")
    periods = 0
    with selectors.DefaultSelector() as selector, Ticker():
        selector.register(timer, selectors.EVENT_READ)
        while periods < 3:
            selector.select()
            periods += int.from_bytes(os.read(timer, 8), sys.byteorder)
            print(f"Periods over: {periods}, after {time.monotonic() - started:.3f} s.")
    os.close(timer)


if __name__ == "__main__":
    main()
