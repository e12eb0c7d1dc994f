"""Does each primitive of `coopselectors.select` wait and report correctly in every runtime?"""

from __future__ import annotations

import copy
import errno
import gc
import os
import pickle
import platform
import posix
import select as standard
import signal
import socket
import tempfile
import time

import pytest

from coopselectors import select as ours
from support import native, seams

READ, WRITE = 1, 2
POLLNVAL = 0x020

hubs_only = pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
files_only = pytest.mark.primitives("poll", "select")

PYPY = platform.python_implementation() == "PyPy"


@pytest.fixture
def watched(primitive, connect):
    """A primitive that watches one file for reading, that file, and its peer."""
    reader, writer = connect()
    primitive.watch(reader.fileno())
    return primitive, reader, writer


@hubs_only
def test_others_run_while_one_waits(runtime, watched):
    primitive, _reader, _writer = watched
    turns = []

    def tick():
        while True:
            turns.append(1)
            runtime.sleep(0.001)

    task = runtime.spawn(tick)
    try:
        for _ in range(2):  # the first wait may be another way than those that follow
            runtime.sleep(0)
            turns.clear()
            started = time.monotonic()
            assert primitive.wait(0.3) == {}
            assert time.monotonic() - started >= 0.3
            assert len(turns) > 10  # some 250; a hub that is held up gives none
    finally:
        runtime.kill(task)


@pytest.mark.parametrize("seconds", [None, 20])
def test_woken_by_a_peer(runtime, watched, seconds):
    primitive, reader, writer = watched
    for _ in range(3):
        task = runtime.spawn(lambda: (runtime.sleep(0.01), writer.send(b"x")))
        assert primitive.wait(seconds) == {reader.fileno(): READ}
        runtime.join(task)
        reader.recv(1)


def test_no_time_out_is_early(runtime, watched):
    primitive, _, _ = watched
    if PYPY and runtime.name == "native" and type(primitive).__name__ == "Poll":
        pytest.xfail("PyPy: poll.poll() rounds a time-out down to whole milliseconds")
    for seconds in (0.0004, 0.0015, 0.0104, 0.05) * 3:
        started = time.monotonic()
        assert primitive.wait(seconds) == {}
        # poll() and /dev/poll count whole milliseconds, and eventlet's clock may be theirs
        assert time.monotonic() - started >= seconds


def test_a_negative_time_out_waits_forever(runtime, watched):
    primitive, reader, writer = watched
    task = runtime.spawn(lambda: (runtime.sleep(0.05), writer.send(b"x")))
    if primitive.own is None or hasattr(primitive.own, "control"):
        with pytest.raises(ValueError, match="timeout must be"):
            primitive.call(-1)
    else:
        assert primitive.call(-1) == [(reader.fileno(), 1)]
    runtime.join(task)


def test_nothing_to_wait_for(runtime, primitive):
    started = time.monotonic()
    assert primitive.wait(0.03) == {}
    assert time.monotonic() - started >= 0.03
    assert primitive.wait(0) == {}


def test_all_ready_files_come_with_their_masks(runtime, primitive, connect):
    expected = {}
    for number in range(60):
        reader, writer = connect()
        events = (READ, WRITE, READ | WRITE)[number % 3]
        if number % 2:
            writer.send(b"x")
        primitive.watch(reader.fileno(), events)
        found = events & (WRITE | (READ if number % 2 else 0))
        if found:
            expected[reader.fileno()] = found
    for seconds in (0, 5, None):
        assert primitive.wait(seconds) == expected


def test_what_hangs_up(runtime, watched, connect):
    primitive, reader, _writer = watched
    kept = os.dup(reader.fileno())
    primitive.watch(kept)
    primitive.forget(reader.fileno())
    task = runtime.spawn(lambda: (runtime.sleep(0.02), connect.close()))
    assert primitive.wait(20) == {kept: READ}
    runtime.join(task)
    primitive.forget(kept)
    posix.close(kept)


def test_unread_data_is_reported_again_and_read_data_is_not(runtime, watched):
    primitive, reader, writer = watched
    writer.send(b"xy")
    for seconds in (0, 5, None):
        assert primitive.wait(seconds) == {reader.fileno(): READ}
    reader.recv(1)
    assert primitive.wait(5) == {reader.fileno(): READ}
    reader.recv(1)
    assert primitive.wait(0) == primitive.wait(0.01) == {}


@pytest.fixture
def calm(runtime):
    """Has whoever waits next give others their turn first, as after a while."""
    return lambda: seams.time_slice(False)


@hubs_only
def test_data_drained_by_others_during_the_yield_is_not_reported(runtime, watched, calm):
    primitive, reader, writer = watched
    for seconds in (0, 0.03, 0):
        calm()
        writer.send(b"x")
        received = []
        task = runtime.spawn(lambda: received.append(reader.recv(1)))
        found = primitive.wait(seconds)
        if seconds:  # one who has slept before sleeps at once, and may be woken before the other
            assert found == ({} if received else {reader.fileno(): READ})
        else:
            assert (found, received) == ({}, [b"x"])
        runtime.join(task)


@hubs_only
def test_a_greenlet_that_always_finds_files_ready_yields_now_and_then(runtime, watched):
    primitive, reader, writer = watched
    writer.send(b"x")
    ready = {reader.fileno(): READ}
    turns = []

    def tick():
        while True:
            turns.append(1)
            runtime.sleep(0.001)

    task = runtime.spawn(tick)
    until = time.monotonic() + 20
    while len(turns) < 10:
        assert primitive.wait(None) == ready
        assert time.monotonic() < until
    runtime.kill(task)


@hubs_only
def test_a_call_that_finds_nothing_lets_others_run(runtime, watched):
    primitive, _, _ = watched
    turns = []

    def tick():
        while True:
            turns.append(1)
            runtime.sleep(0)

    task = runtime.spawn(tick)
    runtime.sleep(0)
    for _ in range(20):
        before = len(turns)
        assert primitive.wait(0) == {}
        assert len(turns) > before
    runtime.kill(task)


@hubs_only
def test_in_the_hubs_own_greenlet(runtime, watched):
    primitive, reader, writer = watched
    writer.send(b"x")
    primitive.wait(5)
    found = []

    def call(seconds):
        def do():
            try:
                found.append(primitive.wait(seconds))
            except BaseException as error:
                found.append(error)

        runtime.call_in_hub(do)
        until = time.monotonic() + 20
        while not found:
            assert time.monotonic() < until
            runtime.sleep(0.001)
        return found.pop()

    refused = call_refused(runtime)
    ready = {reader.fileno(): READ}
    assert call(0) == ready
    reader.recv(1)
    assert call(0) == {}
    for seconds in (0.01, None):
        error = call(seconds)
        assert type(error) is refused, error
    writer.send(b"x")
    assert primitive.wait(5) == ready


def call_refused(runtime):
    """The class of what this runtime's hub raises when it is asked to wait for itself."""
    if runtime.owner == "eventlet":
        return RuntimeError
    from gevent.exceptions import BlockingSwitchOutError

    return BlockingSwitchOutError


@pytest.mark.once
def test_signals_do_not_shorten_a_wait(runtime, watched, signals):
    primitive, _, _ = watched
    seen = []
    thread = signals(lambda *_: seen.append(1), number=5, gap=0.03)
    started = time.monotonic()
    assert primitive.wait(0.4) == {}
    assert time.monotonic() - started >= 0.4
    runtime.join_thread(thread)
    until = time.monotonic() + 20
    while not seen:  # libuv looks for signals every 0.3 s
        assert time.monotonic() < until
        runtime.sleep(0.01)


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("seconds", [None, 20])
def test_what_a_handler_raises_comes_out(runtime, watched, signals, seconds):
    if runtime.name == "eventlet-asyncio":
        pytest.skip("eventlet's asyncio hub says 'Already running!' after a handler's exception")
    primitive, reader, writer = watched

    def interrupt(*_):
        raise Interrupted

    started = time.monotonic()
    with pytest.raises(Interrupted):
        signals(interrupt, which=signal.SIGUSR2)
        primitive.wait(seconds)
    assert time.monotonic() - started < 10
    writer.send(b"x")
    assert primitive.wait(5) == {reader.fileno(): READ}


def test_no_cpu_is_used_while_nobody_waits(runtime, watched):
    primitive, reader, writer = watched
    used = []
    for _ in range(3):
        used.append(-time.process_time())
        assert primitive.wait(0.1) == {}
        used[-1] += time.process_time()
    assert min(used) < 0.05
    writer.send(b"x")  # it is ready, and nobody waits to hear
    assert primitive.wait(5) == {reader.fileno(): READ}
    started = time.process_time()
    runtime.sleep(0.2)
    assert time.process_time() - started < 0.15


def test_two_hundred_calls_leave_no_descriptor(runtime, Primitive, connect):
    def call_often():
        for number in range(100):
            primitive = Primitive()
            file, writer = pairs[number % len(pairs)]
            primitive.watch(file.fileno())
            assert primitive.wait(0.0001) == {}
            writer.send(b"x")
            assert primitive.wait(5) == {file.fileno(): READ}
            file.recv(1)
            primitive.close()

    pairs = [connect() for _ in range(30)]
    call_often()
    before = runtime.census()
    call_often()
    now = runtime.census()
    # `select` keeps some for its next calls
    assert now.pop("descriptors") <= before.pop("descriptors") + 16
    assert now == before


@files_only
def test_a_regular_file_is_always_ready(runtime, primitive, connect):
    with tempfile.TemporaryFile() as file:
        primitive.watch(file.fileno(), READ | WRITE)
        primitive.watch(connect()[0].fileno())
        for seconds in (0, 5, None):
            assert primitive.wait(seconds) == {file.fileno(): READ | WRITE}
        primitive.forget(file.fileno())


@pytest.mark.primitives("select")
def test_a_hang_up_that_select_does_not_report_in_several_calls(runtime, primitive, connect):
    writer, _ = connect()
    idle, peer = connect()
    writer.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            writer.send(bytes(4096))
    primitive.watch(writer.fileno(), WRITE)
    primitive.watch(idle.fileno())
    assert primitive.wait(0.05) == {}
    writer.shutdown(socket.SHUT_RDWR)
    for _ in range(3):
        assert primitive.wait(0.05) == {}
    task = runtime.spawn(lambda: (runtime.sleep(0.02), peer.send(b"x")))
    assert primitive.wait(20) == {idle.fileno(): READ}
    runtime.join(task)


@files_only
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_closed_file(runtime, primitive, connect, when):
    reader, writer = connect()
    primitive.watch(writer.fileno(), READ)
    if when == "meanwhile":
        assert primitive.wait(0.01) == {}
    closed = os.dup(reader.fileno())
    primitive.watch(closed)
    if when == "meanwhile":
        assert primitive.wait(0.01) == {}
    posix.close(closed)
    for seconds in (0, 5, None):
        if primitive.own is not None:
            assert primitive.call(seconds and 5000) == [(closed, POLLNVAL)]
        else:
            with pytest.raises(OSError) as caught:
                primitive.call(seconds)
            assert caught.value.errno == errno.EBADF
    primitive.forget(closed)
    reader.send(b"x")
    assert primitive.wait(5) == {writer.fileno(): READ}


@files_only
def test_a_number_that_another_file_gets(runtime, primitive, connect):
    reader, _writer = connect()
    (number, peer), (other, other_peer) = connect(), connect()
    primitive.watch(reader.fileno())
    primitive.watch(number.fileno())
    assert primitive.wait(0.01) == {}
    kept = os.dup(number.fileno())  # the file that was there lives on
    os.dup2(other.fileno(), number.fileno())
    peer.send(b"x")
    assert primitive.wait(0.03) == {}
    task = runtime.spawn(lambda: (runtime.sleep(0.01), other_peer.send(b"x")))
    assert primitive.wait(20) == {number.fileno(): READ}
    runtime.join(task)
    posix.close(kept)


def test_files_change_between_the_calls(runtime, primitive, connect):
    (reader, writer), (other, peer) = connect(), connect()
    primitive.watch(reader.fileno())
    for _ in range(3):
        assert primitive.wait(0.005) == {}
        primitive.watch(other.fileno())
        assert primitive.wait(0.005) == {}
        task = runtime.spawn(lambda: (runtime.sleep(0.005), peer.send(b"x")))
        assert primitive.wait(20) == {other.fileno(): READ}
        runtime.join(task)
        primitive.watch(other.fileno(), READ | WRITE)
        assert primitive.wait(20) == {other.fileno(): READ | WRITE}
        primitive.watch(other.fileno(), WRITE)
        assert primitive.wait(20) == {other.fileno(): WRITE}
        other.recv(1)
        primitive.forget(other.fileno())
    task = runtime.spawn(lambda: (runtime.sleep(0.005), writer.send(b"x")))
    assert primitive.wait(20) == {reader.fileno(): READ}
    runtime.join(task)


def test_the_module_is_whole(runtime):
    pristine = native.constants
    assert {name: getattr(ours, name) for name in pristine} == pristine
    assert {*ours.__all__} >= {"error", "select", *pristine}
    for name in ("select", "poll", "epoll", "devpoll", "kqueue", "kevent"):
        assert hasattr(ours, name) == (native.find(name) is not None)
    assert ours.error is standard.error
    for name in ("select", "poll", "epoll", "devpoll", "kqueue"):
        each = getattr(ours, name, None)
        assert each is None or (each.__module__, each.__name__) == ("coopselectors.select", name)


class Number:
    """What has ``__index__()`` is a number to the primitives, too."""

    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value


def test_a_time_out_may_be_any_number(runtime, watched):
    primitive, _reader, writer = watched
    if PYPY and runtime.name == "native":
        pytest.xfail("PyPy: the primitives take nothing with __index__() for a time-out")
    assert primitive.call(Number(0)) in ([], ([], [], []))
    for bad in (float("nan"), "20", 1e300):
        with pytest.raises((ValueError, TypeError, OverflowError)) as ours_says:
            primitive.call(bad)
        with pytest.raises((ValueError, TypeError, OverflowError)) as native_says:
            native.select([], [], [], bad)
        assert ours_says.type is native_says.type
    writer.send(b"x")
    assert primitive.call(Number(20)) == primitive.call(20)
    assert primitive.wait(20)


def test_select_refuses_what_the_native_one_refuses(runtime, connect):
    _reader, writer = connect()
    for _ in range(2):  # one who has just had something does not give way, and asks at once
        assert ours.select([], [writer], [], 20) == ([], [writer], [])
        for bad in (-1, True - 2, Number(0)):
            with pytest.raises((ValueError, TypeError)) as ours_says:
                ours.select([bad], [], [], 0)
            with pytest.raises((ValueError, TypeError)) as native_says:
                native.select([bad], [], [], 0)
            assert ours_says.type is native_says.type


def test_select_can_be_copied():
    # as what holds it is; a copy of a built-in function is that function
    assert copy.copy(ours.select) == ours.select
    assert copy.deepcopy({"wait": ours.select}) == {"wait": ours.select}
    assert pickle.loads(pickle.dumps(ours.select)) == ours.select


@hubs_only
def test_an_object_that_is_dropped_leaves_nothing(runtime, Primitive, connect):
    reader, _writer = connect()
    before = None
    for _ in range(3):
        opened = len(os.listdir("/proc/self/fd"))
        primitive = Primitive()
        primitive.watch(reader.fileno())
        for seconds in (0.001, 0.01):
            assert primitive.wait(seconds) == {}
        gc.disable()
        try:
            del primitive
            left = len(os.listdir("/proc/self/fd"))
        finally:
            gc.enable()
        assert left <= opened or before is None  # `select` has a poller for its next call
        now = runtime.census()
        assert before in (None, now)
        before = now
