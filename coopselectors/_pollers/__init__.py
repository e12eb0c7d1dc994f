"""What does the kernel say is ready?  One file per primitive of the operating system."""

from ._base import IN, OUT, Pair, Poller
from ._companion import CompanionPoller, open_pollable
from ._devpoll import DevpollPoller
from ._doorbell import doorbell
from ._epoll import EpollPoller
from ._kqueue import KqueuePoller
from ._poll import PollPoller
from ._renewal import extra_of
from ._select import SelectPoller
from ._waitable import Waitable

#: All of them, whatever this platform has.
POLLERS = (EpollPoller, KqueuePoller, DevpollPoller, PollPoller, SelectPoller)

__all__ = [
    "IN",
    "OUT",
    "POLLERS",
    "CompanionPoller",
    "DevpollPoller",
    "EpollPoller",
    "KqueuePoller",
    "Pair",
    "PollPoller",
    "Poller",
    "SelectPoller",
    "Waitable",
    "doorbell",
    "extra_of",
    "open_pollable",
]
