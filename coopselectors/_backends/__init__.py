"""What does one primitive of the operating system do?  One file each."""

from ._base import IN, OUT, Backend, Pair
from ._devpoll import DevpollBackend
from ._epoll import EpollBackend
from ._kqueue import KqueueBackend
from ._poll import PollBackend
from ._select import SelectBackend

#: All of them, whatever this platform has.
BACKENDS = (EpollBackend, KqueueBackend, DevpollBackend, PollBackend, SelectBackend)

__all__ = [
    "BACKENDS",
    "IN",
    "OUT",
    "Backend",
    "DevpollBackend",
    "EpollBackend",
    "KqueueBackend",
    "Pair",
    "PollBackend",
    "SelectBackend",
]
