"""What does a call cost?  Counted, not timed: machines differ."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from coopselectors import EVENT_READ, EVENT_WRITE, _unpatched
from coopselectors._hubs import hub_for
from coopselectors._pollers import EpollPoller

hubs_only = pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
gevent_only = pytest.mark.runtimes("gevent-libev", "gevent-libuv")


@pytest.fixture
def calls(monkeypatch):
    """How often every epoll here is asked for what: the selectors' and the hub's nest."""
    counted = Counter()

    def count(name, original):
        def counting(*arguments):
            counted[name] += 1
            return original(*arguments)

        return counting

    for name in ("register", "modify", "unregister", "poll"):
        monkeypatch.setattr(EpollPoller, name, count(name, getattr(EpollPoller, name)))
    for name in ("epoll", "dup"):
        monkeypatch.setattr(_unpatched, name, count(name, getattr(_unpatched, name)))
    return counted


@pytest.mark.epoll
@pytest.mark.classes("DefaultSelector", "EpollSelector")  # others are given all files at each call
@hubs_only
@pytest.mark.parametrize("timeout", [None, 20])
def test_who_waits_and_is_woken(runtime, Selector, connect, calls, timeout):
    rounds = 100
    reader, writer = connect()
    with Selector() as selector:
        selector.register(reader, EVENT_READ)
        runtime.introduce(selector)

        def write():
            for number in range(rounds):
                while len(woken) < number or not nest.waiting:
                    runtime.sleep(0.001)
                writer.send(b"x")

        woken = []
        nest = runtime.hub()._coopselectors_nest
        task = runtime.spawn(write)
        calls.clear()
        for _ in range(rounds):
            assert len(selector.select(timeout)) == 1
            woken.append(reader.recv(1))
        counted = calls.copy()
        runtime.join(task)
    polls = counted.pop("poll")
    assert counted == {}
    # The selector itself, and now and then the nest, or a look before the sleep.
    assert polls <= 1.5 * rounds


@pytest.mark.epoll
@pytest.mark.classes("DefaultSelector", "EpollSelector")
def test_one_call_that_finds_something(runtime, Selector, connect, calls):
    with Selector() as selector:
        selector.register(connect()[1], EVENT_WRITE)
        selector.select(1)
        calls.clear()
        for timeout in (1, 0, None):
            assert len(selector.select(timeout)) == 1
        assert calls == {"poll": 3}


@pytest.mark.epoll
@hubs_only
def test_who_was_woken_for_another_asks_who_is_meant(runtime, connect, calls):
    def one():
        from coopselectors import EpollSelector

        selector = EpollSelector()
        reader, writer = connect()
        selector.register(reader, EVENT_READ)
        runtime.introduce(selector)
        return selector, writer

    (waiting, _), (idle, ready) = one(), one()
    nest = runtime.hub()._coopselectors_nest
    task = runtime.spawn(waiting.select)
    while not nest.waiting:
        runtime.sleep(0.001)
    nest.trust = 1000
    calls.clear()
    ready.send(b"x")  # of this nobody waits to hear
    while not calls["modify"]:  # it is muted
        runtime.sleep(0.001)
    assert calls["poll"] <= 4
    waiting.close()
    with pytest.raises(ValueError, match="closed"):
        runtime.join(task)
    idle.close()


@gevent_only
def test_who_selects_again_and_again_lets_the_loop_turn(runtime, selector, connect, monkeypatch):
    # Between greenlets gevent switches for milliseconds without a look at its timers and files.
    def passes():
        times[0] += 0.0001
        return times[0]

    module = __import__(type(hub_for("select")).__module__, fromlist=["monotonic"])
    times = [10.0]
    monkeypatch.setattr(module, "monotonic", passes)
    selector.register(connect()[1], EVENT_WRITE)
    turns = []
    hub = runtime.hub()
    monkeypatch.setattr(hub, "_coopselectors_due", 0.0, raising=False)
    with hub.loop.check() as check:
        check.start(turns.append, None)
        for _ in range(100):
            assert len(selector.select(1)) == 1
        check.stop()
    # Half a millisecond without one, for 10 ms: 20.  A slow machine's loop turns more often by
    # itself, and less than half of them are seen with the libuv loop of gevent 24.2.
    assert 5 <= len(turns) <= 70


@hubs_only
def test_no_time_at_all_after_a_sleep(runtime, selector, connect):
    others = []
    selector.register(connect()[0], EVENT_READ)
    runtime.introduce(selector)
    selector._poller.sleepy = 1
    runtime.spawn(others.append, "ran")
    assert selector.select(1e-9) == []
    assert others == ["ran"]


def test_a_file_is_answered_for_without_a_second_look(runtime, Selector, monkeypatch):
    # `events` is asked once for each file, as long as it stays what it is
    with Selector() as selector:
        reader, writer = os.pipe()
        asked = []
        events = selector._poller.events
        monkeypatch.setattr(
            selector._poller, "events", lambda mask: asked.append(1) or events(mask)
        )
        selector.register(writer, EVENT_WRITE)
        for number, change in enumerate((None, "data", "other data"), 1):
            selector.modify(writer, EVENT_WRITE, change)
            for _ in range(3):
                [(key, mask)] = selector.select(1)
                assert (key.data, mask) == (change, EVENT_WRITE)
            assert len(asked) == number
        selector.unregister(writer)
        os.close(reader)
        os.close(writer)


@hubs_only
def test_who_goes_straight_to_sleep_looks_before_its_files_are_watched(
    runtime, selector, connect, monkeypatch
):
    # there may be a regular file among them, which is always ready and which no hub takes
    reader, writer = connect()
    selector.register(reader, EVENT_READ)
    runtime.introduce(selector)
    selector._poller.withdraw()  # the kernel does not nest it any more
    selector._poller.sleepy = 1
    monkeypatch.setattr(hub_for("select"), "watch_file", None)
    writer.send(b"x")
    assert len(selector.select(20)) == 1
