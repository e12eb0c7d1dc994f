"""Which process is this, and who must act in a forked child?

After fork(2), parent and child hold one and the same epoll: what the child unregisters is
unregistered for the parent too, and the events of either wake both.  kqueues are not inherited at
all, and a child cannot use a /dev/poll.

So everything that owns a kernel object remembers the `generation` in which it was made, and
compares it with the present one before it uses that object.  Only the few objects that a hub uses
without being called are told of a fork (`tell`).

CPython clears the thread-local variables of threads that are not in the child before it calls any
hook.  A finalizer may therefore run while nobody knows yet that this is a child; `lock` finds out.
"""

from __future__ import annotations

import _frozen_importlib
import os
import sys
from typing import Any, Protocol, Set
from weakref import ReferenceType, ref

from ._unpatched import system

#: Another object in each process; compared by identity.
generation: object = object()

_pid: int = system.getpid()
_lock: Any = _frozen_importlib._ImportLockContext()  # type: ignore[attr-defined]


class Owner(Protocol):
    """An object that has to act in a child before any other code runs there."""

    def forked(self) -> None:
        """Let go of what belongs to the parent.  Must be quick: many children only ``exec``."""


# A WeakSet would do, at three times the price.
_owners: Set[ReferenceType[Owner]] = set()


def tell(owner: Owner) -> None:
    """Call ``owner.forked()`` in every forked child; holds a weak reference."""
    _owners.add(ref(owner, _owners.discard))


def lock() -> Any:
    """The one lock of this package; nothing switches, blocks or imports while it is held.

    It is the interpreter's import lock: real under any patch, where eventlet makes every RLock that
    it finds a green one; re-entrant, as finalizers and signal handlers need it; and held by fork()
    itself, so that no child finds work half done by a thread that is not there.
    """
    if system.getpid() != _pid:
        notice()
    return _lock


def notice() -> None:
    """Start a new generation if this is a child that has not done so yet."""
    global generation, _pid
    pid = system.getpid()
    if pid == _pid:
        return
    _pid = pid
    generation = object()
    for reference in _owners.copy():
        owner = reference()
        if owner is not None:
            try:
                owner.forked()
            except BaseException:  # one that fails must not keep the others from being told
                sys.excepthook(*sys.exc_info())


# Windows has neither fork() nor this.
getattr(os, "register_at_fork", lambda **_: None)(after_in_child=notice)
