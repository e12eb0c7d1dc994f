"""Was the hub free to run, and did a greenlet wait in a selector or a primitive of ours?"""

from __future__ import annotations

import os

# Before any patch: a real thread, a real sleep, and files that no hub knows of.
from _thread import start_new_thread
from os import open as open_file
from os import pread as read_at
from time import monotonic, sleep, thread_time

_SCHEDSTAT = "/proc/thread-self/schedstat"

STEP = 0.005  # seconds, of each sleep
LONGEST = 0.05  # seconds, that a sleep takes where the machine is no more than busy


class Ticker:
    """For how long did the hub stand still?  A greenlet that sleeps in a loop shows it.

    The time between two of its turns counts as far as the hub's thread slept in the kernel: not
    while it computed, as a first request may import a lot, and not while it wanted to run and the
    machine was too busy.  Where the kernel does not tell of the latter, a real thread that sleeps
    in a loop too shows how busy the machine is.
    """

    def __init__(self, spawn, pause) -> None:
        self._longest = 0.0
        self._stopped = False
        self._clock = _SleptTime() if os.path.exists(_SCHEDSTAT) else _FreeTime()
        self._seen = self._clock()
        spawn(self._tick, pause)

    def stop(self) -> None:
        self._stopped = True
        self._clock.stop()

    def longest(self) -> float:
        """The longest time between two turns so far, in seconds."""
        now = self._clock()
        self._longest = max(self._longest, now - self._seen)
        self._seen = now
        return self._longest

    def _tick(self, pause) -> None:
        while not self._stopped:
            self.longest()
            pause(STEP)


class _SleptTime:
    """For how long did the thread that made this sleep in the kernel?"""

    def __init__(self) -> None:
        self._file = open_file(_SCHEDSTAT, os.O_RDONLY | os.O_CLOEXEC)

    def __call__(self) -> float:
        # Both in nanoseconds: on a processor, and in the queue for one.
        computed, queued, _ = read_at(self._file, 99, 0).split()
        return monotonic() - (int(computed) + int(queued)) / 1e9

    def stop(self) -> None:
        """The file is closed with the process: its number must not be used again before."""


class _FreeTime:
    """For how long was the machine free to run threads?"""

    def __init__(self) -> None:
        self._now = 0.0
        self._stopped = False
        start_new_thread(self._keep_time, ())

    def __call__(self) -> float:
        return self._now - thread_time()

    def stop(self) -> None:
        self._stopped = True

    def _keep_time(self) -> None:
        while not self._stopped:
            started = monotonic()
            sleep(STEP)
            self._now += min(monotonic() - started, LONGEST)


class Observer:
    """Did a greenlet of this thread give way from within coopselectors?

    Each switch is looked at until that was seen once: what the greenlet was doing is on its stack,
    below the frames of the hub.
    """

    def __init__(self) -> None:
        import greenlet

        import coopselectors

        self.seen = False
        self._ours = coopselectors.__file__.rpartition("/")[0] + "/"
        self._settrace = greenlet.settrace
        greenlet.settrace(self._switched)

    def _switched(self, event, switch) -> None:
        frame = switch[0].gr_frame
        while frame is not None and self._is_hub(frame):
            frame = frame.f_back
        if frame is not None and frame.f_code.co_filename.startswith(self._ours):
            self.seen = True
            self._settrace(None)

    def _is_hub(self, frame) -> bool:
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        return package in ("gevent", "eventlet", "greenlet")


def install(kind: str) -> None:
    """Put coopselectors in place, as that kind of process does."""
    if kind in ("install()", "install(select=True)"):
        import coopselectors

        coopselectors.install(select=kind != "install()")
