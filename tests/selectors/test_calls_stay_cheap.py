"""How many system calls does a call make?  They are counted, as times differ by machine."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from coopselectors import EVENT_READ, EVENT_WRITE
from support import native, seams

hubs_only = pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
gevent_only = pytest.mark.runtimes("gevent-libev", "gevent-libuv")


@pytest.fixture
def calls(monkeypatch):
    """How often the kernel is asked for what, by selectors that are made from now on."""
    counted = Counter()

    class Epoll:
        def __init__(self, *arguments):
            counted["epoll_create"] += 1
            self._real = native.epoll(*arguments)

        def __getattr__(self, name):
            call = getattr(self._real, name)

            def counting(*arguments):
                counted[name] += 1
                return call(*arguments)

            return counting

    def dup(fd, real=seams.system.dup):
        counted["dup"] += 1
        return real(fd)

    monkeypatch.setattr(seams.platform, "epoll", Epoll)
    monkeypatch.setattr(seams.system, "dup", dup)
    return counted


@pytest.mark.epoll
@pytest.mark.classes("DefaultSelector", "EpollSelector")  # others are given all files at each call
@hubs_only
@pytest.mark.parametrize("timeout", [None, 20])
def test_a_wait_that_sleeps_and_is_woken(runtime, Selector, connect, calls, timeout):
    rounds = 100
    reader, writer = connect()
    with Selector() as selector:
        selector.register(reader, EVENT_READ)
        runtime.introduce(selector)

        def write():
            for number in range(rounds):
                while len(woken) < number:
                    runtime.sleep(0.001)
                for _ in range(2):
                    runtime.sleep(0.001)  # it sleeps by now
                writer.send(b"x")

        woken = []
        task = runtime.spawn(write)
        calls.clear()
        for _ in range(rounds):
            assert len(selector.select(timeout)) == 1
            woken.append(reader.recv(1))
        counted = calls.copy()
        runtime.join(task)
    polls = counted.pop("poll")
    counted.pop("fileno", None)
    assert counted == {}
    # After the sleep, and now and then before it.
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


def test_no_class_has_a_default_for_what_its_instances_hold(runtime, selector, connect):
    """From CPython 3.12 on, such an attribute is slow to find."""
    selector.register(connect()[1], EVENT_WRITE)
    assert len(selector.select(1)) == 1
    for each in (selector, selector._poller, selector._poller.backend):
        assert [name for name in vars(each) if hasattr(type(each), name)] == []


@gevent_only
def test_selecting_again_and_again_lets_the_loop_turn(runtime, selector, connect):
    # Between greenlets gevent switches for milliseconds without a look at its timers and files.
    selector.register(connect()[1], EVENT_WRITE)
    turns = []
    with runtime.hub().loop.check() as check:
        check.start(turns.append, None)
        until = time.monotonic() + 0.1
        while time.monotonic() < until:
            assert len(selector.select(1)) == 1
        check.stop()
    assert len(turns) >= 5


@hubs_only
def test_no_time_at_all_after_a_sleep(runtime, selector, connect):
    others = []
    selector.register(connect()[0], EVENT_READ)
    runtime.introduce(selector)
    runtime.spawn(others.append, "ran")
    assert selector.select(1e-9) == []
    assert others == ["ran"]
