"""Nobody patched `select`: wait in the kernel."""

from __future__ import annotations

from typing import List, Optional

from .._pollers import Pair, Waitable
from ._base import Hub


class NativeHub(Hub):
    name = "native"

    def wait(
        self, poller: Waitable, timeout: Optional[float], deadline: Optional[float]
    ) -> List[Pair]:
        if timeout == 0 or poller.notices_changes:
            return poller.poll(timeout)
        return poller.poll_noticing(timeout)

    def describe(self) -> str:
        return "the kernel"
