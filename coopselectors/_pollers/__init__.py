"""What does the kernel say is ready?  One file per primitive of the operating system."""

from ._base import Pair, Poller
from ._companion import open_pollable
from ._devpoll import DevpollPoller
from ._doorbell import doorbell
from ._epoll import EpollPoller
from ._kqueue import KqueuePoller
from ._poll import PollPoller
from ._select import SelectPoller

__all__ = [
    "DevpollPoller",
    "EpollPoller",
    "KqueuePoller",
    "Pair",
    "PollPoller",
    "Poller",
    "SelectPoller",
    "doorbell",
    "open_pollable",
]
