"""select(2): everywhere, for descriptors below FD_SETSIZE."""

from __future__ import annotations

from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, List, Mapping, Optional

from .. import _unpatched
from ._base import Pair
from ._companion import CompanionPoller


class SelectPoller(CompanionPoller):
    name = "select"

    def __init__(self, keys: Mapping[int, Any], primitive: Any = None) -> None:
        super().__init__(keys)
        self._select = primitive or _unpatched.select
        self._readers: set[int] = set()
        self._writers: set[int] = set()

    def register(self, fd: int, events: int, extra: int = 0) -> None:
        if events & EVENT_READ:
            self._readers.add(fd)
        if events & EVENT_WRITE:
            self._writers.add(fd)
        super().register(fd, events)

    def modify(self, fd: int, events: int, before: int, extra: int = 0) -> None:
        (self._readers.add if events & EVENT_READ else self._readers.discard)(fd)
        (self._writers.add if events & EVENT_WRITE else self._writers.discard)(fd)
        super().modify(fd, events, before)

    def unregister(self, fd: int, before: int) -> None:
        self._readers.discard(fd)
        self._writers.discard(fd)
        super().unregister(fd, before)

    def poll(self, timeout: Optional[float]) -> List[Pair]:
        readable, writable, _ = self._select(self._readers, self._writers, (), timeout)
        ready = dict.fromkeys(readable, EVENT_READ)
        for fd in writable:
            ready[fd] = ready.get(fd, 0) | EVENT_WRITE
        return list(ready.items())

    def events(self, mask: int) -> int:
        return mask
