"""Which files does one call of `select` wait for, when each call names them anew?"""

from __future__ import annotations

from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, Dict, List, Optional

from .. import _unpatched
from .._backends import IN, OUT, PRI, Pair, PollBackend
from .._backends._masks import ERR, HUP, NVAL
from .._pollers._files_poller import FilesPoller
from ._poll import Watched, watched

# The events of poll(2) that make select(2) report a file in each list (select(2), "Correspondence
# between select() and poll() notifications").
READABLE = IN | HUP | ERR
WRITABLE = OUT | ERR

# How many files may stay registered for the next call.
_MANY = 256


class _PollBySelect:
    """As much of poll(2) as is needed here, for platforms without it (Windows)."""

    def __init__(self) -> None:
        self._masks: Dict[int, int] = {}

    def register(self, fd: int, mask: int) -> None:
        self._masks[fd] = mask

    def unregister(self, fd: int) -> None:
        del self._masks[fd]

    def poll(self, milliseconds: Any) -> List[Pair]:
        wanted = [[fd for fd, mask in self._masks.items() if mask & bit] for bit in (IN, OUT, PRI)]
        seconds = None if milliseconds is None else milliseconds / 1e3
        found: Dict[int, int] = {}
        for fds, bit in zip(_unpatched.select(*wanted, seconds), (IN, OUT, PRI)):
            for fd in fds:
                found[fd] = found.get(fd, 0) | bit
        return list(found.items())


class _SelectByPoll(PollBackend):
    """select(2) by means of poll(2), which accepts any descriptor."""

    def __init__(self) -> None:
        super().__init__((_unpatched.poll or _PollBySelect)())
        #: {fd: what it is watched for}
        self.keys: Dict[int, Watched] = {}

    def poll(self, timeout: Optional[float]) -> List[Pair]:
        pairs = super().poll(timeout)
        return pairs and [pair for pair in pairs if self._counts(*pair)]

    def _counts(self, fd: int, mask: int) -> bool:
        """Whether select(2) would report this: it does not report a hang-up to a writer."""
        events, extra = self.keys[fd]
        return bool(
            mask & (extra | NVAL)
            or (events & EVENT_READ and mask & READABLE)
            or (events & EVENT_WRITE and mask & WRITABLE)
        )


class Files:
    """The files of one call after the other.

    They stay registered for the thread's next call, which most often names the same files.
    """

    def __init__(self) -> None:
        backend = _SelectByPoll()
        self._native = backend.native
        self._keys = backend.keys
        self.poller = FilesPoller(backend, backend.keys)
        self.poller.looks_up = False  # `fill` does
        self.close = self.poller.close

    def fill(self, masks: Dict[int, int]) -> None:
        """Watch these files, and no others."""
        keys, poller = self._keys, self.poller
        if keys:
            for fd in keys.keys() - masks.keys():
                self._native.unregister(fd)
                poller.note(fd, None, keys.pop(fd))
        for fd, mask in masks.items():
            now, before = watched(mask), keys.get(fd)
            if now is not before:
                self._native.register(fd, mask)
                keys[fd] = now
            shadow = poller.shadow
            if shadow is not None and shadow.rewatch(fd, now, before):
                continue
            if now is not before or shadow is not None:
                poller.note(fd, now, before)

    def poll(self) -> List[Pair]:
        """What is ready now."""
        return self.poller.poll(0)

    @property
    def can_be_used_again(self) -> bool:
        """Whether this is worth keeping for the next call."""
        return not self.poller.refused and len(self._keys) <= _MANY
