"""Is a lock taken over that nobody holds, and only then?

Private, because it takes a signal between two instructions to leave it like this: the handler of
one raises when the lock has been taken, and that has not been noted yet.
"""

from __future__ import annotations

import threading
import time

from coopselectors import _lock


def test_a_lock_that_nobody_holds_is_taken_over(monkeypatch):
    monkeypatch.setattr(_lock, "_PATIENCE", 0.02)
    lock = _lock.Lock()
    lock._free.get()
    started = time.monotonic()
    for _ in range(2):
        with lock:
            pass
    assert 0.02 <= time.monotonic() - started < 5


def test_a_lock_that_is_held_for_long_is_waited_for(monkeypatch):
    monkeypatch.setattr(_lock, "_PATIENCE", 0.005)
    lock = _lock.Lock()
    taken = threading.Event()
    seen = []

    def hold():
        with lock:
            taken.set()
            time.sleep(0.1)
            seen.append("given back")

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    with lock:
        assert seen == ["given back"]
    thread.join()
