"""What if a signal comes when a wait has come to its hub, and when the hub is about to wake it?

A hub's ``switch`` and a greenlet's ``gr_frame`` are where a test can be sure of the moment.  That a
handler may do the same at any other line is in test_signal_handlers_at_any_line.py.
"""

from __future__ import annotations

import signal
import time

import pytest

import coopselectors
import coopselectors.select
from coopselectors import EVENT_READ

greenlet = pytest.importorskip("greenlet")

pytestmark = [
    pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet"),
    pytest.mark.classes("DefaultSelector", "SelectSelector"),
    # Elsewhere, the first switch is that of a sleep(0) of gevent's, which runs no handler there.
    pytest.mark.pollable,
]

LONG = 20  # seconds: a wait that is not woken ends then with nothing


class Stop(Exception):
    """What a handler raises."""


@pytest.fixture
def handle():
    """Sets the handler of the signal that `interrupt` sends."""
    before = signal.getsignal(signal.SIGUSR1)
    yield lambda act: signal.signal(signal.SIGUSR1, lambda *_: act())
    signal.signal(signal.SIGUSR1, before)


@pytest.fixture
def interrupt(runtime, handle):
    """Has a handler run once, when this greenlet has come to its hub."""
    hub = runtime.hub()

    def arrange(act):
        me, usual = greenlet.getcurrent(), hub.switch

        def switch(*how):
            if greenlet.getcurrent() is me and "switch" in vars(hub):
                del hub.switch
                signal.raise_signal(signal.SIGUSR1)
            return usual(*how)

        handle(act)
        hub.switch = switch

    yield arrange
    vars(hub).pop("switch", None)


class Interrupted(greenlet.greenlet):
    """One that is interrupted by a signal when its hub is about to wake it."""

    is_due = False

    def interrupt(self):
        if self.is_due:
            self.is_due = False
            signal.raise_signal(signal.SIGUSR1)


class LookedAt(Interrupted):
    """While the hub looks whether it sleeps."""

    @property
    def gr_frame(self):
        self.interrupt()
        return super().gr_frame


class SwitchedTo(Interrupted):
    """When the hub knows that it does."""

    def switch(self, *how):
        self.interrupt()
        return super().switch(*how)


@pytest.fixture
def start(runtime):
    """Starts a function in a greenlet of no library, whose parent is the hub."""

    def begin(kind, function):
        hub = runtime.hub()
        made = kind(function, parent=getattr(hub, "greenlet", hub))
        runtime.call_in_hub(made.switch)
        return made

    return begin


@pytest.fixture
def warm(runtime, selector, connect):
    """The selector, which waits for `reader`, and is what its hub asks first."""
    reader, writer = connect()
    key = selector.register(reader, EVENT_READ)
    for _ in range(6):
        task = runtime.spawn(lambda: (runtime.sleep(0.002), writer.send(b"x")))
        assert selector.select(LONG) == [(key, EVENT_READ)]
        runtime.join(task)
        reader.recv(1)
    return selector, key, reader, writer


def is_on_time(started):
    return time.monotonic() - started < LONG - 5


@pytest.mark.parametrize("timeout", [None, LONG])
def test_a_handler_that_selects(runtime, connect, warm, interrupt, timeout):
    selector, key, reader, writer = warm

    def act():
        with coopselectors.DefaultSelector() as other:
            other.register(connect()[0], EVENT_READ)
            writer.send(b"x")
            seen.append(other.select(0.01))

    seen, started = [], time.monotonic()
    interrupt(act)
    assert selector.select(timeout) == [(key, EVENT_READ)]
    assert seen == [[]]
    assert is_on_time(started)
    reader.recv(1)
    assert selector.select(0.01) == []


@pytest.mark.parametrize("timeout", [None, LONG])
def test_a_handler_that_sleeps(runtime, warm, interrupt, timeout):
    selector, key, reader, writer = warm
    started = time.monotonic()
    interrupt(lambda: (writer.send(b"x"), runtime.sleep(0.01)))
    assert selector.select(timeout) == [(key, EVENT_READ)]
    assert is_on_time(started)
    reader.recv(1)
    assert selector.select(0.01) == []


def test_a_handler_that_takes_what_the_hub_has_collected(runtime, warm, interrupt):
    selector, _, reader, writer = warm
    interrupt(lambda: (writer.send(b"x"), runtime.sleep(0.01), reader.recv(1)))
    assert selector.select(0.3) == []


# On its way to the hub, a timed wait of gevent runs no Python in which a signal could be handled.
@pytest.mark.runtimes("eventlet")
def test_a_handler_that_sleeps_for_longer_than_the_time_out(runtime, warm, interrupt):
    selector = warm[0]
    started = time.monotonic()
    interrupt(lambda: runtime.sleep(0.03))
    assert selector.select(0.01) == []
    assert is_on_time(started)


def test_a_handler_that_sleeps_while_a_users_own_object_is_ready(runtime, connect, interrupt):
    reader, writer = connect()
    name = "kqueue" if hasattr(coopselectors.select, "kqueue") else "epoll"
    own = getattr(coopselectors.select, name, coopselectors.select.poll)()
    if name == "kqueue":
        changes = [coopselectors.select.kevent(reader)]
        assert own.control(changes, 0) == []

        def wait():
            return [event.ident for event in own.control(None, 1, LONG)]

    else:
        own.register(reader, 1)
        unit = 1 if hasattr(own, "fileno") else 1000

        def wait():
            return [fd for fd, _ in own.poll(LONG * unit)]

    for _ in range(6):
        task = runtime.spawn(lambda: (runtime.sleep(0.002), writer.send(b"x")))
        assert wait() == [reader.fileno()]
        runtime.join(task)
        reader.recv(1)
    started = time.monotonic()
    interrupt(lambda: (writer.send(b"x"), runtime.sleep(0.01)))
    assert wait() == [reader.fileno()]
    assert is_on_time(started)


@pytest.mark.parametrize("kind", [LookedAt, SwitchedTo])
@pytest.mark.parametrize("timeout", [LONG, 0.01])
def test_a_handler_that_raises_when_the_hub_is_about_to_wake_somebody(
    runtime, warm, start, handle, timeout, kind
):
    if timeout != LONG and runtime.owner == "gevent":
        pytest.skip("gevent's timers wake whoever is there, without a look")
    selector, key, _, writer = warm
    found = []
    sleeper = start(kind, lambda: found.append(selector.select(timeout)))
    runtime.sleep(0)
    runtime.sleep(0)

    def fail():
        raise Stop

    handle(fail)
    sleeper.is_due = True
    if timeout == LONG:
        writer.send(b"x")
    started = time.monotonic()
    # Where nobody in particular is at fault, the main greenlet is told.
    with pytest.raises(Stop):
        runtime.sleep(LONG)
    while not found:
        assert is_on_time(started)
        runtime.sleep(0.002)
    assert found == [[(key, EVENT_READ)] if timeout == LONG else []]


@pytest.mark.parametrize("timeout", [LONG, 0.01])
def test_a_greenlet_that_fails_after_its_wait_takes_nobody_along(
    runtime, connect, warm, start, timeout
):
    selector, key, reader, writer = warm

    def wait_and_fail():
        found.append(selector.select(timeout))
        raise ZeroDivisionError

    found = []
    failing = start(greenlet.greenlet, wait_and_fail)
    runtime.sleep(0)
    runtime.sleep(0)
    if timeout == LONG:
        writer.send(b"x")
    started = time.monotonic()
    while not failing.dead:
        assert is_on_time(started)
        runtime.sleep(0.002)
    assert len(found) == 1
    reader.setblocking(False)
    if timeout == LONG:
        reader.recv(1)
    task = runtime.spawn(lambda: (runtime.sleep(0.002), writer.send(b"x")))
    assert selector.select(LONG) == [(key, EVENT_READ)]
    runtime.join(task)


@pytest.mark.runtimes("eventlet")
def test_a_handler_that_raises_before_the_time_out_is_set(runtime, warm, monkeypatch):
    selector, key, _, writer = warm

    def fail(*how):
        monkeypatch.undo()
        raise Stop

    monkeypatch.setattr(runtime.hub(), "schedule_call_global", fail)
    with pytest.raises(Stop):
        selector.select(LONG)
    writer.send(b"x")
    assert selector.select(LONG) == [(key, EVENT_READ)]
