"""What if several threads share a selector, or each has a hub of its own?

The threads here are real ones under every patch; under gevent and eventlet each has its own hub.
"""

from __future__ import annotations

import gc
import os
import platform
import resource
import sys
import time

import pytest

import coopselectors
from coopselectors import EVENT_READ, EVENT_WRITE
from support import native

hubs_only = pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")


def test_a_selector_of_a_threads_own_beside_the_main_one(runtime, Selector, connect):
    reader, writer = connect()
    found = []

    def in_thread():
        with Selector() as selector:
            selector.register(reader, EVENT_READ)
            found.append(selector.select(0.01))
            return found[0], len(selector.select(20))

    thread = runtime.start_thread(in_thread)
    while not (found or thread):  # a busy machine starts it late
        runtime.sleep(0.01)
    runtime.sleep(0.1)
    writer.send(b"x")
    assert runtime.join_thread(thread) == ([], 1)


def test_a_selector_goes_from_one_thread_to_another(runtime, selector, connect):
    reader, writer = connect()
    key = selector.register(reader, EVENT_READ)
    runtime.introduce(selector)
    for _ in range(3):
        thread = runtime.start_thread(selector.select, 20)
        runtime.sleep(0.03)
        writer.send(b"x")
        assert runtime.join_thread(thread) == [(key, EVENT_READ)]
        assert selector.select(5) == [(key, EVENT_READ)]
        reader.recv(1)
        assert selector.select(0.01) == []


def test_several_threads_wait_in_one_selector(runtime, selector, connect):
    reader, writer = connect()
    key = selector.register(reader, EVENT_READ)
    threads = [runtime.start_thread(selector.select, timeout) for timeout in (None, 20, None, 20)]
    runtime.sleep(0.1)
    writer.send(b"x")
    assert selector.select(20) == [(key, EVENT_READ)]
    for thread in threads:
        assert runtime.join_thread(thread) == [(key, EVENT_READ)]


@pytest.mark.wakes_threads
@pytest.mark.parametrize("refused", [False, True])
def test_what_another_thread_changes_takes_effect_at_once(
    runtime, selector, connect, refuse_nesting, refused
):
    (reader, writer), (other, peer) = connect(), connect()
    if refused and not runtime.cooperative:
        pytest.skip("there is nothing that could refuse to nest it")
    if refused:
        refuse_nesting(selector)
    selector.register(reader, EVENT_READ)
    peer.send(b"x")

    def change(do, timeout):
        thread = runtime.start_thread(selector.select, timeout)
        runtime.sleep(0.05)
        started = time.monotonic()
        do()
        ready = runtime.join_thread(thread)
        assert (timeout is not None and timeout < 1) or time.monotonic() - started < 5
        return {key.fileobj: events for key, events in ready}

    assert change(lambda: selector.register(other, EVENT_READ), 20) == {other: EVENT_READ}
    selector.unregister(other)
    assert change(lambda: selector.modify(reader, EVENT_WRITE), None) == {reader: EVENT_WRITE}
    selector.modify(reader, EVENT_READ)
    gone = [lambda: selector.unregister(reader), lambda: writer.send(b"x")]
    assert change(lambda: [do() for do in gone], 0.2) == {}


@pytest.mark.wakes_threads
def test_everything_that_was_registered_meanwhile_comes_in_one_call(runtime, selector, connect):
    thread = runtime.start_thread(selector.select, 20)
    runtime.sleep(0.05)
    pairs = [connect() for _ in range(30)]
    for reader, writer in pairs:
        selector.register(reader, EVENT_READ)
    [writer.send(b"x") for _, writer in pairs]
    assert len(runtime.join_thread(thread)) >= 1
    assert len(selector.select(20)) == 30


@pytest.mark.classes("EpollSelector")
def test_two_hundred_ready_files_come_in_one_call(runtime, selector, connect):
    pairs = [connect() for _ in range(200)]
    for reader, writer in pairs:
        selector.register(reader, EVENT_READ)
        writer.send(b"x")
    assert len(selector.select(5)) == 200


@pytest.mark.wakes_threads
@pytest.mark.parametrize("timeout", [None, 20])
def test_close_wakes_waiters_in_other_threads(runtime, Selector, connect, timeout):
    selector = Selector()
    selector.register(connect()[0], EVENT_READ)
    threads = [runtime.start_thread(selector.select, timeout) for _ in range(3)]
    runtime.sleep(0.1)
    started = time.monotonic()
    selector.close()
    for thread in threads:
        with pytest.raises(ValueError, match="closed"):
            runtime.join_thread(thread)
    assert time.monotonic() - started < 5


@pytest.mark.wakes_threads
def test_everybody_at_once(runtime, Selector, connect):
    # no "dictionary changed size", no "concurrent poll() invocation", no stranger in an answer
    reader, writer = connect()
    writer.send(b"x")
    selector = Selector()
    always = selector.register(reader, EVENT_READ)
    done = []

    def wait():
        try:
            for _ in range(100):
                assert always in [key for key, _ in selector.select(5)]
        finally:
            done.append(1)

    def change(mine):
        while len(done) < 3:
            selector.register(mine, EVENT_READ)
            selector.modify(mine, EVENT_READ | EVENT_WRITE)
            assert selector.get_key(mine).fileobj is mine
            list(selector.get_map())
            selector.unregister(mine)

    waiting = [runtime.start_thread(wait) for _ in range(3)]
    changing = [runtime.start_thread(change, connect()[0]) for _ in range(2)]
    for thread in waiting + changing:
        runtime.join_thread(thread)
    selector.close()


@pytest.mark.parametrize("how", ["values", "items", "keys", "__iter__"])
def test_a_file_that_is_unregistered_while_the_map_is_read(runtime, selector, connect, how):
    (one, _), (other, _) = connect(), connect()
    keys = [selector.register(each, EVENT_READ) for each in (one, other)]
    view = getattr(selector.get_map(), how)()
    found = iter(view)
    first = next(found)
    selector.unregister(other)
    expected = {"values": keys, "items": [(key.fd, key) for key in keys]}
    assert [first, *found] == expected.get(how, [key.fd for key in keys])
    if how == "values":
        assert (len(view), keys[0] in view, keys[1] in view) == (1, True, False)


class Changing(int):
    """Events that change something the next time they are looked at."""

    act = None

    def __and__(self, other):
        if self.act is not None:
            act, self.act = self.act, None
            act()
        return int(self) & other


@pytest.mark.parametrize("event", [EVENT_READ, EVENT_WRITE])
def test_a_file_that_is_registered_while_a_select_of_its_own_is_given_all(runtime, connect, event):
    class Own(coopselectors.SelectSelector):
        def _select(self, r, w, x, timeout=None):
            return r, w, x

    (one, _), (other, _) = connect(), connect()
    events = Changing(event)
    with Own() as selector:
        selector.register(one, events)
        events.act = lambda: selector.register(other, event)
        assert len(selector.select(0)) >= 1
        assert events.act is None
        assert len(selector.select(0)) == 2


@hubs_only
def test_a_thread_that_must_not_have_a_hub(runtime, Selector, connect):
    reader, writer = connect()

    def in_thread():
        with Selector(runtime="native") as selector:
            selector.register(reader, EVENT_READ)
            return len(selector.select(20))

    thread = runtime.start_thread(in_thread)
    started = time.monotonic()
    for _ in range(20):
        runtime.sleep(0.001)
    assert time.monotonic() - started < 10  # a hub that is held up takes 20 s
    writer.send(b"x")
    assert runtime.join_thread(thread) == 1


@hubs_only
@pytest.mark.parametrize("filled_in", ["the pool", "the main thread"])
def test_the_hubs_own_thread_pool(runtime, Selector, connect, filled_in):
    reader, writer = connect()
    selector = Selector()

    def fill():
        selector.register(reader, EVENT_READ)

    def wait():
        return len(selector.select(20))

    if runtime.owner == "gevent":
        in_pool = runtime.hub().threadpool.apply
    else:
        from eventlet import tpool

        in_pool = tpool.execute
    (fill if filled_in == "the main thread" else lambda: in_pool(fill))()
    task = runtime.spawn(lambda: in_pool(wait))
    runtime.sleep(0.05)
    writer.send(b"x")
    assert runtime.join(task) == 1
    assert wait() == 1
    selector.close()


@hubs_only
def test_threads_that_come_and_go_leave_nothing(runtime, selector, connect):
    reader, _ = connect()
    selector.register(reader, EVENT_READ)
    runtime.introduce(selector)

    def left_by_ten(function, at_most):
        before = runtime.descriptors()
        for _ in range(10):
            runtime.join_thread(runtime.start_thread(function, 0.01))
        until = time.monotonic() + 10
        while True:
            runtime.sleep(0.02)
            if platform.python_implementation() == "PyPy":  # it does not count references
                gc.collect()
            now = runtime.descriptors()
            left = len(now) - len(before)
            if left <= at_most or time.monotonic() > until:  # the last thread may be slow to end
                return left, now.items() - before.items()

    # eventlet leaves descriptors behind for each thread that had a hub: one, or asyncio's three
    by_sleep, _ = left_by_ten(runtime.sleep, 30 if runtime.name == "eventlet-asyncio" else 10)
    by_select, what = left_by_ten(selector.select, max(by_sleep, 0))
    assert by_select <= max(by_sleep, 0), what


@pytest.mark.wakes_threads
@pytest.mark.runtimes("native")
def test_a_close_that_meets_threads_on_their_way_into_the_kernel(runtime, Selector, connect):
    (idle, _), (old, peer) = connect(), connect()
    peer.send(b"x")
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for turn in range(100):
            selector = Selector()
            selector.register(idle, EVENT_READ)
            if turn % 2:  # something that is found out and got rid of in the meantime
                number = os.dup(old.fileno())
                selector.register(number, EVENT_READ)
                os.close(number)
                selector.unregister(number)
            threads = [runtime.start_thread(selector.select) for _ in range(1 + turn % 3)]
            time.sleep((turn % 7) * 3e-5)
            selector.close()
            for thread in threads:
                with pytest.raises(ValueError, match="closed"):
                    runtime.join_thread(thread)
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.pollable
@pytest.mark.epoll
@pytest.mark.classes("PollSelector", "SelectSelector")
def test_a_thread_beside_a_file_that_no_epoll_can_hold_hears_of_changes(runtime, selector, connect):
    """Chains of epolls may be five deep, and poll(2) waits for the last of them all the same."""
    reader, writer = connect()
    chain = [native.real_epoll() for _ in range(5)]
    for outer, inner in zip(chain, [*(each.fileno() for each in chain[1:]), reader.fileno()]):
        outer.register(inner, 1)
    selector.register(chain[0], EVENT_READ)
    thread = runtime.start_thread(selector.select, 20)
    runtime.sleep(0.05)
    key = selector.register(writer, EVENT_WRITE)
    assert runtime.join_thread(thread) == [(key, EVENT_WRITE)]
    selector.unregister(writer)
    thread = runtime.start_thread(selector.select, 20)
    runtime.sleep(0.05)
    writer.send(b"x")
    assert len(runtime.join_thread(thread)) == 1
    reader.recv(1)
    thread = runtime.start_thread(selector.select, 20)
    runtime.sleep(0.05)
    selector.close()
    with pytest.raises(ValueError, match="closed"):
        runtime.join_thread(thread)
    for each in chain:
        each.close()


@pytest.mark.pollable
@pytest.mark.epoll
@pytest.mark.runtimes("native")
@pytest.mark.classes("PollSelector", "SelectSelector")
def test_a_thread_hears_of_changes_although_no_descriptor_is_left(runtime, selector, connect):
    """There is none for an epoll that would wait in the place of poll(2) or select(2)."""
    reader, writer = connect()
    selector.register(reader, EVENT_READ)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        thread = runtime.start_thread(selector.select, 20)
        runtime.sleep(0.05)
        key = selector.register(writer, EVENT_WRITE)
        assert runtime.join_thread(thread) == [(key, EVENT_WRITE)]
        selector.unregister(writer)
        thread = runtime.start_thread(selector.select, 20)
        runtime.sleep(0.05)
        selector.close()
        with pytest.raises(ValueError, match="closed"):
            runtime.join_thread(thread)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
