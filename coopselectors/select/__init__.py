"""Cooperative primitives: the standard ``select`` module for greenlets and ordinary processes.

``import coopselectors.select as select`` gives everything that the platform's own module has, even
if gevent or eventlet has deleted it.  Each wait looks at the standard module as it is at that
moment.  If gevent or eventlet has patched it, only the calling greenlet waits; in an ordinary
process, the call waits in the kernel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import _unpatched
from ._select import Select as Select

if TYPE_CHECKING:
    from select import select  # the same arguments and results, which typeshed describes best
else:
    from ._select import select

error = OSError

__all__ = ["error", "select"]

if TYPE_CHECKING:

    def __getattr__(name: str) -> int:
        """The constants, as the platform has them."""
        ...

else:
    _constants = _unpatched.constants()
    globals().update(_constants)
    __all__ += list(_constants)

if TYPE_CHECKING or _unpatched.poll is not None:
    from ._poll import poll

    __all__ += ["poll"]

if TYPE_CHECKING or _unpatched.epoll is not None:
    from ._epoll import epoll

    __all__ += ["epoll"]

if TYPE_CHECKING or _unpatched.devpoll is not None:
    from ._devpoll import devpoll

    __all__ += ["devpoll"]

if TYPE_CHECKING or _unpatched.kqueue is not None:
    from ._kqueue import kqueue

    kevent: Any = _unpatched.kevent
    __all__ += ["kevent", "kqueue"]

# They have the names that users know, whatever file they are in.
for _name in ("select", "poll", "epoll", "devpoll", "kqueue"):
    _each = globals().get(_name)
    if _each is not None:
        _each = getattr(_each, "__func__", _each)
        _each.__module__, _each.__qualname__ = __name__, _name
