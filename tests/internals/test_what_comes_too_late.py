"""What if a hub has ended, or a selector was closed, when another thread is about to tell it?

Private, because the one has to happen between two lines of the other.
"""

from __future__ import annotations

import errno
import sys
from types import SimpleNamespace

import pytest

import coopselectors
from coopselectors import EVENT_READ
from coopselectors._hubs import _waiting_thread, hub_for

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
def test_a_wait_in_a_thread_that_fails_ends(runtime, connect):
    with coopselectors.SelectSelector() as selector:
        selector.register(connect()[0], EVENT_READ)
        assert selector.select(0.001) == []
        hub = hub_for("select")
        poller, outer = Poller(), runtime.hub()._coopselectors_outer
        waiters = type(outer.not_yet_watched or _Waiters(outer))(outer)
        wait = _waiting_thread.ThreadWait(poller, 5, waiters)
        _waiting_thread.pool.begin(wait, hub.start_thread)
        for _ in range(500):
            if wait.is_over:
                break
            runtime.sleep(0.01)
        assert wait.is_over
        assert list(wait.pairs) == []


def _Waiters(outer):
    from coopselectors._hubs._waiters import Waiters

    return Waiters(outer)


def test_what_nobody_wants_is_kept_for_the_next_wait():
    poller = Poller()
    wait = SimpleNamespace(poller=poller, pairs=[(5, 2)])
    _waiting_thread._give_back(wait)
    assert poller.taken == ()
    poller.kept = [(5, 2)]
    _waiting_thread._give_back(wait)
    assert poller.taken == [(5, 2)]
