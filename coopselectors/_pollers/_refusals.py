"""What does it mean if the kernel refuses a file, or a wait?

Somebody may have closed our descriptor, another thread may have replaced the kernel object, or the
nesting may be too deep only because an outer poller holds us.  That is repaired, and the same call
is made again.
"""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import Any, Iterator, List, Optional

from .. import _fork
from .._backends import Pair
from .._backends._base import extra_of
from .._unpatched import is_open
from ._nested import refuse_outer_pollers
from ._poller import CLOSED
from ._rebuild import put

# What a call says if our descriptor was closed, or is another file's by now.  It is made again even
# if the kernel object is there: another thread may have replaced it meanwhile.
_LOST = (errno.EBADF, errno.EINVAL)


def register_again(poller: Any, error: Exception, fd: int, events: int, extra: int) -> None:
    """Register a file after an error; raises what still stands in the way."""
    _raise_if_closed(poller, error)
    with _closed_meanwhile(poller):
        code = getattr(error, "errno", None)
        if code in _LOST and is_open(fd):  # if not, what opens one now must not be taken for it
            rebuild_if_lost(poller)
            try:
                poller.backend.register(fd, events, extra)
                return
            except (OSError, ValueError) as again:
                error, code = again, getattr(again, "errno", None)
        if code == errno.EEXIST:
            # The file was closed and duplicated back under its number, or another thread has just
            # registered it with a new kernel object.  Either way, the number is not stale now.
            put(poller.backend, fd, events, extra)
            with _fork.lock():
                poller.stale_fds = poller.stale_fds - {fd}
            return
        if code in (errno.EINVAL, errno.ELOOP):
            if extra & poller.backend.exclusive:
                raise ValueError(
                    f"EPOLLEXCLUSIVE cannot be used for descriptor {fd}, an epoll (epoll_ctl(2))"
                ) from None
            # Perhaps it is nested too deep only because of an outer poller above.
            if refuse_outer_pollers(poller):
                poller.backend.register(fd, events, extra)
                return
        raise error


def modify_again(
    poller: Any, error: Exception, fd: int, events: int, before: int, extra: int, was_fired: bool
) -> None:
    """Modify a file after an error; `was_fired` says that the kernel may not know it."""
    _raise_if_closed(poller, error)
    code = getattr(error, "errno", None)
    if code != errno.ENOENT and not (code in _LOST and is_open(fd)):
        raise error
    with _closed_meanwhile(poller):
        rebuild_if_lost(poller)
        with _fork.lock():  # while another thread replaces the kernel object, neither has the file
            if was_fired:
                put(poller.backend, fd, events, extra)
            else:
                poller.backend.modify(fd, events, before, extra)


def poll_again(poller: Any, error: Exception, timeout: Optional[float]) -> List[Pair]:
    """Poll after an error."""
    _raise_if_closed(poller, error)
    pairs: List[Pair]
    if isinstance(error, RuntimeError):
        # Another thread uses the object, which serves one at a time.
        another = poller.backend.fresh()
        for fd, key in list(poller.keys.items()):
            another.register(fd, key.events, extra_of(key))
        pairs = another.poll(timeout)
        return pairs
    if not isinstance(error, OSError) or (error.errno not in _LOST and poller.backend.is_ours()):
        raise error
    with _closed_meanwhile(poller):
        rebuild_if_lost(poller)
        pairs = poller.backend.poll(timeout)
    return pairs


@contextmanager
def _closed_meanwhile(poller: Any) -> Iterator[None]:
    """Say that the poller is closed if an error comes from another thread's `close`."""
    try:
        yield
    except (OSError, ValueError) as error:
        _raise_if_closed(poller, error)
        raise


def _raise_if_closed(poller: Any, error: Exception) -> None:
    is_native_open = not getattr(poller.backend.native, "closed", False)
    if poller.state is CLOSED or (isinstance(error, ValueError) and not is_native_open):
        poller.raise_closed()


def rebuild_if_lost(poller: Any) -> None:
    """Replace the kernel object if somebody else has closed our descriptor."""
    with _fork.lock():
        if not poller.shared():
            poller.raise_closed()
        if not poller.backend.is_ours():  # or else another thread was faster
            poller.rebuild()
