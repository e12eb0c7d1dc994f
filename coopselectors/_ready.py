"""What does the caller get for what the kernel reported?

The kernel reports numbers, and masks in the primitive's own bits.  The caller gets keys, and
``EVENT_READ | EVENT_WRITE``.  A table has nearly all answers.  This module deals with the others:
files that are watched for both events or for extra events, numbers that nobody registered, and
numbers that may mean a closed file.
"""

from __future__ import annotations

from selectors import SelectorKey
from typing import Any, Dict, List, NamedTuple, Tuple

from ._backends import BOTH, Pair
from ._backends._masks import MASKS
from ._extra_events import Events, ExtraKey
from ._pollers._files_poller import FilesPoller
from ._wakeup import wakeup_fd

Ready = Tuple[SelectorKey, int]


class Translated(NamedTuple):
    """The results for some pairs, and whether to ask the kernel again."""

    #: {fd: (key, events)}
    ready: Dict[Any, Ready]
    #: The kernel reported a number that nobody registered, or something that is not true.
    ask_again: bool
    #: It is certain that this is not just a file that another thread has just unregistered.
    is_stale: bool


def translate(
    poller: FilesPoller, keys: Dict[int, SelectorKey], known: Dict[int, Ready], pairs: List[Pair]
) -> Translated:
    """Return the results for pairs of which some are not in `known`.

    `known` is the table {fd: (key, events)} of files that are watched for one event.  Any mask that
    the kernel reports for such a file, HUP and ERR included, means that event.
    """
    ready: Dict[Any, Ready] = {}
    ask_again = is_stale = False
    backend = poller.backend
    for fd, reported in pairs:
        answer = known.get(fd)
        if answer is not None:
            ready[fd] = answer
            continue
        key = keys.get(fd)
        if key is None:
            other = backend.others.get(fd)
            if other is not None:
                event: Any = reported  # for these, the kernel's whole kevent instead of a mask
                ready[fd] = other, Events(0, event.fflags, event)
            elif fd != wakeup_fd() or not poller.cancelled:
                ask_again = True
                is_stale = is_stale or bool(poller.stale_fds)
            continue
        mask = reported
        is_in_doubt = fd in poller.stale_fds
        if is_in_doubt:
            mask = poller.confirm(fd, MASKS[key.events] | getattr(key, "extra_events", 0))
            if not mask:
                ask_again = is_stale = True
                continue
        if isinstance(key, ExtraKey):
            if fd not in poller.fired:
                ready[fd] = key, _in_full(poller, keys, key, mask)
            continue
        events = backend.events(mask) & key.events
        if not events:
            ask_again = True
            continue
        ready[fd] = answer = key, events
        if key.events != BOTH and not is_in_doubt:
            known[key.fd] = answer  # the key's number object, not the kernel's copy
            if keys.get(fd) is not key:  # another thread has changed it just now
                known.pop(fd, None)
    return Translated(ready, ask_again, is_stale)


def _in_full(poller: FilesPoller, keys: Dict[int, SelectorKey], key: ExtraKey, mask: int) -> Events:
    """The result for a file that was registered with extra events."""
    known = key.results.get(mask)
    if known is not None:
        return known
    backend, fd, extra = poller.backend, key.fd, key.extra_events
    told = Events(backend.events_beside(mask, extra) & key.events, backend.native_mask(mask))
    if not extra & backend.once:
        key.results[mask] = told
        return told
    poller.mark_fired(fd)
    if keys.get(fd) is not key:  # another thread has just armed it again
        poller.rearm(fd)
    return told
