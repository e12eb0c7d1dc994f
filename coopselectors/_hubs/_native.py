"""How does one wait if nobody patched `select`?  In the kernel."""

from __future__ import annotations

from typing import Any, List, Optional

from .._backends import Pair
from ._base import Hub, Source


class NativeHub(Hub):
    name = "native"

    def wait(
        self,
        poller: Any,
        timeout: Optional[float],
        deadline: Optional[float],
        source: Optional[Source] = None,
    ) -> List[Pair]:
        pairs: List[Pair] = (
            poller.poll_noticing(timeout) if source is None else source.poll(timeout)
        )
        return pairs

    def describe(self) -> str:
        return "the kernel"
