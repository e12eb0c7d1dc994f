"""How do I wait in this runtime?  What each adapter supplies.

An adapter is the only place that knows how a runtime waits.  Each lives in a file of its own, with
its members in the order of its base class here, so that a diff of two shows only real differences.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, List, Optional

from .._pollers import Pair, Poller


class Hub(ABC):
    """A way to wait for a poller."""

    #: What `current_runtime` calls it.
    name: ClassVar[str]

    @abstractmethod
    def wait(self, poller: Poller, timeout: Optional[float]) -> List[Pair]:
        """Return what `poller` reports, after at most `timeout` seconds.

        None waits for ever, 0 not at all; it is never negative.  Interrupted waits go on, and an
        empty answer is never early (PEP 475).
        """

    @abstractmethod
    def describe(self) -> str:
        """What does the waiting, in a few words; asking starts nothing."""
