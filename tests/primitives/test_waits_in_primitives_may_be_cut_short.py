"""What if a wait in a primitive is interrupted, shared or in a thread?"""

from __future__ import annotations

import os
import time
from posix import close

import pytest

from coopselectors import select as ours

READ = 1

hubs_only = pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
# Those whose close() wakes who waits; poll(2) and select(2) have none.
closing_only = pytest.mark.primitives("epoll", "kqueue", "devpoll")
kernel_only = pytest.mark.primitives("epoll", "kqueue")


@pytest.fixture
def watched(runtime, primitive, connect):
    """A primitive that watches one file for reading, that file, and its peer."""
    reader, writer = connect()
    primitive.watch(reader.fileno())
    introduce(runtime, primitive)
    return primitive, reader, writer


def introduce(runtime, primitive):
    """Wait, of which nothing may come, until the hub knows of it."""
    for _ in range(3):
        primitive.wait(0.005)


def asleep(runtime):
    """Let others run until they wait; in an ordinary process, for a while."""
    runtime.sleep(0.03)
    runtime.settle()


def interrupt(runtime, primitive, how, seconds):
    if how == "timed out":
        with pytest.raises(runtime.Timeout), runtime.Timeout(0.003):
            primitive.wait(seconds)
        return
    task = runtime.spawn(primitive.wait, seconds)
    runtime.sleep(0.003)
    if how == "killed":
        runtime.kill(task)
    else:
        runtime.throw(task, ZeroDivisionError())
        with pytest.raises(ZeroDivisionError):
            runtime.join(task)


@hubs_only
@pytest.mark.parametrize("how", ["killed", "timed out", "thrown into"])
def test_an_interrupted_wait_leaves_nothing(runtime, watched, how):
    primitive, reader, writer = watched
    interrupt(runtime, primitive, how, 5)  # the last exception's traceback holds a few things
    before = runtime.census()
    for seconds in (None, 5) * 3:
        interrupt(runtime, primitive, how, seconds)
    assert runtime.grown(before) == {}
    started = time.monotonic()
    runtime.sleep(0.01)
    assert time.monotonic() - started >= 0.009
    task = runtime.spawn(writer.send, b"x")
    assert primitive.wait(5) == {reader.fileno(): READ}
    runtime.join(task)


@pytest.mark.pollable
@kernel_only
@hubs_only
def test_several_greenlets_in_one(runtime, watched):
    primitive, reader, writer = watched
    tasks = [runtime.spawn(primitive.wait, seconds) for seconds in (None, 20, None)]
    brief = runtime.spawn(primitive.wait, 0.01)
    asleep(runtime)
    assert runtime.join(brief) == {}
    writer.send(b"x")
    for task in tasks:
        assert runtime.join(task) == {reader.fileno(): READ}


@hubs_only
def test_several_on_one_file_beside_a_recv(runtime, Primitive, connect):
    reader, writer = connect()
    made = [Primitive() for _ in range(5)]
    for primitive in made:
        primitive.watch(reader.fileno())
    receiver = runtime.spawn(writer.recv, 1)
    tasks = [runtime.spawn(primitive.wait, 20) for primitive in made]
    asleep(runtime)
    writer.send(b"x")
    for task in tasks:
        assert runtime.join(task) == {reader.fileno(): READ}
    reader.send(b"y")
    assert runtime.join(receiver) == b"y"
    for primitive in made:
        primitive.close()


@closing_only
@hubs_only
@pytest.mark.parametrize("in_thread", [False, True])
def test_close_wakes_every_waiter(runtime, watched, in_thread):
    primitive, _, _ = watched
    tasks = [runtime.spawn(primitive.wait, seconds) for seconds in (None, 20)]
    asleep(runtime)
    started = time.monotonic()
    if in_thread:
        runtime.join_thread(runtime.start_thread(primitive.close))
    else:
        primitive.close()
    for task in tasks:
        with pytest.raises(ValueError, match="closed"):
            runtime.join(task)
    assert time.monotonic() - started < 5
    assert primitive.own.closed
    primitive.close()  # once more is no error, as of the native ones
    with pytest.raises(ValueError, match="closed"):
        primitive.own.fileno()
    for seconds in (0, 5, None):
        with pytest.raises(ValueError, match="closed"):
            primitive.call(seconds)


@kernel_only
@hubs_only
def test_close_wakes_a_waiter_in_another_thread(runtime, watched):
    primitive, _, _ = watched
    threads = [runtime.start_thread(primitive.wait, seconds) for seconds in (None, 20)]
    runtime.sleep(0.1)
    started = time.monotonic()
    primitive.close()
    for thread in threads:
        with pytest.raises(ValueError, match="closed"):
            runtime.join_thread(thread)
    assert time.monotonic() - started < 5


def test_a_thread_of_its_own(runtime, watched):
    primitive, reader, writer = watched
    found = []

    def wait():
        found.append(primitive.wait(0.01))
        found.append(primitive.wait(20))

    for _ in range(2):
        thread = runtime.start_thread(wait)
        while not found:
            runtime.sleep(0.01)
        writer.send(b"x")
        runtime.join_thread(thread)
        assert found == [{}, {reader.fileno(): READ}]
        found.clear()
        assert primitive.wait(5) == {reader.fileno(): READ}
        reader.recv(1)
        assert primitive.wait(0.01) == {}


@pytest.mark.wakes_threads
@kernel_only
def test_threads_that_share_one(runtime, watched, connect):
    primitive, _reader, _writer = watched
    threads = [runtime.start_thread(primitive.wait, seconds) for seconds in (None, 20)]
    task = runtime.spawn(primitive.wait, 20)
    runtime.sleep(0.1)
    other, peer = connect()
    peer.send(b"x")
    primitive.watch(other.fileno())  # it is told of, although they wait already
    for thread in threads:
        assert runtime.join_thread(thread) == {other.fileno(): READ}
    assert runtime.join(task) == {other.fileno(): READ}


@hubs_only
def test_threads_that_come_and_go_leave_nothing(runtime, watched):
    primitive, _, _ = watched

    def left_by_ten(function, at_most):
        before = len(runtime.descriptors())
        for _ in range(10):
            runtime.join_thread(runtime.start_thread(function, 0.01))
        until = time.monotonic() + 10
        while True:
            runtime.sleep(0.02)
            left = len(runtime.descriptors()) - before
            if left <= at_most or time.monotonic() > until:  # the last thread may be slow to end
                return left

    # eventlet leaves descriptors behind for each thread that had a hub: one, or asyncio's three
    by_sleep = left_by_ten(runtime.sleep, 30 if runtime.name == "eventlet-asyncio" else 10)
    assert left_by_ten(primitive.wait, max(by_sleep, 0)) <= max(by_sleep, 0)


@hubs_only
@pytest.mark.primitives("epoll", "devpoll", "poll")
def test_what_another_greenlet_registers_is_waited_for(runtime, watched, connect):
    primitive, reader, _writer = watched
    other, peer = connect()
    peer.send(b"x")

    def change(do, expected):
        task = runtime.spawn(primitive.wait, 20)
        asleep(runtime)
        do()
        assert runtime.join(task) == expected

    change(lambda: primitive.watch(other.fileno()), {other.fileno(): READ})
    primitive.forget(other.fileno())
    change(lambda: primitive.own.modify(reader.fileno(), 4), {reader.fileno(): 2})
    primitive.own.modify(reader.fileno(), 1)
    change(
        lambda: (primitive.forget(reader.fileno()), primitive.watch(other.fileno())),
        {other.fileno(): READ},
    )


@hubs_only
@pytest.mark.primitives("poll")
@pytest.mark.parametrize("seconds", [0, 5, None])
def test_a_poll_object_serves_one_at_a_time(runtime, watched, seconds):
    primitive, reader, writer = watched
    task = runtime.spawn(primitive.wait, 20)
    asleep(runtime)
    with pytest.raises(RuntimeError, match=r"concurrent poll\(\) invocation"):
        primitive.wait(seconds)
    writer.send(b"x")
    assert runtime.join(task) == {reader.fileno(): READ}
    assert primitive.wait(seconds) == {reader.fileno(): READ}
    reader.recv(1)
    task = runtime.spawn(primitive.wait, 20)
    asleep(runtime)
    runtime.kill(task)
    assert primitive.wait(0.001) == {}  # whoever was killed is not in there any more


@hubs_only
@pytest.mark.primitives("select")
def test_select_keeps_some_files_and_no_more(runtime, watched, connect):
    primitive, reader, writer = watched
    before = runtime.census()["descriptors"]
    pairs = [connect() for _ in range(60)]
    for file, _ in pairs:
        assert ours.select([file], [], [], 0) == ([], [], [])
    assert runtime.census()["descriptors"] - before - 2 * len(pairs) < 40
    for number in range(2, 4):  # one at a time, each for itself
        tasks = [runtime.spawn(primitive.wait, 20) for _ in range(number)]
        asleep(runtime)
        writer.send(b"x")
        for task in tasks:
            assert runtime.join(task) == {reader.fileno(): READ}
        reader.recv(1)


@hubs_only
@pytest.mark.primitives("select")
def test_select_does_not_keep_very_many(runtime, watched):
    primitive, reader, _ = watched
    numbers = [os.dup(reader.fileno()) for _ in range(300)]
    for number in numbers:
        primitive.watch(number)
    primitive.forget(reader.fileno())
    before = runtime.census()["descriptors"]
    assert primitive.wait(0.01) == {}
    assert runtime.census()["descriptors"] - before < 40
    for number in numbers:
        close(number)
