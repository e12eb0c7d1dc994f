"""How does one wait in this runtime?  What each adapter supplies.

An adapter is the only place that knows how a runtime waits.  Each has a file of its own, with its
members in the order of its base class, so that a diff of two shows only real differences.
"""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from contextlib import closing
from typing import Any, Callable, ClassVar, Collection, Iterable, List, Optional, Protocol

from .. import _unpatched
from .._backends import IN, Pair


def can_nest(fds: Iterable[int]) -> bool:
    """Whether the loop of a hub can watch these descriptors.

    It cannot watch an epoll in which others are nested as deep as the kernel allows: libev and
    libuv abort the process then.
    """
    if _unpatched.epoll is None:
        return True
    try:
        trial = _unpatched.epoll()
    except OSError:
        return False  # no descriptor is left to find out
    with closing(trial):
        for fd in list(fds):
            try:
                if fd != trial.fileno():  # the number of a file that was closed a moment ago
                    trial.register(fd, IN)
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.EINVAL):
                    return False
    return True


class Source(Protocol):
    """What a wait collects from: a poller, or an object that asks a poller for one caller."""

    def poll(self, timeout: Optional[float]) -> List[Any]: ...

    def give_back(self, pairs: List[Any]) -> List[Any]: ...


class Hub(ABC):
    """A way to wait for a poller."""

    #: What `current_runtime` calls it.
    name: ClassVar[str]
    #: A variable of which each real thread has its own, whatever is patched.
    thread_local: ClassVar[Any] = None
    #: Callbacks that run only when the loop turns, and so would not run during a sleep.
    needs_a_turn: Collection[Any]

    def __init__(self) -> None:
        self.needs_a_turn = ()

    @abstractmethod
    def wait(
        self,
        poller: Any,
        timeout: Optional[float],
        deadline: Optional[float],
        source: Optional[Source] = None,
    ) -> List[Pair]:
        """Return what `poller` reports, after at most `timeout` seconds.

        None waits forever, 0 not at all; `timeout` is never negative.  `deadline` is the end of the
        wait by ``clock.monotonic()``; None if the wait has no end, or there is no wait.
        Interrupted waits go on, and an empty result is never early (PEP 475).  If `source` is
        given, it is asked for ready files instead of `poller`.
        """

    #: What waits, in a few words; asked of whatever `hub_for` returns.  Asking starts nothing.
    describe: Callable[[], str]
