"""What is there to wait for in a call of `select`, whose files are given anew each time?"""

from __future__ import annotations

from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, Dict, List, Optional

from .. import _fork, _unpatched
from .._pollers import IN, OUT, CompanionPoller, Pair, PollPoller
from ._poll import PRI, Watched, watched

_ERR = 0x008
_HUP = 0x010
#: What poll(2) says of a file that is closed.
NVAL = 0x020

# What select(2) reports in each of its three lists, by what poll(2) says ("Correspondence between
# select() and poll() notifications").
READABLE = IN | _HUP | _ERR
WRITABLE = OUT | _ERR

# How many files may be left in it for the next call.
_MANY = 256


class _PollBySelect:
    """As much of poll(2) as is needed here, where there is none (Windows)."""

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


class Files(PollPoller):
    """The files of one call after the other: poll(2) answers, which takes any number.

    They stay where they are for the thread's next call, which is most often for the same.
    """

    keys: Dict[int, Watched]

    def __init__(self) -> None:
        super().__init__({}, _unpatched.poll or _PollBySelect)
        _fork.tell(self)

    def fill(self, masks: Dict[int, int]) -> None:
        """Watch these files, and no others."""
        for fd in self.keys.keys() - masks.keys():
            self._poll.unregister(fd)
            CompanionPoller.unregister(self, fd, self.keys.pop(fd).events)
        keys, companion = self.keys, self._companion
        for fd, mask in masks.items():
            key, before = watched(mask), keys.get(fd)
            if key is not before:
                self._poll.register(fd, mask)
                keys[fd] = key
                self.has_extras = self.has_extras or bool(key.extra_events)
            if companion is None:
                continue
            is_plain = fd not in self._always_ready and fd not in self._told_once
            if before is not None and is_plain and not key.extra_events:
                # Whether the number still means the same file, the kernel alone knows.
                try:
                    companion.modify(fd, key.events, before.events)
                    continue
                except (OSError, ValueError):
                    pass
            elif before is not None:
                CompanionPoller.unregister(self, fd, before.events)
            CompanionPoller.register(self, fd, *key)

    @property
    def can_be_used_again(self) -> bool:
        """Whether the next call may well be given this."""
        return not self.refused and len(self.keys) <= _MANY

    def must_not_sleep(self) -> bool:
        return False  # `fill` has just seen to it

    def prepare_to_sleep(self, again: bool = False) -> None:
        """Nothing is left to do: `fill` has just looked all numbers up."""

    def poll(self, timeout: Optional[float]) -> List[Pair]:
        pairs = super().poll(timeout)
        return pairs and [pair for pair in pairs if self._counts(*pair)]

    def _counts(self, fd: int, mask: int) -> bool:
        """Whether select(2) reports that: to who wants to write, a hang-up is nothing."""
        events, extra = self.keys[fd]
        return bool(
            mask & (extra | NVAL)
            or (events & EVENT_READ and mask & READABLE)
            or (events & EVENT_WRITE and mask & WRITABLE)
        )
