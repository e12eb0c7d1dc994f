"""Which runtime owns `select` right now?

Only this question is answered here.  It is asked again at every call, of the ``select`` module as
it is at that moment, and it is answered by who *patched*: gevent and eventlet are recognised by
the functions that they put there, and never imported.
"""

from __future__ import annotations

import select
from typing import Any

from . import _unpatched

NATIVE = "native"
GEVENT = "gevent"
EVENTLET = "eventlet"
FOREIGN = "foreign"

#: The runtimes that a selector can be pinned to.
PINNABLE = (NATIVE, GEVENT, EVENTLET)

#: What ``select`` offers by a name at this moment, None if nothing.  Patchers write into this very
#: dictionary, and for what is called at each select a function would be too slow.
offered = vars(select).get

#: Where our own primitives come from.
OURS = f"{__package__}.select"

_PATCHERS = {"gevent.select": GEVENT, "eventlet.green.select": EVENTLET}


def owner(primitive: object) -> str:
    """The runtime to which `primitive`, something out of the ``select`` module, belongs."""
    if _unpatched.is_builtin(primitive):
        return NATIVE
    home = getattr(primitive, "__module__", None) or ""
    if home == OURS:  # `install` has put it there, in the place of another
        covered = covered_by(primitive)
        return NATIVE if covered is None else owner(covered)
    return _PATCHERS.get(home, FOREIGN)


def covered_by(primitive: object) -> Any:
    """What `install` has put `primitive`, one of ours, in the place of, or None."""
    ours = getattr(primitive, "__wrapped__", primitive)  # functools.wraps() gives it our name
    return getattr(getattr(ours, "__self__", None), "covers", None)


def current_runtime() -> str:
    """Say which runtime owns ``select.select`` right now.

    Returns ``"native"`` (nobody patched it), ``"gevent"``, ``"eventlet"``, or ``"foreign"`` for a
    function that belongs to neither.  Asking imports nothing and changes nothing.
    """
    return owner(offered("select"))
