"""Which of our pollers watch another one of ours?

The kernel finds an epoll in an epoll by its open file, not by its number.  So the pollers that
watch another one must be told when its kernel object is replaced.  And they count where epolls are
nested too deep: five at most, the outer poller of a hub included (epoll_ctl(2), ELOOP).
"""

from __future__ import annotations

from typing import Any, Dict, List, Set
from weakref import ReferenceType, ref

# {descriptor of ours: the pollers that watch it, or did once}
_watchers: Dict[int, Set[ReferenceType[Any]]] = {}


def note(fd: int, poller: Any) -> None:
    """Note that `poller` watches `fd`, one of our own descriptors."""
    watchers = _watchers.setdefault(fd, set())
    watchers.add(ref(poller, watchers.discard))


def watchers_of(fd: int) -> List[Any]:
    """The pollers that may watch `fd`."""
    found = [each() for each in tuple(_watchers.get(fd, ()))]
    return [each for each in found if each is not None]


def with_all_above(poller: Any) -> List[Any]:
    """This poller, those that may watch it, those that may watch them, and so on."""
    found = [poller]
    for each in found:  # which grows meanwhile
        if not each.closed and each.backend.has_kernel_object:
            found += [one for one in watchers_of(each.backend.fileno()) if one not in found]
    return found


def refuse_outer_pollers(poller: Any) -> bool:
    """Have all outer pollers above let go, which add a level; returns whether there were any."""
    held = [each for each in with_all_above(poller) if each.waiters]
    for each in held:
        each.refuse()
    return bool(held)
