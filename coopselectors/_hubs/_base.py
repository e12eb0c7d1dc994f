"""How do I wait in this runtime?  What each adapter supplies.

An adapter is the only place that knows how a runtime waits.  Each lives in a file of its own, with
its members in the order of its base class here, so that a diff of two shows only real differences.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Collection, List, Optional

from .._pollers import Pair, Waitable


class Hub(ABC):
    """A way to wait for a poller."""

    #: What `current_runtime` calls it.
    name: ClassVar[str]
    #: A variable of which each real thread has its own, whatever is patched.
    thread_local: ClassVar[Any] = None
    #: What the runtime has put off until its next turn, and would not get to in a sleep.
    owes_a_turn: ClassVar[Collection[Any]] = ()

    @abstractmethod
    def wait(
        self, poller: Waitable, timeout: Optional[float], deadline: Optional[float]
    ) -> List[Pair]:
        """Return what `poller` reports, after at most `timeout` seconds.

        None waits for ever, 0 not at all; it is never negative.  `deadline` is when that will be
        over, by ``time.monotonic()``; None if there is nothing to wait for, or no end.  Interrupted
        waits go on, and an empty answer is never early (PEP 475).
        """

    @abstractmethod
    def describe(self) -> str:
        """What does the waiting, in a few words; asking starts nothing."""
