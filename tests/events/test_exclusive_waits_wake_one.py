"""Does an exclusive wake-up (EPOLLEXCLUSIVE) wake one?

Under a hub, a thread has to wait for it in the greenlet's place.
"""

from __future__ import annotations

import time

import pytest

import coopselectors
from coopselectors import EVENT_READ, EVENT_WRITE
from coopselectors._hubs import _deputy
from coopselectors._hubs._nest import Seat
from support.runtimes import missing

EXCLUSIVE, ET = 1 << 28, 1 << 31
IN = 0x1

hubs_only = pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
pytestmark = [pytest.mark.epoll, pytest.mark.usefixtures("trace_all_threads", "no_idle_threads")]


@pytest.fixture
def no_idle_threads(monkeypatch):
    monkeypatch.setattr(_deputy.office, "_idle", [])


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


def under_way(runtime, number):
    """Let others run until so many threads wait for somebody."""
    until = time.monotonic() + 20
    while len(_deputy.office._under_way) != number:
        assert time.monotonic() < until
        runtime.sleep(0.001)


@pytest.mark.parametrize("timeout", [None, 20])
def test_who_waits_for_an_exclusive_file(runtime, selector, connect, timeout):
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


def test_what_is_exclusive_stays_so(runtime, selector, connect):
    reader, writer = exclusive(selector, connect)
    plain, _ = connect()
    selector.register(plain, EVENT_READ)
    for file, events, extra in (
        (reader, EVENT_WRITE, EXCLUSIVE),
        (reader, EVENT_READ, EXCLUSIVE | ET),
        (reader, EVENT_READ, 0),
        (plain, EVENT_READ, EXCLUSIVE),
    ):
        with pytest.raises(ValueError, match="unregister the file, and register it anew"):
            selector.modify(file, events, extra_events=extra)
    key = selector.modify(reader, EVENT_READ, "other data", extra_events=EXCLUSIVE)
    writer.send(b"x")
    assert selector.select(1) == [(key, EVENT_READ)]
    with coopselectors.EpollSelector() as inner:
        with pytest.raises(ValueError, match="it is an epoll"):
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
    under_way(runtime, 4)
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
    under_way(runtime, 0)
    return found


@hubs_only
def test_an_exclusive_wake_up_goes_to_one(runtime, connect):
    # On a busy machine a thread may be on its way into the kernel still, and find the byte there;
    # without it being exclusive, all four would be woken each time.
    assert any(woken_of_four(runtime, connect) == 1 for _ in range(10))


@hubs_only
def test_a_thread_is_called_back_from_who_is_killed(runtime, selector, connect):
    reader, writer = exclusive(selector, connect)
    other, peer = connect()
    selector.register(other, EVENT_READ, extra_events=ET)
    patient = runtime.spawn(told, selector, 30)
    under_way(runtime, 1)
    for _ in range(3):
        task = runtime.spawn(selector.select)
        under_way(runtime, 2)
        runtime.kill(task)
        while selector._poller.called_back:  # of the two threads, the right one comes back
            runtime.sleep(0.001)
        under_way(runtime, 1)
    assert len(_deputy.office._idle) == 1
    assert selector._poller.poll(0) == selector.select(0) == []  # the doorbell is out again
    peer.send(b"x")
    assert runtime.join(patient) == {other.fileno(): (EVENT_READ, IN)}
    assert not runtime.hub()._coopselectors_nest.guests
    writer.send(b"x")
    assert told(selector, 1) == {reader.fileno(): (EVENT_READ, IN)}


@hubs_only
def test_who_is_not_meant_does_not_take_the_doorbell_for_a_closed_file(runtime, selector, connect):
    exclusive(selector, connect)
    epoch = selector._poller.epoch
    selector._poller.called_back = 1
    selector._poller.ring(True)
    for timeout in (0, 0.02):
        assert selector.select(timeout) == []
    selector._poller.ring(False)
    selector._poller.called_back = 0
    assert selector.select(0.01) == []
    assert selector._poller.epoch is epoch  # it was not replaced


@hubs_only
def test_all_who_were_killed_get_their_threads_back(runtime, selector, connect):
    exclusive(selector, connect)
    for _ in range(10):
        tasks = [runtime.spawn(selector.select) for _ in range(3)]
        under_way(runtime, 3)
        for task in tasks:
            runtime.kill(task)
        under_way(runtime, 0)
    assert len(_deputy.office._idle) == 3
    assert selector._poller.poll(0) == []


@hubs_only
def test_a_change_that_nobody_waits_for_any_more_is_told_of_later(runtime, selector, connect):
    reader, writer = exclusive(selector, connect, EXCLUSIVE | ET)
    runtime.sleep(0)
    writer.send(b"x")
    nest = runtime.hub()._coopselectors_nest
    errand = _deputy.Errand(selector._poller, None, Seat(nest))
    errand.pairs = selector._poller.poll(0)
    assert errand.pairs == [(reader.fileno(), IN)]
    _deputy.office.call_back(errand)  # the greenlet is killed while the thread comes back
    _deputy.office.end(errand, None)
    assert told(selector, 1) == {reader.fileno(): (EVENT_READ, IN)}
    assert selector.select(0) == []
    _deputy.office.call_back(errand)  # it has come back: it is not rung for
    assert not selector._poller.called_back


@hubs_only
def test_who_is_killed_when_its_thread_has_just_come_back(runtime, selector, connect):
    reader, writer = exclusive(selector, connect, EXCLUSIVE | ET)
    writer.send(b"x")
    errand = _deputy.Errand(selector._poller, None, Seat(runtime.hub()._coopselectors_nest))
    errand.pairs = selector._poller.poll(0)
    assert errand.pairs == [(reader.fileno(), IN)]
    _deputy.office.end(errand, None)
    _deputy.office.call_back(errand)
    assert told(selector, 1) == {reader.fileno(): (EVENT_READ, IN)}
    assert selector.select(0) == []


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
        import _frozen_importlib, warnings
        warnings.simplefilter("ignore")
        allocate_lock = _frozen_importlib._thread.allocate_lock
        get_ident = _frozen_importlib._thread.get_ident
        real = repr(type(allocate_lock()))
        {patch}
        import _thread, os
        assert repr(type(_thread.allocate_lock())) != real  # it is patched
        import coopselectors
        from coopselectors._hubs import _deputy, hub_for
        from coopselectors._hubs._nest import Seat
        hub = hub_for("select")
        with coopselectors.EpollSelector() as selector:
            reader, writer = os.pipe()
            selector.register(reader, coopselectors.EVENT_READ, extra_events=1 << 28)
            while not _deputy.office._idle:
                assert selector.select(0.02) == []
            os.write(writer, b"x")
            assert len(selector.select()) == 1
        [deputy] = _deputy.office._idle
        for lock in (hub.allocate_lock(), deputy._start):
            assert repr(type(lock)) == real  # eventlet has a copy of the module
        assert repr(type(_deputy.office._lock)) == "<class '_thread.RLock'>"
        ended = allocate_lock()
        ended.acquire()
        numbers = []

        def thread():
            numbers.append(get_ident())
            ended.release()

        hub.start_thread(thread, ())
        assert ended.acquire(True, 20)  # a greenlet would not run now
        assert numbers != [get_ident()]
        print("done")
        """,
        GEVENT_LOOP="libuv-cffi" if name == "gevent-libuv" else "libev-cext",
    )
    assert output == "done\n"


@hubs_only
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*fork")
def test_a_forked_child_has_no_such_thread_and_waits_all_the_same(
    runtime, selector, connect, in_child
):
    reader, writer = exclusive(selector, connect)
    task, brief = (runtime.spawn(told, selector, timeout) for timeout in (20, 0.01))
    assert runtime.join(brief) == {}
    under_way(runtime, 1)
    assert len(_deputy.office._idle) == 1

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
@pytest.mark.parametrize("error", [ValueError("closed"), OSError(12, "no memory")])
def test_a_thread_survives_that_a_change_cannot_be_put_back(
    runtime, selector, connect, monkeypatch, error
):
    exclusive(selector, connect, EXCLUSIVE | ET)
    asked = []

    def fail(pairs):
        asked.append(pairs)
        raise error

    monkeypatch.setattr(selector._poller, "put_back", fail)
    task = runtime.spawn(selector.select)
    under_way(runtime, 1)
    [errand] = _deputy.office._under_way
    runtime.kill(task)
    under_way(runtime, 0)
    assert asked == [errand.pairs]
    assert len(_deputy.office._idle) == 1
    assert not runtime.hub()._coopselectors_nest.guests


@hubs_only
def test_closing_wakes_who_waits_so(runtime, selector, connect):
    exclusive(selector, connect)
    tasks = [runtime.spawn(selector.select, timeout) for timeout in (None, 20)]
    under_way(runtime, 2)
    selector.close()
    for task in tasks:
        with pytest.raises(ValueError, match="closed"):
            runtime.join(task)
    under_way(runtime, 0)
    assert len(_deputy.office._idle) == 2


@hubs_only
def test_who_waits_already_when_the_file_comes(runtime, selector, connect):
    plain, _ = connect()
    selector.register(plain, EVENT_READ)
    task = runtime.spawn(told, selector, 20)
    runtime.introduce(selector)
    reader, writer = exclusive(selector, connect)
    under_way(runtime, 1)
    assert not selector._poller.seats
    writer.send(b"x")
    assert runtime.join(task) == {reader.fileno(): (EVENT_READ, IN)}


@hubs_only
def test_where_the_threads_wait_fails_the_greenlet_asks_itself(
    runtime, selector, connect, monkeypatch
):
    _, writer = exclusive(selector, connect)
    poll = selector._poller.poll

    def fail(timeout):
        if timeout != 0:
            raise MemoryError
        return poll(timeout)

    monkeypatch.setattr(selector._poller, "poll", fail)
    assert selector.select(0.02) == []
    task = runtime.spawn(lambda: (runtime.sleep(0.02), writer.send(b"x")))
    assert len(selector.select(20)) == 1
    runtime.join(task)
    under_way(runtime, 0)


@hubs_only
def test_a_thread_that_cannot_be_called_back_for_want_of_memory(
    runtime, selector, connect, monkeypatch
):
    _, writer = exclusive(selector, connect)
    task = runtime.spawn(selector.select)
    under_way(runtime, 1)

    def no_memory(*_):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr("coopselectors._pollers._epoll.doorbell", no_memory)
    runtime.kill(task)
    under_way(runtime, 1)
    writer.send(b"x")  # it comes back by itself
    under_way(runtime, 0)
    assert len(selector.select(1)) == 1
