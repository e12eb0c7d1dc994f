"""What if a wait is interrupted?  By kills, hub time-outs, exceptions, stray switches, signals."""

from __future__ import annotations

import signal
import time

import pytest

from coopselectors import EVENT_READ

hubs_only = pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")


WAYS = ("killed", "timed out", "thrown into")


@hubs_only
@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("nested", [True, False])
def test_an_interrupted_wait_leaves_nothing_and_the_selector_works_on(
    runtime, selector, connect, refuse_nesting, how, nested
):
    reader, writer = connect()
    key = selector.register(reader, EVENT_READ)
    if not nested:
        refuse_nesting(selector)
    runtime.introduce(selector)
    interrupt(runtime, selector, how, 5)  # the last exception's traceback holds a few things
    before = runtime.census()
    for timeout in (None, 5) * 3:
        interrupt(runtime, selector, how, timeout)
    assert runtime.grown(before) == {}
    started = time.monotonic()
    runtime.sleep(0.01)
    assert time.monotonic() - started >= 0.009
    task = runtime.spawn(writer.send, b"x")
    assert selector.select(5) == [(key, EVENT_READ)]
    runtime.join(task)


def interrupt(runtime, selector, how, timeout):
    if how == "timed out":
        with pytest.raises(runtime.Timeout), runtime.Timeout(0.003):
            selector.select(timeout)
        return
    task = runtime.spawn(selector.select, timeout)
    runtime.sleep(0.003)
    if how == "killed":
        runtime.kill(task)
    else:
        runtime.throw(task, ZeroDivisionError())
        with pytest.raises(ZeroDivisionError):
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


@pytest.mark.once
def test_signals_do_not_shorten_a_wait(runtime, selector, connect, signals):
    selector.register(connect()[0], EVENT_READ)
    seen = []
    thread = signals(lambda *_: seen.append(time.monotonic()), number=10, gap=0.03)
    started = time.monotonic()
    assert selector.select(0.6) == []
    assert time.monotonic() - started >= 0.6
    runtime.join_thread(thread)
    runtime.sleep(0.4)  # libuv looks for signals every 0.3 s
    # signals of one kind that wait to be handled become one
    assert len(seen) >= (1 if runtime.name == "gevent-libuv" else 5)


class Interrupted(Exception):
    pass


def interrupt_handler(*_):
    raise Interrupted


@pytest.fixture
def lasting(runtime):
    """A hub that an exception may leave."""
    if runtime.name == "eventlet-asyncio":  # eventlet 0.41, with or without us
        pytest.skip("eventlet's asyncio hub says 'Already running!' after a handler's exception")


#: The handler, the signal, and what comes out of it.
RAISING = {
    "a handler that raises": (interrupt_handler, signal.SIGUSR1, Interrupted),
    "control-C": (signal.default_int_handler, signal.SIGINT, KeyboardInterrupt),
}


@pytest.mark.usefixtures("lasting")
@pytest.mark.parametrize("name", RAISING)
def test_what_a_handler_raises_comes_out_of_the_main_greenlets_wait(
    runtime, selector, connect, signals, name
):
    handler, which, error = RAISING[name]
    reader, writer = connect()
    selector.register(reader, EVENT_READ)
    for timeout in (None, 20):
        with pytest.raises(error):
            # the sender may be faster than the first select
            signals(handler, which=which)
            selector.select(timeout)
    writer.send(b"x")
    assert len(selector.select(5)) == 1


@pytest.mark.usefixtures("lasting")
@pytest.mark.parametrize("name", RAISING)
def test_what_a_handler_raises_leaves_another_greenlets_wait_alone(
    runtime, selector, connect, signals, name
):
    handler, which, error = RAISING[name]
    reader, writer = connect()
    key = selector.register(reader, EVENT_READ)
    task = runtime.spawn(selector.select, 20)
    runtime.sleep(0.02)
    with pytest.raises(error):
        signals(handler, which=which)
        for _ in range(1000):
            runtime.sleep(0.02)
    writer.send(b"x")
    assert runtime.join(task) == [(key, EVENT_READ)]


@hubs_only
def test_ten_signals_do_not_shorten_another_greenlets_wait(runtime, selector, connect, signals):
    selector.register(connect()[0], EVENT_READ)
    seen = []

    def wait():
        started = time.monotonic()
        return selector.select(0.4), time.monotonic() - started

    task = runtime.spawn(wait)
    runtime.sleep(0.005)
    thread = signals(lambda *_: seen.append(1), number=10, gap=0.02)
    ready, elapsed = runtime.join(task)
    assert ready == []
    assert elapsed >= 0.4
    runtime.join_thread(thread)
    assert seen


@pytest.mark.runtimes("eventlet")
def test_a_system_exit_in_a_greenlet_leaves_the_outer_epoll_watched(runtime, selector, connect):
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


@pytest.mark.parametrize("name", ["PollSelector", "SelectSelector", "EpollSelector"])
def test_a_process_without_other_threads_waits_as_long_as_it_should(run_python, name):
    run_python(
        """
        import signal, socket, sys, time
        import coopselectors
        reader, writer = socket.socketpair()
        signal.signal(signal.SIGALRM, lambda *_: writer.send(b"x"))
        with getattr(coopselectors, sys.argv[1])() as selector:
            key = selector.register(reader, 1)
            for timeout in (0.002, 0.005, 0.05):
                started = time.perf_counter()
                assert selector.select(timeout) == []
                assert time.perf_counter() - started >= timeout
            for timeout in (None, 20):
                for delay in (0.001, 0.05):
                    signal.setitimer(signal.ITIMER_REAL, delay)
                    assert selector.select(timeout) == [(key, 1)]
                    assert reader.recv(1) == b"x"
            writer.send(b"x")
            assert selector.select(0.001) == selector.select(20) == [(key, 1)]
        """,
        name,
    )
