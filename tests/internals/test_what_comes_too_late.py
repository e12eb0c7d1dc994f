"""What if a hub has ended, or a selector was closed, when another thread is about to tell it?

Private, because the one has to happen between two lines of the other.
"""

from __future__ import annotations

import errno
import gc
import sys
from types import SimpleNamespace

import pytest

import coopselectors
from coopselectors import EVENT_READ
from coopselectors._hubs import _cooperative, _guarded, _waiters, _waiting_thread, hub_for
from coopselectors._pollers._files_poller import FilesPoller
from coopselectors.select._user_poller import UserPoller
from support import native

HUBS = ("gevent-libev", "gevent-libuv", "eventlet")


@pytest.mark.runtimes(*HUBS)
def test_a_hub_that_has_ended_is_told_nothing(runtime):
    called = []
    adapter = hub_for("select")
    adapter.call_soon(None, lambda: called.append("soon"))
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        adapter.report(None, None, *sys.exc_info())
    runtime.sleep(0.01)
    assert called == []


@pytest.mark.runtimes("gevent-libev", "gevent-libuv")
def test_an_error_of_a_living_loop_is_told(runtime):
    def fail(function):
        raise ValueError("on purpose")

    loop = SimpleNamespace(run_callback_threadsafe=fail, ptr=1)
    with pytest.raises(ValueError, match="on purpose"):
        hub_for("select").call_soon(SimpleNamespace(loop=loop), print)


@pytest.mark.parametrize("kind", [FilesPoller, UserPoller])
def test_what_a_signal_handler_has_kept_from_being_made_is_dropped_in_silence(monkeypatch, kind):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    kind.__new__(kind)
    gc.collect()
    assert told == []


class Poller:
    """One whose waits and gifts fail, as if it had just been closed."""

    def __init__(self):
        self.taken = ()
        self.kept = []

    def block(self, timeout):
        raise OSError(errno.EBADF, "closed")

    def give_back(self, pairs):
        if self.kept:
            return self.kept
        raise ValueError("closed")


@pytest.mark.runtimes(*HUBS)
def test_a_wait_in_a_thread_that_fails_ends(runtime, connect, trace_all_threads, new_threads):
    with coopselectors.SelectSelector() as selector:
        selector.register(connect()[0], EVENT_READ)
        assert selector.select(0.001) == []
        hub = hub_for("select")
        poller, outer = Poller(), runtime.hub()._coopselectors_outer
        waiters = _waiters.Waiters(outer)
        wait = _waiting_thread.ThreadWait(poller, 5, waiters)
        _waiting_thread.pool.begin(wait, hub.start_thread)
        for _ in range(500):
            if wait.is_over:
                break
            runtime.sleep(0.01)
        assert wait.is_over
        assert list(wait.pairs) == []


def test_what_nobody_wants_is_kept_for_the_next_wait():
    poller = Poller()
    wait = SimpleNamespace(poller=poller, pairs=[(5, 2)])
    _waiting_thread._give_back(wait)
    assert poller.taken == ()
    poller.kept = [(5, 2)]
    _waiting_thread._give_back(wait)
    assert poller.taken == [(5, 2)]


@pytest.mark.runtimes(*HUBS)
def test_a_wait_in_a_thread_may_be_cancelled_before_it_begins_and_twice(runtime, connect):
    poller = SimpleNamespace(taken=(), cancelled=[])
    poller.cancel_block = poller.cancelled.append
    wait = _waiting_thread.ThreadWait(poller, 5, None)
    _waiting_thread.pool.cancel(wait)
    assert poller.cancelled == []
    given = []
    wait.thread = SimpleNamespace(waits=SimpleNamespace(put=given.append))
    _waiting_thread.pool.cancel(wait)
    _waiting_thread.pool.cancel(wait)
    assert poller.cancelled == [True]
    assert given == [wait, wait]


@pytest.mark.runtimes(*HUBS)
@pytest.mark.epoll
def test_a_thread_that_is_ready_just_before_its_greenlet_sleeps(runtime, connect, monkeypatch):
    reader, writer = connect()

    class Wait(_cooperative.ThreadWait):
        """One that is over when it is looked at for the second time."""

        looked = 0
        is_so = False

        @property
        def is_over(self):
            self.looked += 1
            if self.looked == 2:
                writer.send(b"x")
                while not (self.is_so and self.waiters.notified):
                    native.select([], [], [], 0.001)
                self.waiters.notified = False  # as if that had come just before
            return self.is_so

        @is_over.setter
        def is_over(self, value):
            self.is_so = value

    monkeypatch.setattr(_cooperative, "ThreadWait", Wait)
    with coopselectors.EpollSelector() as selector:
        key = selector.register(reader, EVENT_READ, extra_events=1 << 28)
        assert [each for each, _ in selector.select(20)] == [key]


@pytest.mark.runtimes(*HUBS)
def test_where_no_kernel_object_can_be_nested_a_hub_that_has_ended_is_told_nothing(runtime):
    called = []
    adapter = SimpleNamespace(call_soon=lambda hub, function: called.append(hub))
    outer = _waiters.Outer(adapter, runtime.hub())
    waiters = _waiters.Waiters(outer)
    outer.notify(waiters)
    assert called == [runtime.hub()]
    outer.close()
    outer.notify(waiters)
    assert called == [runtime.hub()]


def test_a_callback_that_is_interrupted_before_it_is_one_tells_its_maker():
    told = []
    served = _guarded._serve(print, lambda *how: told.append(how), [])
    next(served)
    with pytest.raises(ZeroDivisionError):
        served.throw(ZeroDivisionError())
    assert told == []


@pytest.mark.runtimes("gevent-libev", "gevent-libuv")
def test_a_loop_that_was_destroyed_wakes_nobody_again(runtime):
    outer = SimpleNamespace(timers=[])
    hub_for("select").retry_soon(SimpleNamespace(loop=None), outer)
    assert outer.timers == []
