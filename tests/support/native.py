"""What does the platform itself offer, whoever patches `select` later?

conftest imports this before any patch, and after a stand-in has taken the platform's place.
"""

from __future__ import annotations

import select as _module

from .standins import real_epoll

__all__ = [
    "constants",
    "devpoll",
    "epoll",
    "find",
    "kevent",
    "kqueue",
    "poll",
    "real_epoll",
    "select",
]


#: Its names in capitals, with their values.
constants = {name: value for name, value in vars(_module).items() if name.isupper()}

_kept = dict(vars(_module))


def find(name: str):
    """A function or class of the unpatched module, None where the platform has no such thing."""
    return _kept.get(name)


select = find("select")
poll = find("poll")
epoll = find("epoll")
devpoll = find("devpoll")
kqueue = find("kqueue")
kevent = find("kevent")
