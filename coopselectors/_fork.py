"""Which process is this, and who must act in a forked child?

After fork(2), parent and child share one epoll.  If the child unregisters a file, it is
unregistered for the parent too, and events wake both.  kqueues are not inherited at all, and a
child cannot use a /dev/poll.

So every owner of a kernel object remembers the `generation` in which it made the object, and
compares it with the current one before using the object.  Only the few objects that a hub uses by
itself are told of a fork (`tell`).

CPython clears the thread-local variables of threads that the child does not have before it calls
any hook.  So a finalizer may run while nobody knows yet that this is a child; `lock` finds out.
"""

from __future__ import annotations

import os
import sys
from typing import List, Protocol, Set
from weakref import ReferenceType, ref

from ._lock import Lock
from ._unpatched import system

#: A different object in each process; compared by identity.
generation: object = object()
#: The same; but while the process forks, an object that is no poller's state.  The program's own
#: hooks may run in the child before ours.  Whoever finds another object than its own here asks
#: `notice` or `lock`.
settled_generation: object = generation
#: The state of a poller of this process that is to be replaced (see _poller); it is not current in
#: a child either.
stale: object = object()

# One entry per thread that is in a fork.
_forking: List[None] = []

_pid: int = system.getpid()
_lock = Lock()


class Owner(Protocol):
    """An object that must act in a child before any other code runs there."""

    def forked(self) -> None:
        """Drop what belongs to the parent.  Must be quick: many children only ``exec``."""


# A WeakSet would do, at three times the cost.
_owners: Set[ReferenceType[Owner]] = set()


def tell(owner: Owner) -> None:
    """Call ``owner.forked()`` in every forked child; holds a weak reference."""
    _owners.add(ref(owner, _owners.discard))


def lock() -> Lock:
    """The one lock of this package.

    A child gets a new one, because a thread that the child does not have may have held the other.
    """
    if system.getpid() != _pid:
        notice()
    return _lock


def is_current(state: object) -> bool:
    """Whether a kernel object of this state was made by this process."""
    return state is generation or state is stale


def notice() -> None:
    """Start a new generation if this is a child that has not done so yet."""
    global generation, settled_generation, stale, _pid, _lock
    pid = system.getpid()
    if pid == _pid:
        return
    _pid = pid
    _lock = Lock()
    _forking.clear()
    generation = settled_generation = object()
    stale = object()
    for reference in _owners.copy():
        owner = reference()
        if owner is not None:
            try:
                owner.forked()
            except BaseException as error:  # the other owners must be told all the same
                sys.excepthook(type(error), error, error.__traceback__)


def _begin() -> None:
    global settled_generation
    _forking.append(None)
    settled_generation = object()


def _end() -> None:
    global settled_generation
    del _forking[-1:]  # none if a hook has asked `notice` meanwhile
    settled_generation = generation
    if _forking:  # asked for after the line above, since another thread may have begun before it
        settled_generation = object()


# Windows has neither fork() nor this function.
getattr(os, "register_at_fork", lambda **_: None)(
    before=_begin, after_in_parent=_end, after_in_child=notice
)
