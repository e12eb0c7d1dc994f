"""What does select() report, and when?  In every runtime, for every class."""

from __future__ import annotations

import contextlib
import os
import time

# gevent's os.close puts the real one off, and eventlet's os.write waits.
from posix import close, dup, write

import pytest

import coopselectors
from coopselectors import EVENT_READ, EVENT_WRITE
from support import workers

BOTH = EVENT_READ | EVENT_WRITE


def test_reports_what_is_ready(runtime, selector, connect):
    reader, writer = connect()
    key = selector.register(reader, EVENT_READ, "data")
    assert selector.select(0) == []
    writer.send(b"x")
    assert selector.select() == [(key, EVENT_READ)]
    assert key == (reader, reader.fileno(), EVENT_READ, "data")


def test_a_waiting_select_is_woken_by_a_peer(runtime, selector, connect):
    reader, writer = connect()
    key = selector.register(reader, EVENT_READ)

    def peer():
        runtime.sleep(0.02)
        writer.send(b"x")

    for timeout in (None, 20):
        started = time.monotonic()
        task = runtime.spawn(peer)
        assert selector.select(timeout) == [(key, EVENT_READ)]
        assert 0.019 < time.monotonic() - started < 10
        runtime.join(task)
        reader.recv(1)


def test_all_ready_files_come_in_one_call(runtime, selector, connect):
    pairs = [connect() for _ in range(150)]
    for reader, writer in pairs:
        selector.register(reader, BOTH)
        writer.send(b"x")
    ready = selector.select()
    assert {(key.fileobj, events) for key, events in ready} == {(r, BOTH) for r, _ in pairs}
    assert len(ready) == len(pairs)


def test_unread_data_is_reported_again_and_drained_data_is_not(runtime, selector, connect):
    reader, writer = connect()
    selector.register(reader, EVENT_READ)
    writer.send(b"x")
    for _ in range(3):
        assert len(selector.select()) == 1
    reader.recv(1)
    assert selector.select(0) == []
    assert selector.select(0.01) == []


@pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
def test_data_drained_while_others_run_is_not_reported(runtime, selector, connect):
    reader, writer = connect()
    selector.register(reader, EVENT_READ)
    writer.send(b"x")
    task = runtime.spawn(reader.recv, 1)  # runs when select() yields
    started = time.monotonic()
    assert selector.select(0.05) == []
    assert time.monotonic() - started >= 0.05
    assert runtime.join(task) == b"x"


def test_a_timeout_is_never_early(runtime, selector, connect):
    reader, _ = connect()
    for registered in (False, True):
        if registered:
            selector.register(reader, EVENT_READ)
        for timeout in (0.0004, 0.0015, 0.01, 0.05):
            for _ in range(5):
                started = time.monotonic()
                assert selector.select(timeout) == []
                assert timeout <= time.monotonic() - started < timeout + 5


def test_not_early_after_a_ready_file_was_unregistered(runtime, selector, connect):
    (first, peer), (second, _) = connect(), connect()
    selector.register(first, EVENT_READ)
    selector.register(second, EVENT_READ)
    peer.send(b"x")
    assert len(selector.select()) == 1
    selector.unregister(first)
    started = time.monotonic()
    assert selector.select(0.03) == []
    assert time.monotonic() - started >= 0.03


@pytest.mark.parametrize("timeout", [0, 0.0, -1, -0.5])
def test_without_waiting_ready_files_are_found_and_others_run(runtime, selector, connect, timeout):
    reader, writer = connect()
    selector.register(reader, EVENT_READ)
    turns = []

    def other():
        for turn in range(20):
            turns.append(turn)
            runtime.sleep(0)

    task = runtime.spawn(other)
    for _ in range(100):
        assert selector.select(timeout) == []
    writer.send(b"x")
    for _ in range(20):
        assert len(selector.select(timeout)) == 1
    runtime.join(task)
    assert len(turns) == 20


@pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
@pytest.mark.parametrize("ready", [False, True])
def test_every_call_lets_others_run_once(runtime, selector, connect, ready):
    reader, writer = connect()
    selector.register(reader, EVENT_READ)
    if ready:
        writer.send(b"x")
    turns = []

    def other():
        while len(turns) < 1000:
            turns.append(len(turns))
            runtime.sleep(0)

    task = runtime.spawn(other)
    for _ in range(50):
        selector.select(0)
    assert len(turns) >= 49
    runtime.kill(task)


@pytest.mark.once
@pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
def test_sleeps_after_a_select_run_their_full_length(runtime, selector, connect):
    reader, writer = connect()
    selector.register(reader, EVENT_READ)
    rounds = 1000 if type(selector).__name__ == "EpollSelector" else 100

    def peer():
        for _ in range(rounds):
            writer.send(b"x")
            writer.recv(1)

    task = runtime.spawn(peer)
    # gevent's own sleep is up to a millisecond early with libuv, which counts in these
    nap, shortest = (0.002, 0.0009) if runtime.name == "gevent-libuv" else (0.001, 0.001)
    for _ in range(rounds):
        assert len(selector.select(5)) == 1
        reader.recv(1)
        started = time.monotonic()
        runtime.sleep(nap)
        assert time.monotonic() - started >= shortest
        assert selector.select(0) == []
        reader.send(b"y")
    runtime.join(task)


@pytest.mark.parametrize("events", [EVENT_READ, EVENT_WRITE, BOTH])
def test_hang_up_counts_as_whatever_was_asked_for(runtime, selector, connect, events):
    end, peer = connect()
    peer.close()
    selector.register(end, events)
    [(_, seen)] = selector.select(1)
    assert seen == events


def test_broken_pipe_is_reported_to_a_writer(runtime, selector):
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            write(writer, bytes(65536))
    selector.register(writer, EVENT_WRITE)
    assert selector.select(0.01) == []
    close(reader)  # full as it is, only ERR can be said of it
    [(key, events)] = selector.select(1)
    assert (key.fd, events) == (writer, EVENT_WRITE)
    selector.unregister(writer)
    close(writer)


def test_the_end_of_a_pipe_is_reported_to_a_reader(runtime, selector):
    reader, writer = os.pipe()
    close(writer)  # only HUP can be said of it
    selector.register(reader, EVENT_READ)
    [(key, events)] = selector.select(1)
    assert (key.fd, events) == (reader, EVENT_READ)
    selector.unregister(reader)
    close(reader)


def test_integers_objects_and_duplicates_behave_alike(runtime, Selector, connect):
    reader, writer = connect()
    writer.send(b"x")
    duplicate = os.dup(reader.fileno())

    class File:
        def fileno(self):
            return reader.fileno()

    with Selector() as selector:
        for fileobj in (reader, reader.fileno(), File(), duplicate):
            key = selector.register(fileobj, EVENT_READ)
            assert selector.select(1) == [(key, EVENT_READ)]
            assert selector.get_key(fileobj) is key
            assert selector.unregister(fileobj) is key
            assert selector.select(0) == []
    close(duplicate)


def test_descriptor_0_is_a_descriptor(runtime, selector, connect):
    reader, writer = connect()
    saved = os.dup(0)
    os.dup2(reader.fileno(), 0)
    try:
        key = selector.register(0, EVENT_READ)
        assert selector.select(0.01) == []
        task = runtime.spawn(writer.send, b"x")
        assert selector.select(5) == [(key, EVENT_READ)]
        runtime.join(task)
        selector.unregister(0)
    finally:
        os.dup2(saved, 0)
        close(saved)


@pytest.mark.classes("DefaultSelector", "EpollSelector", "PollSelector")
def test_descriptor_2000(runtime, selector, connect):
    if isinstance(selector, coopselectors.SelectSelector):
        pytest.skip("select(2) has no such numbers, and nothing better is there")
    reader, writer = connect()
    high = 2000
    os.dup2(reader.fileno(), high)
    try:
        key = selector.register(high, EVENT_READ)
        assert selector.select(0.01) == []
        task = runtime.spawn(writer.send, b"x")
        assert selector.select(5) == [(key, EVENT_READ)]
        runtime.join(task)
        selector.unregister(high)
    finally:
        close(high)


def test_an_empty_selector_waits_for_what_is_registered_meanwhile(runtime, selector, connect):
    started = time.monotonic()
    assert selector.select(0.02) == []
    assert time.monotonic() - started >= 0.02
    if not runtime.cooperative and (workers.PLATFORM or not hasattr(selector, "fileno")):
        return  # poll(2), select(2) and poll(7d) take their list at the start of the call
    reader, writer = connect()
    writer.send(b"x")

    def later():
        runtime.sleep(0.02)
        selector.register(reader, EVENT_READ)

    task = runtime.spawn(later)
    [(key, _)] = selector.select(20)
    assert key.fileobj is reader
    runtime.join(task)


@pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
def test_modify_and_unregister_take_effect_during_a_wait(runtime, selector, connect):
    (reader, _), (other, peer) = connect(), connect()
    selector.register(reader, EVENT_READ)
    selector.register(other, EVENT_READ)

    def later():
        runtime.sleep(0.01)
        selector.unregister(other)
        peer.send(b"x")  # nobody asks for it any more
        runtime.sleep(0.02)
        selector.modify(reader, BOTH)

    task = runtime.spawn(later)
    [(key, events)] = selector.select(20)
    assert (key.fileobj, events) == (reader, EVENT_WRITE)
    runtime.join(task)


@pytest.mark.epoll
@pytest.mark.classes("DefaultSelector", "EpollSelector")
def test_the_cost_of_a_call_does_not_depend_on_the_idle_files(runtime, Selector, connect):
    def watch(idle):
        made = Selector()
        reader, writer = connect()
        writer.send(b"x")
        for _ in range(idle):
            made.register(connect()[0], EVENT_READ)
        made.register(reader, EVENT_READ)
        return made

    def cost(made):
        started = time.perf_counter()
        for _ in range(200):
            assert len(made.select()) == 1
        return time.perf_counter() - started

    few, many = watch(10), watch(1000)
    # Medians of interleaved rounds; a noisy machine gets more than one try.
    for _ in range(5):
        ratios = sorted(cost(many) / cost(few) for _ in range(21))
        if ratios[10] <= 1.3:
            break
    assert ratios[10] <= 1.3
    few.close()
    many.close()


@pytest.mark.epoll
@pytest.mark.parametrize("turns", range(5))
def test_what_is_drained_between_two_looks_ends_no_wait_early(runtime, Selector, connect, turns):
    if not runtime.cooperative:
        pytest.skip("nobody else runs between two looks")
    reader, writer = connect()
    doomed, other = connect()
    number = dup(doomed.fileno())

    def drain():
        for _ in range(turns):
            runtime.sleep(0)
        reader.recv(1)

    with Selector() as selector:
        selector.register(reader, EVENT_READ)
        selector.register(number, EVENT_READ)
        close(number)  # its file lives on, and the kernel goes on to report it
        selector.unregister(number)
        other.send(b"x")
        writer.send(b"x")
        task = runtime.spawn(drain)
        started = time.monotonic()
        ready = selector.select(0.05)
        assert ready or time.monotonic() - started >= 0.05
        runtime.join(task)
