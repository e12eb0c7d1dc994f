"""Cooperative selectors: the standard ``selectors`` module for greenlets and ordinary processes.

``import coopselectors as selectors`` gives all names of the standard module.  Each ``select()``
looks at the ``select`` module as it is at that moment.  If gevent or eventlet has patched it, only
the calling greenlet waits; in an ordinary process, the call waits in the kernel.
"""

from __future__ import annotations

import selectors as _standard_module
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector, SelectorKey
from typing import TYPE_CHECKING

from . import _selectors, select
from ._audit import audit
from ._default import DefaultSelector
from ._extra_events import Events
from ._info import info
from ._install import install, is_installed, uninstall
from ._runtime import current_runtime
from ._selectors import SelectSelector
from ._version import __version__

__all__ = [
    "EVENT_READ",
    "EVENT_WRITE",
    "BaseSelector",
    "DefaultSelector",
    "Events",
    "SelectSelector",
    "SelectorKey",
    "__version__",
    "audit",
    "current_runtime",
    "info",
    "install",
    "is_installed",
    "select",
    "uninstall",
    "warn_blocking",
]

# As in the standard module, a class is there where the platform has its primitive.
if TYPE_CHECKING or hasattr(_selectors, "PollSelector"):
    from ._selectors import PollSelector

    __all__ += ["PollSelector"]

if TYPE_CHECKING or hasattr(_selectors, "EpollSelector"):
    from ._selectors import EpollSelector

    __all__ += ["EpollSelector"]

if TYPE_CHECKING or hasattr(_selectors, "DevpollSelector"):
    from ._selectors import DevpollSelector

    __all__ += ["DevpollSelector"]

if TYPE_CHECKING or hasattr(_selectors, "KqueueSelector"):
    from ._selectors import KqueueSelector

    __all__ += ["KqueueSelector"]

# What few programs use is loaded when it is used (PEP 562).  Not so `audit` and `install`, which
# promise to import nothing, and `info`, which answers where no descriptor is left for an import.
if TYPE_CHECKING:
    from ._watchdog import warn_blocking
else:

    def __getattr__(name: str) -> object:
        if name == "warn_blocking":
            from ._watchdog import warn_blocking as found
        elif name in _PRIVATE:
            found = getattr(_standard_module, name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


# Private names of the standard module that public programs use.
_PRIVATE = (
    "_BaseSelectorImpl",
    "_PollLikeSelector",
    "_SelectorMapping",
    "_fileobj_to_fd",
    "_can_use",
)
