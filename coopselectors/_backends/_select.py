"""select(2): everywhere, for descriptors below FD_SETSIZE."""

from __future__ import annotations

from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, List, Mapping, Optional, Set

from .. import _unpatched
from .._wakeup import wakeup_fd
from ._base import Backend, Pair


def pairs_of(readable: Any, writable: Any, *_: Any) -> List[Pair]:
    """Turn what a `select` function returns into pairs."""
    ready = dict.fromkeys(readable, EVENT_READ)
    for fd in writable:
        ready[fd] = ready.get(fd, 0) | EVENT_WRITE
    return list(ready.items())


class SelectBackend(Backend):
    name = "select"
    others: Mapping[Any, Any] = {}
    has_kernel_object = False
    pollable = False
    notices_changes = False
    wakes_on_close = True  # nothing can wake such a thread, so none is left out
    made_is_proof = False

    def __init__(self, native: Any = None, is_ours: bool = True) -> None:
        self.native = _unpatched.select if native is None else native
        self._readers: Set[int] = set()
        self._writers: Set[int] = set()

    def register(self, fd: int, events: int, extra: int = 0) -> None:
        if events & EVENT_READ:
            self._readers.add(fd)
        if events & EVENT_WRITE:
            self._writers.add(fd)

    def modify(self, fd: int, events: int, before: int, extra: int = 0) -> None:
        (self._readers.add if events & EVENT_READ else self._readers.discard)(fd)
        (self._writers.add if events & EVENT_WRITE else self._writers.discard)(fd)

    def unregister(self, fd: int, before: int) -> None:
        self._readers.discard(fd)
        self._writers.discard(fd)

    def poll(self, timeout: Optional[float]) -> List[Pair]:
        return pairs_of(*self.native(self._readers, self._writers, (), timeout))

    def is_at_once(self, timeout: Any) -> bool:
        return bool(timeout < 0)

    def timeout(self, timeout: Any) -> Any:
        return timeout

    def validate_timeout(self, argument: Any) -> None:
        self.native([wakeup_fd()], (), (), argument)

    def events(self, mask: int) -> int:
        return mask
