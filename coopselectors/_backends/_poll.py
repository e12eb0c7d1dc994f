"""poll(2): every POSIX platform."""

from __future__ import annotations

import math
import sys
from typing import Any, List, Mapping, Optional

from .. import _unpatched
from ._base import Backend, Pair, validate_with
from ._masks import IN, MASKS, OUT

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
    wakes_on_close = True  # nothing can wake such a thread, so none is left out
    made_is_proof = False
    extras = EXTRAS

    def __init__(self, native: Any = None, is_ours: bool = True) -> None:
        self.native = _unpatched.poll() if native is None else native

    def register(self, fd: int, events: int, extra: int = 0) -> None:
        self.native.register(fd, MASKS[events] | extra if extra else MASKS[events])

    def modify(self, fd: int, events: int, before: int, extra: int = 0) -> None:
        self.native.modify(fd, MASKS[events] | extra if extra else MASKS[events])

    def unregister(self, fd: int, before: int) -> None:
        self.native.unregister(fd)

    def poll(self, timeout: Optional[float]) -> List[Pair]:
        # poll(2) counts in milliseconds; rounded up, so as never to be early.
        pairs: List[Pair] = self.native.poll(timeout and math.ceil(timeout * 1e3))
        return pairs

    def validate_timeout(self, argument: Any) -> None:
        validate_with(_unpatched.poll(), argument)
