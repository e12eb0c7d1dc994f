"""What becomes of our kernel objects in a forked child?

After fork(2), parent and child hold one and the same epoll: what the child unregisters is
unregistered for the parent too, and the events of either wake both.  kqueues are not inherited at
all, and a /dev/poll cannot be used by a child.  So everything here that owns a kernel object is
told in the child, before any other code of the child runs.  It may not do much then: many
children only want to ``exec``, and pay for every step.
"""

from __future__ import annotations

import os
from typing import Protocol, Set
from weakref import ReferenceType, ref


class Owner(Protocol):
    """Something that has to know when it finds itself in a child."""

    def forked(self) -> None:
        """This is the child: let go of what belongs to the parent."""


# A WeakSet would do, for three times the price; every selector pays it.
_owners: Set[ReferenceType[Owner]] = set()


def tell(owner: Owner) -> None:
    """Have `owner` told, for as long as it lives."""
    _owners.add(ref(owner, _owners.discard))


def _in_child() -> None:
    for reference in _owners.copy():
        owner = reference()
        if owner is not None:
            owner.forked()


# Windows has neither fork() nor this.
getattr(os, "register_at_fork", lambda **_: None)(after_in_child=_in_child)
