"""/dev/poll, poll(7d): Solaris and illumos."""

from __future__ import annotations

import math
from typing import Any, List, Mapping, Optional, Tuple

from .. import _owned, _unpatched
from .._unpatched import system
from ._base import Backend, Pair, validate_with
from ._masks import MASKS
from ._poll import EXTRAS


def _identity_of(fd: int) -> Tuple[int, int, int]:
    """What distinguishes an open file of /dev/poll from other files."""
    found = system.fstat(fd)
    return found.st_dev, found.st_ino, found.st_rdev


class DevpollBackend(Backend):
    name = "devpoll"
    others: Mapping[Any, Any] = {}
    pollable = False  # polling a /dev/poll descriptor always gives POLLERR: poll(7d), NOTES
    notices_changes = False  # poll(7d) does not say
    wakes_on_close = False
    extras = EXTRAS

    def __init__(self, native: Any = None, is_ours: bool = True) -> None:
        self.native = _unpatched.devpoll() if native is None else native
        self._fd, self._owner = -1, object()
        if is_ours:
            self._claim()

    def _claim(self) -> None:
        fd = self.native.fileno()
        self._fd, self._identity = fd, _identity_of(fd)
        _owned.claim(fd, self._owner)

    def register(self, fd: int, events: int, extra: int = 0) -> None:
        self._call("register", fd, MASKS[events] | extra)

    def modify(self, fd: int, events: int, before: int, extra: int = 0) -> None:
        self._call("modify", fd, MASKS[events] | extra)

    def unregister(self, fd: int, before: int) -> None:
        self._call("unregister", fd)

    def poll(self, timeout: Optional[float]) -> List[Pair]:
        # DP_POLL counts in milliseconds; rounded up, so as never to be early.
        pairs: List[Pair] = self._call("poll", timeout and math.ceil(timeout * 1e3))
        return pairs

    def _call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the native object, and of its successor if `replace` has closed it."""
        while True:
            native = self.native
            try:
                return getattr(native, method)(*arguments)
            except (OSError, ValueError):
                if native is self.native:
                    raise

    def fileno(self) -> int:
        fd: int = self.native.fileno()
        return fd

    def close(self) -> None:
        if self._release():
            self.native.close()
        else:
            _owned.abandon(self.native)

    def _release(self) -> bool:
        """Forget that we own the descriptor; returns whether it is still ours to close."""
        is_ours = self.is_ours()
        return _owned.release(self._fd, self._owner) and is_ours

    def is_ours(self) -> bool:
        # Each open file of /dev/poll has a device number of its own (dpopen() in devpoll.c).
        return self._fd < 0 or (
            _owned.is_owner(self._fd, self._owner) and _identity_of(self._fd) == self._identity
        )

    def replace(self, fresh: DevpollBackend) -> None:
        # A child may not use its parent's, whatever the number says.
        old, is_still_ours = self.native, self._release()
        self.native = fresh.native
        self._claim()
        # Closed only now: other threads may be in any call of it, see `_call`.
        if is_still_ours:
            old.close()
        else:
            _owned.abandon(old)

    def validate_timeout(self, argument: Any) -> None:
        validate_with(_unpatched.devpoll(), argument)
