"""Does an exclusive wake-up (EPOLLEXCLUSIVE) wake one waiter only?

Under a hub, a thread has to wait for it in the greenlet's place.
"""

from __future__ import annotations

import posix
import time

import pytest

import coopselectors
from coopselectors import EVENT_READ, EVENT_WRITE
from support import native, seams
from support.runtimes import missing

EXCLUSIVE, ET = 1 << 28, 1 << 31
IN = 0x1

hubs_only = pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
pytestmark = [pytest.mark.epoll, pytest.mark.usefixtures("trace_all_threads", "new_threads")]


@pytest.fixture
def selector():
    with coopselectors.EpollSelector() as made:
        yield made


def told(selector, timeout=0):
    """What one call says: ``{descriptor: (events, native mask)}``."""
    return {
        key.fd: (int(events), getattr(events, "native", None))
        for key, events in selector.select(timeout)
    }


def exclusive(selector, connect, extra=EXCLUSIVE):
    reader, writer = connect()
    selector.register(reader, EVENT_READ, extra_events=extra)
    return reader, writer


@pytest.mark.parametrize("timeout", [None, 20])
def test_a_wait_for_an_exclusive_file(runtime, selector, connect, timeout):
    reader, writer = exclusive(selector, connect)
    other, peer = connect()
    selector.register(other, EVENT_READ, extra_events=ET)
    for _ in range(5):
        task = runtime.spawn(lambda: (runtime.sleep(0.01), writer.send(b"x")))
        assert told(selector, timeout) == {reader.fileno(): (EVENT_READ, IN)}
        runtime.join(task)
        reader.recv(1)
        task = runtime.spawn(lambda: (runtime.sleep(0.01), peer.send(b"x")))
        assert told(selector, timeout) == {other.fileno(): (EVENT_READ, IN)}
        runtime.join(task)
        started = time.monotonic()
        assert selector.select(0.03) == []
        assert time.monotonic() - started >= 0.03
    selector.unregister(reader)
    runtime.introduce(selector)  # no thread is needed any more
    task = runtime.spawn(lambda: (runtime.sleep(0.01), peer.send(b"x")))
    assert told(selector, timeout) == {other.fileno(): (EVENT_READ, IN)}
    runtime.join(task)
    selector.register(reader, EVENT_WRITE)
    assert told(selector, 1) == {reader.fileno(): (EVENT_WRITE, None)}


def test_an_exclusive_file_stays_exclusive(runtime, selector, connect):
    reader, writer = exclusive(selector, connect)
    plain, _ = connect()
    selector.register(plain, EVENT_READ)
    for file, events, extra in (
        (reader, EVENT_WRITE, EXCLUSIVE),
        (reader, EVENT_READ, EXCLUSIVE | ET),
        (reader, EVENT_READ, 0),
        (plain, EVENT_READ, EXCLUSIVE),
    ):
        with pytest.raises(ValueError, match="unregister the file, and register it again"):
            selector.modify(file, events, extra_events=extra)
    key = selector.modify(reader, EVENT_READ, "other data", extra_events=EXCLUSIVE)
    writer.send(b"x")
    assert selector.select(1) == [(key, EVENT_READ)]
    with coopselectors.EpollSelector() as inner:
        with pytest.raises(ValueError, match=r"descriptor \d+, an epoll"):
            selector.register(inner, EVENT_READ, extra_events=EXCLUSIVE)
        assert inner not in selector.get_map()


def woken_of_four(runtime, connect):
    """How many of four who wait, beside one who does not, are woken by one byte for all."""
    reader, writer = connect()
    selectors = [coopselectors.EpollSelector() for _ in range(5)]
    for selector in selectors:
        selector.register(reader, EVENT_READ, extra_events=EXCLUSIVE)
    woken = []

    def wait(selector):
        assert len(selector.select(30)) == 1
        woken.append(selector)

    tasks = {selector: runtime.spawn(wait, selector) for selector in selectors[1:]}
    runtime.settle()
    runtime.sleep(0.05)
    writer.send(b"x")
    while not woken:
        runtime.sleep(0.001)
    runtime.sleep(0.05)
    found = len(woken)
    for selector in selectors:
        selector.close()
    for selector, task in tasks.items():
        if selector in woken:
            runtime.join(task)
        else:
            with pytest.raises(ValueError, match="closed"):
                runtime.join(task)
    runtime.settle()
    return found


@hubs_only
def test_an_exclusive_wake_up_goes_to_one(runtime, connect):
    # On a busy machine a thread may be on its way into the kernel still, and find the byte there;
    # without it being exclusive, all four would be woken each time.
    assert any(woken_of_four(runtime, connect) == 1 for _ in range(10))


@hubs_only
def test_killing_a_greenlet_ends_the_wait_of_its_thread(runtime, selector, connect):
    reader, writer = exclusive(selector, connect)
    other, peer = connect()
    selector.register(other, EVENT_READ, extra_events=ET)
    before = runtime.threads()
    patient = runtime.spawn(told, selector, 30)
    seams.until_threads_wait(runtime, 1)
    for _ in range(3):
        task = runtime.spawn(selector.select)
        seams.until_threads_wait(runtime, 2)
        runtime.kill(task)
        seams.until_threads_wait(runtime, 1)
    assert selector.select(0) == []  # what has called it back is no file of the program's
    assert runtime.threads() <= before + 2  # the second one was used again
    peer.send(b"x")
    assert runtime.join(patient) == {other.fileno(): (EVENT_READ, IN)}
    writer.send(b"x")
    assert told(selector, 1) == {reader.fileno(): (EVENT_READ, IN)}


@hubs_only
def test_threads_of_killed_greenlets_are_reused(runtime, selector, connect):
    exclusive(selector, connect)
    before = runtime.threads()
    for _ in range(10):
        tasks = [runtime.spawn(selector.select) for _ in range(3)]
        seams.until_threads_wait(runtime, 3)
        for task in tasks:
            runtime.kill(task)
        seams.until_threads_wait(runtime, 0)
    assert runtime.threads() <= before + 3
    assert selector.select(0) == []


@hubs_only
@pytest.mark.parametrize("pause", [0, 0.001, 0.02])
def test_a_change_nobody_waits_for_is_reported_later(runtime, selector, connect, pause):
    # The thread has been told already, or is just being told, when its greenlet is killed.
    reader, writer = exclusive(selector, connect, EXCLUSIVE | ET)
    for _ in range(5):
        task = runtime.spawn(selector.select)
        runtime.settle()
        writer.send(b"x")
        native.select([], [], [], pause)  # the hub stands still, the thread does not
        runtime.kill(task)
        runtime.settle()
        assert told(selector, 1) == {reader.fileno(): (EVENT_READ, IN)}
        assert selector.select(0) == []


@hubs_only
def test_a_thread_survives_that_the_file_is_closed_when_it_is_called_back(
    runtime, selector, connect
):
    # What it has been told of cannot be put back, as there is no file any more.
    (reader, writer), (other, peer) = exclusive(selector, connect, EXCLUSIVE | ET), connect()
    key = selector.register(other, EVENT_READ, extra_events=EXCLUSIVE)
    before = runtime.threads()
    task = runtime.spawn(selector.select)
    runtime.settle()
    writer.send(b"x")
    native.select([], [], [], 0.02)
    posix.close(reader.detach())
    runtime.kill(task)
    runtime.settle()
    task = runtime.spawn(lambda: (runtime.sleep(0.01), peer.send(b"x")))
    assert selector.select(20) == [(key, EVENT_READ)]
    runtime.join(task)
    assert runtime.threads() <= before + 2


@pytest.mark.once
@pytest.mark.parametrize(
    ("name", "patch"),
    {
        "gevent-libev": "import gevent.monkey; gevent.monkey.patch_all()",
        "gevent-libuv": "import gevent.monkey; gevent.monkey.patch_all()",
        "eventlet": "import eventlet; eventlet.monkey_patch()",
    }.items(),
    ids=lambda given: "" if "import" in given else given,
)
def test_the_threads_are_real_ones_where_the_patch_comes_first(run_python, name, patch):
    if missing(name):
        pytest.skip(missing(name))
    output = run_python(
        f"""
        import warnings
        warnings.simplefilter("ignore")
        {patch}
        import os
        import coopselectors

        def threads():
            return len(os.listdir("/proc/self/task"))

        with coopselectors.EpollSelector() as selector:
            reader, writer = os.pipe()
            selector.register(reader, coopselectors.EVENT_READ, extra_events=1 << 28)
            before = threads()
            assert selector.select(0.02) == []
            while threads() == before:  # a slow machine's time was up before it slept
                assert selector.select(0.02) == []
            os.write(writer, b"x")
            assert len(selector.select()) == 1
            assert threads() == before + 1
        print("done")
        """,
        GEVENT_LOOP="libuv-cffi" if name == "gevent-libuv" else "libev-cext",
    )
    assert output == "done\n"


@hubs_only
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*fork")
def test_a_forked_child_waits_without_the_parents_thread(runtime, selector, connect, in_child):
    reader, writer = exclusive(selector, connect)
    task, brief = (runtime.spawn(told, selector, timeout) for timeout in (20, 0.01))
    assert runtime.join(brief) == {}
    runtime.settle()

    def write():
        for _ in range(100):  # one wakes the parent's thread, another one ours
            runtime.sleep(0.02)
            writer.send(b"x")

    def child():
        runtime.spawn(write)
        return runtime.join(task), told(selector, 20)

    ready = {reader.fileno(): (EVENT_READ, IN)}
    assert in_child(child)() == (ready, ready)
    assert runtime.join(task) == ready


@hubs_only
def test_close_wakes_a_waiter_for_an_exclusive_file(runtime, selector, connect):
    exclusive(selector, connect)
    tasks = [runtime.spawn(selector.select, timeout) for timeout in (None, 20)]
    runtime.settle()
    selector.close()
    for task in tasks:
        with pytest.raises(ValueError, match="closed"):
            runtime.join(task)
    runtime.settle()


@hubs_only
def test_a_file_registered_during_a_wait(runtime, selector, connect):
    plain, _ = connect()
    selector.register(plain, EVENT_READ)
    task = runtime.spawn(told, selector, 20)
    runtime.introduce(selector)
    reader, writer = exclusive(selector, connect)
    runtime.settle()
    writer.send(b"x")
    assert runtime.join(task) == {reader.fileno(): (EVENT_READ, IN)}


@pytest.mark.classes("EpollSelector")
def test_a_number_whose_file_lives_on_in_a_duplicate(runtime, selector, connect):
    (old, old_peer), (new, new_peer) = connect(), connect()
    number = posix.dup(old.fileno())
    selector.register(number, EVENT_READ)
    posix.close(number)
    selector.unregister(number)  # whose file the kernel goes on to watch, for `old` is open
    posix.dup2(new.fileno(), number)
    key = selector.register(number, EVENT_READ, extra_events=EXCLUSIVE)
    old_peer.send(b"x")
    assert selector.select(0.05) == []
    new_peer.send(b"x")
    assert [each for each, _ in selector.select(5)] == [key]
    selector.unregister(number)
    posix.close(number)
