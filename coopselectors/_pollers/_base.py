"""Who waits for a poller, and when does it end?

A poller asks one primitive of the operating system what is ready.  It either blocks in the kernel
or returns at once; it knows nothing of greenlets.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, NoReturn

from ._primitive import IN, OUT
from ._renewal import Renewable
from ._waitable import CLOSED, Pair

__all__ = ["IN", "OUT", "Pair", "Poller"]


class Poller(Renewable):
    """One kernel object, or one primitive that has none, and the files that it watches.

    `keys` is the selector's own ``{fd: SelectorKey}``; the selector writes a file into it before
    it calls `register` or `modify` and takes it out before it calls `unregister`, and a poller only
    reads it.  `primitive` is the function or type that does the work: the unpatched one, unless a
    foreign one has to be honoured.
    """

    def __init__(self, keys: Mapping[int, Any], primitive: Any = None) -> None:
        super().__init__()
        self.keys = keys

    def _close(self) -> None:
        self._uncover()
        vars(self).update(_CLOSED_CALLS)
        super()._close()


def _closed(*args: Any, **kwargs: Any) -> NoReturn:
    raise ValueError(CLOSED)


_CLOSED_CALLS: Dict[str, Any] = dict.fromkeys(("register", "modify", "poll", "wait_fd"), _closed)
