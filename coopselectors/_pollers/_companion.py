"""How does one wait for a primitive that has no descriptor?

poll(2) and select(2) take the whole list of files at every call: there is no kernel object that a
hub could watch.  So under a hub such a poller keeps a companion, a poller that has one (kqueue,
epoll), filled with the same files.  The companion does the waiting, and the primitive itself still
gives the answer.  It is made at the first wait: an ordinary process never pays for it.
"""

from __future__ import annotations

import errno
from typing import Any, Mapping, Optional, Type

from .. import _originals
from ._base import Poller
from ._epoll import EpollPoller
from ._kqueue import KqueuePoller

_POLLABLE: tuple[Type[Poller], ...] = (KqueuePoller, EpollPoller)


def open_pollable(keys: Mapping[int, Any]) -> Optional[Poller]:
    """A poller that has a descriptor to wait on, or None where this platform has no such thing."""
    for kind in _POLLABLE:
        if getattr(_originals, kind.name) is not None:
            return kind(keys)
    return None


class CompanionPoller(Poller):
    """What `select` and `poll` share; see the top of this file."""

    _companion: Optional[Poller] = None

    def register(self, fd: int, events: int) -> None:
        if self._companion is not None:
            self._accompany(fd, events)

    def modify(self, fd: int, events: int, before: int) -> None:
        if self._companion is not None:
            self._companion.unregister(fd, before)
            self._accompany(fd, events)

    def unregister(self, fd: int, before: int) -> None:
        if self._companion is not None:
            self._companion.unregister(fd, before)

    def wait_fd(self) -> Optional[int]:
        if self._companion is None and not self.refused:
            # It is in its place before it is filled: another thread that registers a file
            # meanwhile finds either it or the file's key here.
            self._companion = open_pollable(self.keys)
            for fd, key in list(self.keys.items()):
                self._accompany(fd, key.events)
        return None if self._companion is None else self._companion.wait_fd()

    def woken_in_vain(self) -> None:
        # The primitive itself never reports a stranger, but the companion can be woken by one.
        if getattr(self._companion, "may_have_orphans", False):
            self._leave_nests()
            self._dismiss()

    def withdraw(self) -> None:
        super().withdraw()
        self._dismiss()

    def close(self) -> None:
        super().close()
        self._dismiss()

    def forked(self) -> None:
        self.seats.clear()
        self._dismiss()

    def _accompany(self, fd: int, events: int) -> None:
        companion = self._companion
        if companion is None:
            return
        try:
            companion.register(fd, events)
        except FileExistsError:
            pass  # another thread was faster
        except OSError as error:
            # Regular files are always ready for select and poll, and closed ones make them answer
            # at once: nobody will wait while such a file is registered.
            if error.errno not in (errno.EPERM, errno.EBADF):
                self.withdraw()

    def _dismiss(self) -> None:
        companion, self._companion = self._companion, None
        if companion is not None:
            companion.close()
