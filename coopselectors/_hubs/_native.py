"""Nobody patched `select`: wait in the kernel."""

from __future__ import annotations

from typing import List, Optional

from .._pollers import Pair, Poller
from ._base import Hub


class NativeHub(Hub):
    name = "native"

    def wait(self, poller: Poller, timeout: Optional[float]) -> List[Pair]:
        return poller.poll(timeout)
