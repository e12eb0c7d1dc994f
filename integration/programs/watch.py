"""Was the hub free to run, and did a greenlet wait in a selector or a primitive of ours?"""

from __future__ import annotations

from _thread import start_new_thread  # before any patch: a real thread, and a real sleep
from time import CLOCK_THREAD_CPUTIME_ID, clock_gettime, monotonic, sleep

STEP = 0.005  # seconds, of each sleep
LONGEST = 0.05  # seconds, that a sleep takes where the machine is no more than busy


class Ticker:
    """For how long did the hub stand still?  A greenlet that sleeps in a loop shows it.

    The time between two of its turns is taken by a real thread that sleeps in a loop too.  When the
    machine is too busy for that thread as well, nobody has blocked, and the time does not count.
    With `may_compute` it does not count either while the hub's thread computes: a worker may import
    a lot with its first request.
    """

    def __init__(self, spawn, pause, *, may_compute: bool = False) -> None:
        self._now = self._seen = self._longest = 0.0
        self._stopped = False
        self._may_compute = may_compute
        self._computed = self._thread_time()
        start_new_thread(self._keep_time, ())
        spawn(self._tick, pause)

    def stop(self) -> None:
        self._stopped = True

    def longest(self) -> float:
        """The longest time between two turns so far, in seconds."""
        computed = self._thread_time() - self._computed
        self._longest = max(self._longest, self._now - self._seen - computed)
        self._seen = self._now
        self._computed += computed
        return self._longest

    def _thread_time(self) -> float:
        return clock_gettime(CLOCK_THREAD_CPUTIME_ID) if self._may_compute else 0.0

    def _keep_time(self) -> None:
        while not self._stopped:
            started = monotonic()
            sleep(STEP)
            self._now += min(monotonic() - started, LONGEST)

    def _tick(self, pause) -> None:
        while not self._stopped:
            self.longest()
            pause(STEP)


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
