"""Is a lock taken over that nobody holds?

Private, because it takes a signal between two instructions to leave it like this: the handler of
one raises when the lock has been taken, and that has not been noted yet.
"""

from __future__ import annotations

import time

from coopselectors import _lock


def test_a_lock_that_nobody_holds_is_taken_over(monkeypatch):
    monkeypatch.setattr(_lock, "_PATIENCE", 0.02)
    lock = _lock.Lock()
    lock._owners[0] = object()  # a thread that is nowhere
    lock._depth = 1
    started = time.monotonic()
    for _ in range(2):
        with lock:
            pass
    assert 0.02 <= time.monotonic() - started < 5
