"""/dev/poll, poll(7d): Solaris and illumos."""

from __future__ import annotations

import math
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, List, Mapping, Optional

from .. import _unpatched
from ._base import IN, OUT, Pair, Poller
from ._poll import EXTRAS

_MASKS = (0, IN, OUT, IN | OUT)  # indexed by EVENT_READ | EVENT_WRITE


class DevpollPoller(Poller):
    name = "devpoll"
    notices_changes = False  # poll(7d) does not say
    extras = EXTRAS

    def __init__(self, keys: Mapping[int, Any], primitive: Any = None) -> None:
        super().__init__(keys)
        self._primitive = primitive or _unpatched.devpoll
        self._devpoll = self._primitive()

    def register(self, fd: int, events: int, extra: int = 0) -> None:
        self._devpoll.register(fd, _MASKS[events] | extra)

    def modify(self, fd: int, events: int, before: int, extra: int = 0) -> None:
        self._devpoll.modify(fd, _MASKS[events] | extra)

    def unregister(self, fd: int, before: int) -> None:
        try:
            self._devpoll.unregister(fd)
        except OSError:
            pass

    def poll(self, timeout: Optional[float]) -> List[Pair]:
        # DP_POLL counts in milliseconds; rounded up, so as never to be early.
        try:
            pairs: List[Pair] = self._devpoll.poll(timeout and math.ceil(timeout * 1e3))
        except OSError as error:
            raise self.closed_or(error) from None
        return pairs

    def events(self, mask: int) -> int:
        return (mask & ~IN and EVENT_WRITE) | (mask & ~OUT and EVENT_READ)

    def wait_fd(self) -> Optional[int]:
        return None  # polling a /dev/poll descriptor always gives POLLERR: poll(7d), NOTES

    def fileno(self) -> int:
        fd: int = self._devpoll.fileno()
        return fd

    def reopen(self) -> None:
        parents, self._devpoll = self._devpoll, self._primitive()
        parents.close()

    def _close(self) -> None:
        super()._close()
        self._devpoll.close()
