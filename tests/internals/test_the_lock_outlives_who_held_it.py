"""Is a lock taken over that nobody holds?

Private, because it takes a signal between two instructions to leave it like this: the handler of
one raises when the lock has been taken, and that has not been noted yet.
"""

from __future__ import annotations

import threading
import time

import pytest

import coopselectors
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


@pytest.fixture
def held(monkeypatch):
    """Has another thread take a lock, and do something while it has it; gives the lock."""
    monkeypatch.setattr(_lock, "_PATIENCE", 0.02)
    lock, is_taken, threads = _lock.Lock(), threading.Event(), []

    def hold(act):
        with lock:
            is_taken.set()
            act()

    def begin(act):
        threads.append(threading.Thread(target=hold, args=(act,)))
        threads[0].start()
        assert is_taken.wait(10)
        return lock

    yield begin
    for each in threads:
        each.join(10)


def seconds_until_it_is_free(lock):
    started = time.monotonic()
    with lock:
        return time.monotonic() - started


def wait_in_the_package():
    with coopselectors.SelectSelector(runtime="native") as selector:
        selector.select(0.3)


def test_whoever_is_in_the_package_keeps_it(held):
    assert seconds_until_it_is_free(held(wait_in_the_package)) > 0.2


def test_whoever_has_left_the_package_does_not(held):
    ended = threading.Event()
    assert seconds_until_it_is_free(held(lambda: ended.wait(10))) < 5
    ended.set()


def test_whoever_cannot_be_seen_keeps_it(held, monkeypatch):
    monkeypatch.setattr(_lock, "may_see_frames", False)  # as in a subinterpreter
    ended = threading.Event()
    lock = held(lambda: ended.wait(0.3))
    assert seconds_until_it_is_free(lock) > 0.2


def test_whoever_takes_it_when_it_has_just_become_free_keeps_it():
    class Owners(dict):
        def get(self, key):
            self[0] = "another thread"  # just after the look

    lock = _lock.Lock()
    lock._owners = Owners()
    lock._take_over()
    assert lock._owners == {0: "another thread"}
