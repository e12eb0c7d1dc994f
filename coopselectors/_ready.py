"""What does the caller get for what the kernel said?

The kernel speaks of numbers, and of masks in the primitive's own bits; the caller is told of keys,
and of ``EVENT_READ | EVENT_WRITE``.  Nearly always a table knows the answer.  What is left are the
files that are seen for the first time, those that are watched for both events, the numbers that
nobody registered, and those that may mean a file that was closed.
"""

from __future__ import annotations

import time
from selectors import EVENT_READ, EVENT_WRITE, SelectorKey
from typing import Any, Callable, Dict, List, Optional, Tuple

from ._extra_events import Events, ExtraKey
from ._pollers import Pair, Poller

Ready = Tuple[SelectorKey, int]

_BOTH = EVENT_READ | EVENT_WRITE


class Answers:
    """What to tell the caller for what the kernel said."""

    def __init__(self, keys: Dict[int, SelectorKey], poller: Poller) -> None:
        self._keys = keys
        self._poller = poller
        #: {fd: (key, events)} of files that are watched for one event, and have been seen ready:
        #: whatever mask the kernel reports of such a file, HUP and ERR included, means that event.
        self.known: Dict[int, Ready] = {}

    def look_closer(
        self,
        pairs: List[Pair],
        wait: Callable[[Poller, Optional[float], Optional[float]], List[Pair]],
        timeout: Optional[float],
        deadline: Optional[float],
    ) -> List[Ready]:
        """Answer pairs of which some are not in the table.

        What the kernel still reports of closed files is got rid of, and `wait`, which is the hub's,
        is called for more: once to be complete, or until `deadline` if there was nothing else.
        """
        attempt = 0
        kept: List[Ready] = []  # of what is no file, and is not told of twice
        while True:
            ready, in_doubt, for_sure = self._tell_apart(pairs)
            if (attempt > 1 or not in_doubt) and (ready or kept or timeout == 0):
                return kept + list(ready.values())
            kept += [answer for fd, answer in ready.items() if fd in self._poller.others]
            if in_doubt:
                # A stranger may have been unregistered by another thread a moment ago.
                self._poller.purge(force=for_sure or attempt > 0)
            if deadline is not None:
                timeout = max(0, deadline - time.monotonic())
            self._poller.put_back(pairs)
            pairs = wait(self._poller, 0 if ready or kept else timeout, deadline)
            attempt += 1

    def _tell_apart(self, pairs: List[Pair]) -> Tuple[Dict[int, Ready], bool, bool]:
        """The answers that are true, by number; whether there are others, and whether for sure."""
        ready: Dict[int, Ready] = {}
        strangers = impostors = False
        known, keys, poller = self.known, self._keys, self._poller
        for fd, mask in pairs:
            answer = known.get(fd)
            if answer is None:
                key = keys.get(fd)
                if key is None:
                    other = poller.others.get(fd)
                    if other is not None:
                        event: Any = mask  # of these the kernel says no mask, but all it knows
                        ready[fd] = other, Events(0, event.fflags, event)
                    else:
                        strangers = strangers or not poller.called_back
                    continue
                if isinstance(key, ExtraKey):
                    told = key.told.get(mask)
                    ready[fd] = key, self._in_full(key, mask) if told is None else told
                    continue
                suspected = fd in poller.suspects
                if suspected:
                    events = poller.confirm(fd, key.events)
                else:
                    events = poller.events(mask) & key.events
                if not events:
                    impostors = True
                    continue
                answer = key, events
                if key.events != _BOTH and not suspected:
                    known[key.fd] = answer  # not the kernel's copy of the same number
                    if keys.get(fd) is not key:  # another thread has changed it just now
                        known.pop(fd, None)
            ready[fd] = answer
        return ready, strangers or impostors, impostors

    def _in_full(self, key: ExtraKey, mask: int) -> Events:
        """What to say of a file that was registered with extra events."""
        poller, fd, extra = self._poller, key.fd, key.extra_events
        told = Events(poller.events_beside(mask, extra) & key.events, poller.native(mask))
        if not extra & poller.once:
            key.told[mask] = told
            return told
        poller.spend(fd)
        if self._keys.get(fd) is not key:  # another thread has armed it anew just now
            poller.rearm(fd)
        return told
