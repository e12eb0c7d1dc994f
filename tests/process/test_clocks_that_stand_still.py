"""Does a wait have the right length while a test has frozen the clock, and afterwards?"""

from __future__ import annotations

import contextlib
import time
from unittest import mock

import pytest

from coopselectors import EVENT_READ
from support.runtimes import missing


def frozen():
    return pytest.importorskip("freezegun").freeze_time("2035-01-01")


def travelled():
    return pytest.importorskip("time_machine").travel("2035-01-01", tick=False)


CLOCKS = {
    "freezegun": frozen,
    "time-machine": travelled,
    "mock": lambda: mock.patch("time.monotonic", return_value=1.0),
    "set back": lambda: mock.patch("time.monotonic", return_value=-1e6),
    "ahead": lambda: mock.patch("time.monotonic", return_value=1e12),
    "none": contextlib.nullcontext,
}


def now():
    """The kernel's own clock, which none of these replaces.

    Not that of ``os.times()``: it counts ticks, and on a virtual machine some come 30 ms late.
    """
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def changes_the_hub(clock):
    """Whether eventlet's own timers go by this clock: all of them are due at once, or never.

    time-machine 2, the last for CPython 3.9, replaces the C function behind ``time.monotonic``,
    which the hub has kept.
    """
    from eventlet.hubs import get_hub

    before = get_hub().clock()
    with CLOCKS[clock]():
        return abs(get_hub().clock() - before) > 3600


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_wait_lasts_as_long_as_it_should(runtime, selector, connect, clock):
    if runtime.name == "eventlet" and changes_the_hub(clock):
        pytest.skip("even eventlet.sleep() lasts for ever, or not at all")
    reader, writer = connect()
    selector.register(reader, EVENT_READ)
    for context in (CLOCKS[clock](), contextlib.nullcontext()):
        started = now()
        with context:
            assert selector.select(0.05) == []
        assert 0.05 <= now() - started < 5
    task = runtime.spawn(writer.send, b"x")
    assert len(selector.select(20)) == 1
    runtime.join(task)


@pytest.mark.skipif(missing("gevent-libev") != "", reason="not installed: gevent")
def test_a_clock_that_was_replaced_before_the_import(run_python):
    run_python(
        """
        import os, time
        time.monotonic = lambda: 1.0
        import gevent.monkey
        gevent.monkey.patch_all()
        import coopselectors
        started = os.times().elapsed
        with coopselectors.DefaultSelector() as selector:
            assert selector.select(0.1) == []
        assert 0.08 <= round(os.times().elapsed - started, 2) < 5
        """,
        limit=20,
    )


@pytest.mark.skipif(missing("gevent-libev") != "", reason="not installed: gevent")
def test_another_clock_that_was_replaced_before_the_import(run_python):
    said = run_python(
        """
        import time
        import gevent.monkey
        gevent.monkey.patch_all()
        usual, time.perf_counter = time.perf_counter, lambda: 1.0
        import coopselectors
        with coopselectors.DefaultSelector() as selector:
            for _ in range(2):
                started = usual()
                assert selector.select(0.05) == []
                assert usual() - started >= 0.05
        print(time.perf_counter())  # which is left as it was
        """,
        limit=20,
    )
    assert said == "1.0\n"
