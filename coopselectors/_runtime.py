"""Which runtime owns `select` right now?

Only this question is answered here.  It is asked again at every call, of the ``select`` module as
it is at that moment, and it is answered by who *patched*: gevent and eventlet are recognised by
the functions that they put there, and never imported.
"""

from __future__ import annotations

import select

from . import _originals

NATIVE = "native"
GEVENT = "gevent"
EVENTLET = "eventlet"
FOREIGN = "foreign"

#: The runtimes that a selector can be pinned to.
PINNABLE = (NATIVE, GEVENT, EVENTLET)

#: What ``select`` offers at this moment: patchers write into this very dictionary.
offered = vars(select)

_PATCHERS = {"gevent.select": GEVENT, "eventlet.green.select": EVENTLET}


def owner(primitive: object) -> str:
    """The runtime to which `primitive`, something out of the ``select`` module, belongs."""
    if _originals.is_builtin(primitive):
        return NATIVE
    return _PATCHERS.get(getattr(primitive, "__module__", None) or "", FOREIGN)


def current_runtime() -> str:
    """Say which runtime owns ``select.select`` right now.

    Returns ``"native"`` (nobody patched it), ``"gevent"``, ``"eventlet"``, or ``"foreign"`` for a
    function that belongs to neither.  Asking imports nothing and changes nothing.
    """
    return owner(offered.get("select"))
