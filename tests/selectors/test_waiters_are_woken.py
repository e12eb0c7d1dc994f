"""Is every waiter woken, and is nothing left behind?  Many greenlets, closes, kills, hubs."""

from __future__ import annotations

import gc
import os
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
def test_close_wakes_every_waiter(runtime, Selector, connect):
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
    # Which of the two comes first is open, but neither waits for its time-out.
    deadline = time.monotonic() + 2
    while not raw.dead and time.monotonic() < deadline:
        runtime.sleep(0.001)
    assert raw.dead
    assert len(selector.select(1)) == 1
    reader.recv(1)
    task = runtime.spawn(writer.send, b"x")
    assert len(selector.select(5)) == 1
    runtime.join(task)


@hubs_only
def test_a_woken_greenlet_closes_the_next_ones_selector(runtime, Selector, connect):
    reader, writer = connect()
    made = [Selector() for _ in range(2)]
    for selector in made:
        selector.register(reader, EVENT_READ)

    def wait(mine, other):
        try:
            return len(mine.select(20))
        except ValueError as error:
            return str(error)
        finally:
            other.close()

    tasks = [runtime.spawn(wait, *pair) for pair in (made, made[::-1])]
    runtime.settle()
    writer.send(b"x")
    found = [runtime.join(task) for task in tasks]
    assert all(each == 1 or "closed" in each for each in found)
    assert 1 in found


@hubs_only
def test_a_selector_that_is_dropped_without_close_costs_its_hub_nothing(runtime, Selector, connect):
    selector = Selector()
    reader, writer = connect()
    selector.register(reader, EVENT_READ)
    runtime.introduce(selector)
    has_one = hasattr(selector, "fileno")
    kept = os.dup(selector.fileno()) if has_one else None  # as a forked child has it
    writer.send(b"x")
    del selector
    gc.collect()  # PyPy does not count references
    used = []
    for _ in range(3):
        used.append(-time.process_time())
        runtime.sleep(0.1)
        used[-1] += time.process_time()
    assert min(used) < 0.05
    if has_one:
        os.close(kept)


@pytest.mark.classes("PollSelector", "SelectSelector")
@pytest.mark.parametrize("has_waited", [False, True], ids=["at first", "after a wait"])
def test_regular_files_are_ready_as_long_as_one_is_registered(
    runtime, selector, connect, tmp_path, has_waited
):
    # poll(2) and select(2) call them always ready, and epoll does not take them
    files = [(tmp_path / name).open("wb+") for name in ("one", "other")]
    selector.register(connect()[0], EVENT_READ)
    if has_waited:
        assert selector.select(0.02) == []
    for file in files:
        selector.register(file, EVENT_READ)
    for left in (2, 1, 0):
        assert len(selector.select(5 if left else 0.02)) == left
        if left:
            selector.unregister(files[left - 1])
    assert runtime.cost_of_waiting_in(selector) < 0.05
    for file in files:
        file.close()
