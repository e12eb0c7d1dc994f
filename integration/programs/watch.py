"""Was the hub free to run, and was a selector or a primitive of ours asked?"""

from __future__ import annotations

from _thread import start_new_thread  # before any patch: a real thread, and a real sleep
from functools import wraps
from time import monotonic, sleep
from types import ModuleType

STEP = 0.005  # seconds, of each sleep
LONGEST = 0.05  # seconds, that a sleep takes where the machine is no more than busy


class Ticker:
    """For how long did the hub stand still?  A greenlet that sleeps in a loop shows it.

    The time between two of its turns is taken by a real thread that sleeps in a loop too.  When the
    machine is too busy for that thread as well, nobody has blocked, and the time does not count.
    """

    def __init__(self, spawn, pause) -> None:
        self._now = self._seen = self._longest = 0.0
        start_new_thread(self._keep_time, ())
        spawn(self._tick, pause)

    def longest(self) -> float:
        """The longest time between two turns so far, in seconds."""
        self._longest = max(self._longest, self._now - self._seen)
        self._seen = self._now
        return self._longest

    def _keep_time(self) -> None:
        while True:
            started = monotonic()
            sleep(STEP)
            self._now += min(monotonic() - started, LONGEST)

    def _tick(self, pause) -> None:
        while True:
            self.longest()
            pause(STEP)


def install(select: bool = False) -> list[str]:
    """Put coopselectors in place; the list grows with each `select` of a selector from now on.

    With `select` it grows with each wait of our `select` module instead.
    """
    import coopselectors

    if select:
        coopselectors.install(select=True)
        primitives = vars(coopselectors.select).values()
        modules = [each for each in primitives if isinstance(each, ModuleType)]
        return _count("wait", [each for each in modules if hasattr(each, "wait")])
    coopselectors.install()
    kinds = coopselectors.SelectSelector.__mro__
    return _count("select", [next(kind for kind in kinds if "select" in vars(kind))])


def _count(name: str, owners: list[object]) -> list[str]:
    """Count the calls of their function of that name: the list grows by each."""
    asked = []

    def counting(function):
        @wraps(function)
        def counted(*args, **kwargs):
            asked.append(name)
            return function(*args, **kwargs)

        return counted

    for owner in owners:
        setattr(owner, name, counting(getattr(owner, name)))
    return asked
