"""poll(2): every POSIX platform."""

from __future__ import annotations

import math
import sys
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, List, Mapping, Optional

from .. import _unpatched
from ._base import IN, OUT, Backend, Pair
from ._epoll import validate_with

_MASKS = (0, IN, OUT, IN | OUT)  # indexed by EVENT_READ | EVENT_WRITE

_NAMES = (
    "POLLPRI",
    "POLLERR",
    "POLLHUP",
    "POLLRDHUP",
    "POLLRDNORM",
    "POLLRDBAND",
    "POLLWRNORM",
    "POLLWRBAND",
    "POLLMSG",
)

# <asm-generic/poll.h>; PyPy does not name it.
_LINUX = {"POLLRDHUP": 0x2000} if sys.platform == "linux" else {}

#: {number: name}, as in this platform's <poll.h>; on some, these are other names for IN or OUT.
EXTRAS = {
    number: name
    for name in _NAMES
    for number in [_unpatched.number(name) or _LINUX.get(name, 0)]
    if number and not number & (IN | OUT)
}


class PollBackend(Backend):
    name = "poll"
    others: Mapping[Any, Any] = {}
    has_kernel_object = False
    pollable = False
    notices_changes = False
    wakes_on_close = True  # as nothing wakes a thread there
    made_is_proof = False
    extras = EXTRAS

    def __init__(self, native: Any = None, is_ours: bool = True) -> None:
        self.native = _unpatched.poll() if native is None else native

    def register(self, fd: int, events: int, extra: int = 0) -> None:
        self.native.register(fd, _MASKS[events] | extra)

    def modify(self, fd: int, events: int, before: int, extra: int = 0) -> None:
        self.native.modify(fd, _MASKS[events] | extra)

    def unregister(self, fd: int, before: int) -> None:
        self.native.unregister(fd)

    def poll(self, timeout: Optional[float]) -> List[Pair]:
        # poll(2) counts in milliseconds; rounded up, so as never to be early.
        pairs: List[Pair] = self.native.poll(timeout and math.ceil(timeout * 1e3))
        return pairs

    def validate_timeout(self, argument: Any) -> None:
        validate_with(_unpatched.poll(), argument)

    def events(self, mask: int) -> int:
        return (mask & ~IN and EVENT_WRITE) | (mask & ~OUT and EVENT_READ)
