"""Cooperative selectors: the standard ``selectors`` module for greenlets and for everybody else.

``import coopselectors as selectors`` gives the whole surface of the standard module.  Each
``select()`` looks at the ``select`` module as it is at that moment: if gevent or eventlet has
patched it, only the calling greenlet waits; in an ordinary process the call waits in the kernel.
"""

from __future__ import annotations

from selectors import EVENT_READ, EVENT_WRITE, BaseSelector, SelectorKey

from . import _selectors
from ._default import DefaultSelector
from ._runtime import current_runtime
from ._selectors import SelectSelector

__all__ = [
    "EVENT_READ",
    "EVENT_WRITE",
    "BaseSelector",
    "DefaultSelector",
    "SelectSelector",
    "SelectorKey",
    "current_runtime",
]

# As in the standard module, a class is there where the platform has its primitive.
for _name in ("PollSelector", "EpollSelector", "DevpollSelector", "KqueueSelector"):
    if hasattr(_selectors, _name):
        globals()[_name] = getattr(_selectors, _name)
        __all__.append(_name)
del _name
