"""Nobody patched `select`: wait in the kernel."""

from __future__ import annotations

from typing import List, Optional

from .._pollers import Pair, Poller
from ._base import Hub


class NativeHub(Hub):
    name = "native"

    def wait(self, poller: Poller, timeout: Optional[float]) -> List[Pair]:
        try:
            if timeout == 0 or poller.notices_changes:
                return poller.poll(timeout)
            return poller.poll_noticing(timeout)
        except OSError:
            if poller.closed:  # by another thread, on our way into the kernel
                raise ValueError("Selector is closed") from None
            raise

    def describe(self) -> str:
        return "the kernel"
