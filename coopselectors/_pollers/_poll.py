"""poll(2): every POSIX platform."""

from __future__ import annotations

import math
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, List, Mapping, Optional

from .. import _unpatched
from ._base import IN, OUT, Pair
from ._companion import CompanionPoller
from ._renewal import extra_of

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

#: {number: name}, as <poll.h> has them here; some are but other names for IN or OUT somewhere.
EXTRAS = {
    number: name
    for name in _NAMES
    for number in [_unpatched.number(name)]
    if number and not number & (IN | OUT)
}


class PollPoller(CompanionPoller):
    name = "poll"
    extras = EXTRAS

    def __init__(self, keys: Mapping[int, Any], primitive: Any = None) -> None:
        super().__init__(keys)
        self._primitive = primitive or _unpatched.poll
        self._poll = self._primitive()

    def register(self, fd: int, events: int, extra: int = 0) -> None:
        self._poll.register(fd, _MASKS[events] | extra)
        super().register(fd, events, extra)

    def modify(self, fd: int, events: int, before: int, extra: int = 0) -> None:
        self._poll.modify(fd, _MASKS[events] | extra)
        super().modify(fd, events, before, extra)

    def unregister(self, fd: int, before: int) -> None:
        self._poll.unregister(fd)
        super().unregister(fd, before)

    def poll(self, timeout: Optional[float]) -> List[Pair]:
        # poll() counts in milliseconds; rounded up, so as never to be early.
        milliseconds = timeout and math.ceil(timeout * 1e3)
        pairs: List[Pair]
        try:
            pairs = self._poll.poll(milliseconds)
        except RuntimeError:  # another thread is in there: such an object serves one at a time
            another = self._primitive()
            for fd, key in list(self.keys.items()):
                another.register(fd, _MASKS[key.events] | extra_of(key))
            pairs = another.poll(milliseconds)
        return pairs

    def events(self, mask: int) -> int:
        return (mask & ~IN and EVENT_WRITE) | (mask & ~OUT and EVENT_READ)
