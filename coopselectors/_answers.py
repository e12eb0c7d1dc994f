"""What does the caller get for what the kernel said?

The kernel speaks of numbers, and of masks in the primitive's own bits; the caller is told of keys,
and of ``EVENT_READ | EVENT_WRITE``.  Nearly always a table knows the answer.  What is left are the
numbers that nobody registered, and those that may mean a file that was closed.
"""

from __future__ import annotations

import time
from selectors import SelectorKey
from typing import Callable, Dict, List, Optional, Tuple

from ._pollers import Pair, Poller

Ready = Tuple[SelectorKey, int]


class Answers(Dict[Pair, Optional[Ready]]):
    """{(fd, mask): (key, events)}: what to tell the caller for what the kernel said.

    Filled at the first sight of a pair, and emptied of a file that is modified or unregistered.
    With it all the pairs of a select become answers in one `map`, at the speed of C.
    """

    def __init__(self, keys: Dict[int, SelectorKey], poller: Poller) -> None:
        super().__init__()
        self._keys = keys
        self._poller = poller
        self._pairs: Dict[int, List[Pair]] = {}  # {fd: the pairs that are stored for it}
        #: Another object each time that a pair came which has no answer, or needs a closer look.
        self.stranger = object()

    def __missing__(self, pair: Pair) -> Optional[Ready]:
        fd, mask = pair
        key = self._keys.get(fd)
        events = 0 if key is None else self._poller.events(mask) & key.events
        if key is None or not events or fd in self._poller.suspects:
            self.stranger = object()
            return None
        answer = self[pair] = key, events
        self._pairs.setdefault(fd, []).append(pair)
        if self._keys.get(fd) is not key:  # another thread has changed it just now
            self.forget(fd)
        return answer

    def forget(self, fd: int) -> None:
        for pair in self._pairs.pop(fd, ()):
            self.pop(pair, None)

    def without_strangers(
        self,
        pairs: List[Pair],
        wait: Callable[[Optional[float]], List[Pair]],
        timeout: Optional[float],
        deadline: Optional[float],
    ) -> List[Ready]:
        """Answer pairs of which some are of files that nobody registered, or that may be others.

        What the kernel still reports of closed files is got rid of, and `wait` is called for more:
        once to be complete, or until `deadline` if there was nothing else.
        """
        attempt = 0
        while True:
            ready, in_doubt, for_sure = self._tell_apart(pairs)
            if (attempt > 1 or not in_doubt) and (ready or timeout == 0):
                return list(ready.values())
            if in_doubt:
                # A stranger may have been unregistered by another thread a moment ago.
                self._poller.purge(force=for_sure or attempt > 0)
            if deadline is not None:
                timeout = max(0, deadline - time.monotonic())
            pairs = wait(0 if ready else timeout)
            attempt += 1

    def _tell_apart(self, pairs: List[Pair]) -> Tuple[Dict[int, Ready], bool, bool]:
        """The answers that are true, by number; whether there are others, and whether for sure."""
        ready: Dict[int, Ready] = {}
        strangers = impostors = False
        for fd, mask in pairs:
            key = self._keys.get(fd)
            if key is None:
                strangers = True
            elif fd in self._poller.suspects:
                events = self._poller.confirm(fd, key.events)
                if events:
                    ready[fd] = key, events
                else:
                    impostors = True
            else:
                answer = self[fd, mask]
                if answer is None:
                    impostors = True
                else:
                    ready[fd] = answer
        return ready, strangers or impostors, impostors
