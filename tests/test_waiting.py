"""Who waits, who wakes, and what is left behind?  Many greenlets, closes, kills, signals, hubs."""

from __future__ import annotations

import os
import signal
import time

import pytest

from coopselectors import EVENT_READ, _originals
from runtimes import start_new_thread

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
@pytest.mark.parametrize("how", ["killed", "timed out"])
def test_an_interrupted_wait_leaves_nothing_and_the_selector_works_on(
    runtime, selector, connect, how
):
    reader, writer = connect()
    key = selector.register(reader, EVENT_READ)
    runtime.introduce(selector)
    before = len(os.listdir("/proc/self/fd"))
    for timeout in (None, 5):
        if how == "killed":
            task = runtime.spawn(selector.select, timeout)
            runtime.sleep(0.005)
            runtime.kill(task)
        else:
            with pytest.raises(runtime.Timeout), runtime.Timeout(0.005):
                selector.select(timeout)
    nest = runtime.hub()._coopselectors_nest
    assert nest.waiting == 0
    assert len(os.listdir("/proc/self/fd")) == before
    started = time.monotonic()
    runtime.sleep(0.01)
    assert time.monotonic() - started >= 0.009
    task = runtime.spawn(writer.send, b"x")
    assert selector.select(5) == [(key, EVENT_READ)]
    runtime.join(task)


@hubs_only
def test_one_of_the_waiting_kills_another_when_both_are_woken(runtime, selector, connect):
    reader, writer = connect()
    selector.register(reader, EVENT_READ)
    tasks = []

    def first():
        ready = selector.select(20)
        runtime.kill(tasks[1])
        return ready

    tasks += [runtime.spawn(first), runtime.spawn(selector.select, 20)]
    runtime.sleep(0.01)
    writer.send(b"x")
    assert len(runtime.join(tasks[0])) == 1
    runtime.sleep(0.01)
    assert runtime.hub()._coopselectors_nest.waiting == 0


@hubs_only
def test_a_stranger_may_switch_into_a_waiting_greenlet(runtime, selector, connect):
    # as eventlet does with call-backs of an earlier wait (its issue 551)
    import greenlet

    reader, _ = connect()
    selector.register(reader, EVENT_READ)
    runtime.introduce(selector)
    current = greenlet.getcurrent()
    for delay in (0.001, 0.002, 0.003):
        runtime.spawn(lambda d=delay: (runtime.sleep(d), runtime.call_in_hub(current.switch)))
    started = time.monotonic()
    assert selector.select(0.05) == []
    assert time.monotonic() - started >= 0.05


@hubs_only
@pytest.mark.classes("EpollSelector", "PollSelector")
def test_a_ready_file_that_nobody_waits_for_costs_nothing(runtime, selector, connect):
    reader, writer = connect()
    key = selector.register(reader, EVENT_READ)
    runtime.introduce(selector)
    writer.send(b"x")
    started = time.process_time()
    runtime.sleep(0.3)
    assert time.process_time() - started < 0.15
    assert selector.select(1) == [(key, EVENT_READ)]
    reader.recv(1)
    task = runtime.spawn(writer.send, b"x")
    assert selector.select(5) == [(key, EVENT_READ)]
    runtime.join(task)


@hubs_only
def test_the_hub_itself_may_look_but_not_wait(runtime, selector, connect):
    reader, writer = connect()
    selector.register(reader, EVENT_READ)
    seen = []

    def look():
        seen.append(selector.select(0))
        try:
            selector.select(0.01)
        except BaseException as error:
            seen.append(error)

    for _ in range(2):
        runtime.call_in_hub(look)
        runtime.sleep(0.01)
        writer.send(b"x")
    assert seen[0] == []
    assert len(seen[2]) == 1
    for error in (seen[1], seen[3]):
        assert type(error).__name__ in ("BlockingSwitchOutError", "RuntimeError")
        assert "blocking function" in str(error)


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


def send_signals(number, gap):
    """Send signals to this process, from a thread that no patch can stop; return what joins it."""

    def run():
        for _ in range(number):
            _originals.select([], [], [], gap)
            os.kill(os.getpid(), signal.SIGUSR1)

    start, is_done = real_thread(run)
    start()

    def join(sleep):
        while not is_done():
            sleep(0.005)

    return join


@pytest.fixture
def on_signal():
    saved = []

    def set_handler(handler):
        saved.append(signal.signal(signal.SIGUSR1, handler))

    yield set_handler
    for handler in reversed(saved):
        signal.signal(signal.SIGUSR1, handler)


def test_signals_do_not_shorten_a_wait(runtime, selector, connect, on_signal):
    selector.register(connect()[0], EVENT_READ)
    seen = []
    on_signal(lambda *_: seen.append(time.monotonic()))
    join = send_signals(10, 0.03)
    started = time.monotonic()
    assert selector.select(0.6) == []
    assert time.monotonic() - started >= 0.6
    join(runtime.sleep)
    runtime.sleep(0.4)  # libuv looks for signals every 0.3 s
    # signals of one kind that wait to be handled become one
    assert len(seen) >= (1 if runtime.name == "gevent-libuv" else 5)


def test_the_exception_of_a_signal_handler_comes_out(runtime, selector, connect, on_signal):
    reader, writer = connect()
    selector.register(reader, EVENT_READ)

    class Interrupted(Exception):
        pass

    def handler(*_):
        raise Interrupted

    on_signal(handler)
    for timeout in (None, 20):
        join = send_signals(1, 0.05)
        with pytest.raises(Interrupted):
            selector.select(timeout)
        join(runtime.sleep)
    writer.send(b"x")
    assert len(selector.select(5)) == 1


@hubs_only
def test_an_exception_out_of_nowhere_goes_to_the_main_greenlet(runtime, selector, connect):
    # as that of a signal handler which happens to run within our call-back
    reader, writer = connect()
    selector.register(reader, EVENT_READ)
    runtime.introduce(selector)
    nest = runtime.hub()._coopselectors_nest
    poller, nest._poller = nest._poller, None  # makes the next call-back fail
    try:
        task = runtime.spawn(writer.send, b"x")
        with pytest.raises(AttributeError):
            runtime.sleep(5)
    finally:
        nest._poller = poller
    runtime.join(task)
    assert len(selector.select(5)) == 1
    reader.recv(1)
    task = runtime.spawn(writer.send, b"x")
    assert len(selector.select(5)) == 1
    runtime.join(task)


@pytest.mark.runtimes("eventlet")
def test_a_system_exit_in_a_greenlet_leaves_the_nest_watched(runtime, selector, connect):
    import greenlet

    reader, writer = connect()
    selector.register(reader, EVENT_READ)

    def leave():
        selector.select(5)
        raise SystemExit(3)

    raw = greenlet.greenlet(leave, runtime.hub().greenlet)
    runtime.call_in_hub(raw.switch)
    runtime.sleep(0.01)
    writer.send(b"x")
    with pytest.raises(SystemExit):
        runtime.sleep(5)
    reader.recv(1)
    task = runtime.spawn(writer.send, b"x")
    assert len(selector.select(5)) == 1
    runtime.join(task)


@pytest.mark.runtimes("gevent-libev", "gevent-libuv")
def test_an_idle_selector_does_not_keep_the_hub_alive(runtime, selector, connect):
    import gevent

    selector.register(connect()[0], EVENT_READ)
    runtime.introduce(selector)
    with pytest.raises(gevent.exceptions.LoopExit):
        gevent.event.Event().wait()
    started = time.monotonic()
    assert gevent.wait(timeout=5)
    assert time.monotonic() - started < 4


@pytest.mark.runtimes("gevent-libev", "gevent-libuv")
def test_a_waiting_selector_keeps_the_hub_alive(runtime, selector, connect):
    reader, writer = connect()
    selector.register(reader, EVENT_READ)
    sender, _ = real_thread(lambda: (_originals.select([], [], [], 0.1), os.write(fd, b"x")))
    fd = writer.fileno()
    sender()
    assert len(selector.select()) == 1


@hubs_only
def test_a_selector_in_a_real_thread_beside_the_hub(runtime, Selector, connect):
    reader, writer = connect()
    results = []

    def in_thread():
        with Selector() as selector:
            selector.register(reader, EVENT_READ)
            results.append(selector.select(0.01))
            results.append(len(selector.select(20)))
        release_hub()

    def release_hub():
        if runtime.owner == "gevent":
            runtime.hub().destroy()

    start_thread, wait = real_thread(in_thread)
    start_thread()
    runtime.sleep(0.1)
    writer.send(b"x")
    while not wait():
        runtime.sleep(0.005)
    assert results == [[], 1]


@hubs_only
def test_a_selector_goes_from_one_thread_to_another(runtime, Selector, connect):
    reader, writer = connect()
    selector = Selector()
    key = selector.register(reader, EVENT_READ)
    runtime.introduce(selector)
    results = []

    def in_thread():
        results.append(selector.select(20))
        if runtime.owner == "gevent":
            runtime.hub().destroy()

    start_thread, wait = real_thread(in_thread)
    start_thread()
    runtime.sleep(0.05)
    writer.send(b"x")
    while not wait():
        runtime.sleep(0.005)
    assert results == [[(key, EVENT_READ)]]
    assert selector.select(5) == [(key, EVENT_READ)]
    selector.close()


@hubs_only
def test_close_wakes_who_waits_in_another_thread(runtime, Selector, connect):
    selector = Selector()
    selector.register(connect()[0], EVENT_READ)
    results = []

    def in_thread():
        try:
            selector.select()
        except ValueError as error:
            results.append(str(error))
        if runtime.owner == "gevent":
            runtime.hub().destroy()

    start_thread, wait = real_thread(in_thread)
    start_thread()
    runtime.sleep(0.1)
    selector.close()
    while not wait():
        runtime.sleep(0.005)
    assert "closed" in results[0]


def real_thread(function):
    """A thread of the operating system under any patch: how to start it, and whether it is done."""
    done = []

    def run():
        try:
            function()
        finally:
            done.append(True)

    return (lambda: start_new_thread(run, ())), (lambda: bool(done))
