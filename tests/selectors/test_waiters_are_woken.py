"""Who waits, who wakes, and what is left behind?  Many greenlets, closes, kills, signals, hubs."""

from __future__ import annotations

import time

import pytest

from coopselectors import EVENT_READ

hubs_only = pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")


@hubs_only
def test_several_greenlets_on_one_selector(runtime, selector, connect):
    reader, writer = connect()
    key = selector.register(reader, EVENT_READ)
    tasks = [runtime.spawn(selector.select, 20) for _ in range(5)]
    runtime.sleep(0.01)
    writer.send(b"x")
    for task in tasks:
        assert runtime.join(task) == [(key, EVENT_READ)]


def test_several_selectors_on_one_file_beside_a_recv(runtime, Selector, connect):
    reader, writer = connect()
    made = [Selector() for _ in range(5)]
    for selector in made:
        selector.register(reader, EVENT_READ)
        selector.register(writer, EVENT_READ)
    receiver = runtime.spawn(writer.recv, 1)
    tasks = [runtime.spawn(selector.select, 20) for selector in made]
    runtime.sleep(0.02)
    writer.send(b"x")
    for task in tasks:
        assert len(runtime.join(task)) == 1
    reader.send(b"y")
    assert runtime.join(receiver) == b"y"
    for selector in made:
        selector.close()


@hubs_only
def test_close_wakes_everybody_who_waits(runtime, Selector, connect):
    selector = Selector()
    selector.register(connect()[0], EVENT_READ)
    tasks = [runtime.spawn(selector.select, timeout) for timeout in (None, 20, None)]
    runtime.sleep(0.02)
    started = time.monotonic()
    selector.close()
    for task in tasks:
        with pytest.raises(ValueError, match="closed"):
            runtime.join(task)
    assert time.monotonic() - started < 5


@hubs_only
def test_a_greenlet_that_fails_does_not_take_the_others_with_it(runtime, selector, connect):
    import greenlet

    reader, writer = connect()
    selector.register(reader, EVENT_READ)

    def fail():
        selector.select(5)
        raise ZeroDivisionError

    hub = runtime.hub()
    raw = greenlet.greenlet(fail, getattr(hub, "greenlet", hub))  # its error goes to the hub
    runtime.call_in_hub(raw.switch)
    task = runtime.spawn(selector.select, 5)
    runtime.sleep(0.01)
    writer.send(b"x")
    assert len(runtime.join(task)) == 1
    assert raw.dead
    assert len(selector.select(1)) == 1
    reader.recv(1)
    task = runtime.spawn(writer.send, b"x")
    assert len(selector.select(5)) == 1
    runtime.join(task)
