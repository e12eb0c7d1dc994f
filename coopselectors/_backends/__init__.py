"""What does one primitive of the operating system do?  One file each."""

from ._base import Backend, Pair
from ._devpoll import DevpollBackend
from ._epoll import EpollBackend
from ._kqueue import KqueueBackend
from ._masks import BOTH, IN, OUT, PRI
from ._poll import PollBackend
from ._select import SelectBackend

#: All of them, whatever this platform has.
BACKENDS = (EpollBackend, KqueueBackend, DevpollBackend, PollBackend, SelectBackend)

__all__ = [
    "BACKENDS",
    "BOTH",
    "IN",
    "OUT",
    "PRI",
    "Backend",
    "DevpollBackend",
    "EpollBackend",
    "KqueueBackend",
    "Pair",
    "PollBackend",
    "SelectBackend",
]
