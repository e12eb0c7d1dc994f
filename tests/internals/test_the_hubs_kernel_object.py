"""Does a hub's outer epoll survive what happens to it between two lines?

Private, because nobody outside knows that there is one: it is closed, refused and asked here as
signal handlers, other threads and other people's code would by chance.
"""

from __future__ import annotations

import errno
import posix
import time

import pytest

import coopselectors
from coopselectors import EVENT_READ
from coopselectors._hubs._waiters import Waiters

pytestmark = [
    pytest.mark.epoll,
    pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet"),
]


class Source:
    """What was collected from it, it takes back."""

    def __init__(self, pairs=()):
        self.pairs = list(pairs)
        self.taken_back = []

    def poll(self, timeout):
        return self.pairs

    def give_back(self, pairs):
        self.taken_back += pairs
        return []


@pytest.fixture
def selector():
    with coopselectors.EpollSelector() as made:
        yield made


@pytest.fixture
def outer(runtime, selector, connect):
    """The hub's, which holds the selector."""
    selector.register(connect()[0], EVENT_READ)
    while not selector._poller.waiters:  # a new hub watches from its next turn on
        assert selector.select(0.001) == []
    [outer] = selector._poller.waiters
    for waiters in tuple(outer._held.values()):
        if waiters is not selector._poller.waiters[outer]:
            outer.leave(waiters)  # of a selector that an earlier test has left open
    return outer


@pytest.fixture
def is_woken(runtime, selector, connect):
    """Whether a greenlet that waits hears of its file, as ever."""
    reader, writer = connect()

    def check():
        key = selector.register(reader, EVENT_READ)
        task = runtime.spawn(selector.select, 20)
        runtime.sleep(0.01)
        started = time.monotonic()
        writer.send(b"x")
        woken = [each for each, _ in runtime.join(task)] == [key]
        woken = woken and time.monotonic() - started < 15  # and not because time was up
        reader.recv(1)
        selector.unregister(reader)
        return woken

    return check


def fail_with(code):
    def fail(*how):
        raise OSError(code, "on purpose")

    return fail


def test_a_poller_that_another_greenlet_has_put_there(outer, selector, is_woken):
    waiters = selector._poller.waiters[outer]
    assert outer._take_in(selector._poller) is not waiters
    assert waiters.notified  # whoever waits there looks again
    del selector._poller.waiters[outer], outer._held[waiters.fd]  # but the kernel knows it
    assert outer._take_in(selector._poller) is not waiters
    assert is_woken()
    selector.close()
    with pytest.raises(ValueError, match="closed"):
        outer._take_in(selector._poller)


def test_a_poller_that_a_signal_handler_adds_while_it_leaves(
    outer, selector, is_woken, monkeypatch
):
    poller = selector._poller
    waiters = poller.waiters[outer]
    unregister = outer._backend.unregister

    def interrupted(fd, before):
        outer._held[fd] = waiters
        unregister(fd, before)

    monkeypatch.setattr(outer._backend, "unregister", interrupted)
    outer.leave(waiters)
    monkeypatch.undo()
    outer._backend.unregister(waiters.fd, EVENT_READ)  # it is in there
    del outer._held[waiters.fd], poller.waiters[outer]
    assert is_woken()


def test_what_a_greenlet_did_not_get_is_given_back(outer):
    source = Source([(1, 1)])
    outer.handed = None, source, source.pairs
    outer._on_ready(None)
    assert source.taken_back == [(1, 1)]
    assert outer.handed is None


def test_a_kernel_object_of_another_generation_is_not_watched(outer, selector, is_woken):
    selector._poller.leave(outer)  # as in a forked child
    outer._generation = object()
    outer._on_ready(None)
    assert outer.fd is None
    assert is_woken()


def test_a_poller_is_not_taken_out_of_another_generations(outer, selector):
    waiters = selector._poller.waiters[outer]
    generation, outer._generation = outer._generation, object()
    selector._poller.leave(outer)
    outer._generation = generation
    outer._backend.unregister(waiters.fd, EVENT_READ)  # it was still in there, for the parent
    with pytest.raises(FileNotFoundError):
        outer._backend.unregister(waiters.fd, EVENT_READ)


def test_a_kernel_object_that_somebody_closed_is_replaced(outer, is_woken):
    number = outer.fd
    posix.close(number)
    outer._wake_ready()
    assert outer.fd is not None
    assert is_woken()


def test_an_error_of_a_kernel_object_that_is_ours_is_told(outer, monkeypatch, is_woken):
    monkeypatch.setattr(outer._backend, "poll", fail_with(errno.ENOMEM))
    with pytest.raises(OSError, match="on purpose"):
        outer._wake_ready()
    monkeypatch.undo()
    assert is_woken()


def test_pairs_of_a_kernel_object_that_is_gone_are_dropped(outer, monkeypatch, is_woken):
    backend = outer._backend

    def poll(timeout):
        return [(2**20, EVENT_READ), (2**20 + 1, EVENT_READ)]

    def reopen(fd):
        monkeypatch.undo()
        forgotten.append(fd)
        outer._reopen()

    forgotten = []
    monkeypatch.setattr(backend, "poll", poll)
    monkeypatch.setattr(outer, "_forget", reopen)
    outer._wake_ready()
    assert forgotten == [2**20]
    assert is_woken()


def test_a_duplicate_of_a_closed_file_does_not_make_the_hub_spin(outer, connect, is_woken):
    reader, writer = connect()
    number = posix.dup(reader.fileno())
    outer._backend.register(number, EVENT_READ)
    posix.close(number)
    writer.send(b"x")
    backend = outer._backend
    outer._forget(number)
    assert outer._backend is not backend
    assert is_woken()


@pytest.mark.parametrize("what", ["register", "replace_in_child"])
def test_a_new_kernel_object_that_fails_leaves_nothing(outer, monkeypatch, is_woken, what):
    kind = type(outer._backend)
    before = len(posix.listdir("/proc/self/fd"))
    with monkeypatch.context() as patch:
        patch.setattr(kind, what, fail_with(errno.ENOMEM))
        with pytest.raises(OSError, match="on purpose"):
            outer._renew()
    assert len(posix.listdir("/proc/self/fd")) == before
    assert is_woken()


def test_a_selector_that_is_closed_while_it_is_disarmed_or_armed(outer, selector, is_woken):
    waiters = selector._poller.waiters[outer]
    outer._backend.unregister(waiters.fd, EVENT_READ)
    outer._disarm(waiters)
    assert waiters.disarmed
    assert not outer._arm(waiters)
    assert outer.waiters_of(selector._poller) is not waiters
    assert is_woken()


def test_no_memory_to_notify_the_hub_with(runtime, outer, selector, monkeypatch):
    waiters = selector._poller.waiters[outer]
    with monkeypatch.context() as patch:
        patch.setattr(outer._backend, "register", fail_with(errno.ENOMEM))
        task = runtime.spawn(selector.select, 20)
        runtime.sleep(0.01)
        selector.close()
        started = time.monotonic()
        with pytest.raises(ValueError, match="closed"):
            runtime.join(task)
        assert time.monotonic() - started < 15
    assert waiters.notified


def test_a_kernel_object_that_is_replaced_while_the_hub_is_notified(outer, monkeypatch, is_woken):
    backend = outer._backend

    def register(fd, events):
        monkeypatch.undo()
        outer._reopen()
        raise ValueError("I/O operation on closed epoll object")

    monkeypatch.setattr(backend, "register", register)
    outer._notify_hub()
    assert outer._backend is not backend
    assert is_woken()

    def fail(fd, events):
        raise ValueError("something else")

    with monkeypatch.context() as patch:
        patch.setattr(outer._backend, "register", fail)
        with pytest.raises(ValueError, match="something else"):
            outer._notify_hub()
    assert is_woken()


def test_a_selector_that_is_closed_before_it_is_taken_in(outer, selector, monkeypatch):
    selector._poller.leave(outer)
    usual = selector._poller.descriptor

    def descriptor():
        found = usual()
        selector.close()
        return found

    monkeypatch.setattr(selector._poller, "descriptor", descriptor)
    with pytest.raises(ValueError, match="closed"):
        outer._take_in(selector._poller)
    assert not outer._held


@pytest.mark.parametrize("is_known", [False, True], ids=["refused", "taken"])
def test_a_selector_that_is_closed_while_it_is_taken_in(outer, selector, monkeypatch, is_known):
    poller = selector._poller
    poller.leave(outer)
    usual = outer._backend.register

    def register(fd, events):
        monkeypatch.undo()
        if is_known:
            usual(fd, events)
        selector.close()
        if not is_known:
            raise OSError(errno.EBADF, "closed")

    monkeypatch.setattr(outer._backend, "register", register)
    with pytest.raises(ValueError, match="closed"):
        outer._take_in(poller)
    assert not outer._held
    assert not poller.refused
    assert not poller.waiters


def test_a_selector_that_is_closed_just_before_it_is_noted(outer, selector, monkeypatch):
    poller = selector._poller
    poller.leave(outer)
    joined = poller.joined

    def close_and_join(*how):
        selector.close()
        joined(*how)

    monkeypatch.setattr(poller, "joined", close_and_join)
    with pytest.raises(ValueError, match="closed"):
        outer._take_in(poller)
    assert not outer._held
    assert not poller.waiters


def test_a_selector_that_gets_another_kernel_object_while_it_is_taken_in(
    outer, selector, monkeypatch, is_woken
):
    poller = selector._poller
    poller.leave(outer)
    usual = poller.descriptor
    numbers = [2**20]

    def descriptor():
        return numbers.pop() if numbers else usual()

    monkeypatch.setattr(poller, "descriptor", descriptor)
    assert outer._take_in(poller).fd == usual()
    assert list(outer._held) == [usual()]
    assert is_woken()


def test_a_selector_that_a_signal_handler_takes_in_as_well(outer, selector, monkeypatch, is_woken):
    poller = selector._poller

    class Held(dict):
        def pop(self, fd, default=None):
            found = super().pop(fd, default)
            if not taken:
                taken.append(None)
                taken.append(outer._take_in(poller))
            return found

    poller.leave(outer)
    taken = []
    monkeypatch.setattr(outer, "_held", Held())
    waiters = outer._take_in(poller)
    assert taken[1].notified  # whoever sleeps there looks again
    assert outer._held == {waiters.fd: waiters}
    assert poller.waiters[outer] is waiters
    assert is_woken()


def test_a_selector_that_was_taken_in_anew_when_it_leaves(outer, selector, is_woken):
    poller = selector._poller
    before = poller.waiters[outer]
    now = outer._held[before.fd] = type(before)(outer, before.fd)
    outer.leave(before)
    assert before.notified
    assert now.notified
    del poller.waiters[outer]
    assert is_woken()


def test_who_is_in_its_place_when_a_poller_has_left_stays(outer, selector, monkeypatch):
    poller = selector._poller
    before = poller.waiters[outer]
    after = type(before)(outer, before.fd)
    usual = outer.leave

    def leave(waiters):
        usual(waiters)
        poller.waiters[outer] = after  # by a signal handler

    monkeypatch.setattr(outer, "leave", leave)
    poller.leave(outer)
    assert poller.waiters.pop(outer) is after


class Stop(Exception):
    """What a signal handler raises."""


@pytest.fixture
def told(outer, monkeypatch):
    """What the hub is told of, instead of its main greenlet."""
    said = []
    monkeypatch.setattr(outer._adapter, "report", lambda *how: said.append(how[3]), raising=False)
    return said


def interrupted(monkeypatch, outer, act=lambda: None):
    """Have the next callback of the outer poller end by a signal handler."""

    def fail():
        monkeypatch.setattr(outer, "_wake_longest_sleepers", usual)
        act()
        raise Stop

    usual = outer._wake_longest_sleepers
    monkeypatch.setattr(outer, "_wake_longest_sleepers", fail)
    outer.callback()(None)


def test_what_was_under_way_when_a_handler_raised_is_done_then(outer, monkeypatch, told, is_woken):
    source = Source([(1, 1)])

    def hand_over():
        outer.handed = None, source, source.pairs

    interrupted(monkeypatch, outer, hand_over)
    assert source.taken_back == [(1, 1)]
    assert outer.handed is None
    assert [type(each) for each in told] == [Stop]
    assert is_woken()


def test_a_handler_that_raises_when_there_is_no_hub_any_more(outer, monkeypatch, told):
    with monkeypatch.context() as patch:
        patch.setattr(outer, "gone", True)
        patch.setattr(outer, "_notify_hub", lambda: pytest.fail("notified"))
        interrupted(monkeypatch, outer)
    with monkeypatch.context() as patch:
        patch.setattr(outer, "_notify_hub", fail_with(errno.ENOMEM))
        interrupted(monkeypatch, outer)
    assert [type(each) for each in told] == [Stop, Stop]


def test_a_hub_that_ends_while_it_is_notified(outer, monkeypatch):
    def register(fd, events):
        patch.setattr(outer, "gone", True)
        raise ValueError("I/O operation on closed epoll object")

    with monkeypatch.context() as patch:
        patch.setattr(outer._backend, "register", register)
        assert outer._notify_hub() is None  # and not once more, as where another was opened
        assert outer.gone


@pytest.mark.runtimes("gevent-libev")  # the other two look for other ready files each time
def test_sleepers_are_woken_in_a_row_until_one_has_nothing(runtime, outer, connect, monkeypatch):
    woken = []

    def wait(name, reader):
        with coopselectors.EpollSelector() as selector:
            selector.register(reader, EVENT_READ)
            selector._poller.sleeps = 2  # it goes straight to sleep, and nobody has to run for it
            while selector.select(20) and reader.recv(1) != b"!":
                woken.append(name)
                asked.append(outer._guesses)

    ends = [connect() for _ in range(3)]
    tasks = [runtime.spawn(wait, name, reader) for name, (reader, _) in enumerate(ends)]
    runtime.sleep(0.01)
    asked = []
    monkeypatch.setattr(outer, "_guesses", 9)
    monkeypatch.setattr(outer, "_alone", 0)
    for name in (0, 1):
        ends[name][1].send(b"x")
    runtime.sleep(0.01)
    assert woken == [0, 1]
    assert asked == [8, 7]  # in one turn of the hub, or the first would have been asked once more
    assert outer._guesses == 6  # the third was asked as well
    assert outer._alone == 0
    for name, (_, writer) in enumerate(ends):
        writer.send(b"!")
        runtime.join(tasks[name])


def test_a_greenlet_that_forks_when_it_is_woken(runtime, outer, selector, monkeypatch, connect):
    # In the child, the hub goes on where it was; its outer poller is gone by then.
    reader, writer = connect()
    selector.register(reader, EVENT_READ)
    task = runtime.spawn(selector.select, 20)
    runtime.settle()
    asked = []

    def switch_to(greenlet):
        asked.append(greenlet)
        patch.setattr(outer, "gone", True)
        return True

    with monkeypatch.context() as patch:
        patch.setattr(outer, "_guesses", 9)
        patch.setattr(outer, "switch_to", switch_to)
        patch.setattr(outer._adapter, "others_are_due", lambda hub: pytest.fail("goes on"))
        writer.send(b"x")
        assert outer._wake_longest_sleepers()
    assert len(asked) == 1
    outer.handed = None
    outer._notify_hub()
    assert len(runtime.join(task)) == 1


def test_a_child_that_gets_no_kernel_object_tries_again(outer, monkeypatch, is_woken):
    with monkeypatch.context() as patch:
        patch.setattr(outer, "_renew", fail_with(errno.EMFILE))
        outer.forked()
    assert is_woken()


def test_who_waits_for_a_hub_to_watch_looks_again_in_a_new_one(outer, is_woken):
    start = outer.not_yet_watched = Waiters(outer)
    outer._wake_all()
    assert start.notified
    outer._reopen()
    assert is_woken()


def test_who_was_not_woken_because_a_handler_raised_is_woken_at_the_next_turn(
    runtime, outer, monkeypatch
):
    class Failing:
        """Whose first wake-up a handler cuts short."""

        notified = False

        def wake(self, *_):
            woken.append(None)
            if len(woken) == 1:
                raise Stop

    woken = []
    outer._to_wake.append(Failing())
    with pytest.raises(Stop):
        outer._wake_notified()
    for _ in range(100):
        if len(woken) == 2:
            break
        runtime.sleep(0.005)
    assert len(woken) == 2


class Watcher:
    """Stands in for a hub's watcher, and has something happen when `ref` is set to a value."""

    def __init__(self, watcher, value, act):
        self._watcher, self._value, self._acts = watcher, value, [act]

    @property
    def ref(self):
        return self._watcher.ref

    @ref.setter
    def ref(self, value):
        self._watcher.ref = value
        if value is self._value and self._acts:
            self._acts.pop()()


def test_who_is_notified_on_the_way_to_sleep_does_not_sleep(
    runtime, outer, selector, connect, monkeypatch
):
    reader, writer = connect()
    key = selector.register(reader, EVENT_READ)

    def change():
        selector._poller.leave_all()
        writer.send(b"x")

    monkeypatch.setattr(outer, "watcher", Watcher(outer.watcher, True, change))
    started = time.monotonic()
    assert selector.select(20) == [(key, EVENT_READ)]
    assert time.monotonic() - started < 15


def test_a_handler_that_waits_on_the_way_to_sleep(runtime, outer, selector, connect, monkeypatch):
    reader, writer = connect()
    key = selector.register(reader, EVENT_READ)

    def select():
        with coopselectors.EpollSelector() as other:
            other.register(connect()[0], EVENT_READ)
            seen.append(other.select(0.01))
        writer.send(b"x")

    seen = []
    monkeypatch.setattr(outer, "watcher", Watcher(outer.watcher, True, select))
    started = time.monotonic()
    assert selector.select(20) == [(key, EVENT_READ)]
    assert time.monotonic() - started < 15
    assert seen == [[]]
    assert not outer.sleepers


def test_a_hub_is_kept_alive_for_who_comes_while_the_last_one_leaves(
    runtime, outer, selector, monkeypatch
):
    waiters = selector._poller.waiters[outer]
    watcher = outer.watcher
    another = object()

    def come():
        outer.sleepers[another] = waiters

    monkeypatch.setattr(outer, "watcher", Watcher(watcher, False, come))
    assert selector.select(0.005) == []
    assert watcher.ref
    outer.awake(another, waiters, None)
    assert not watcher.ref
    assert not outer.sleepers


def test_a_greenlet_is_taken_out_although_a_handler_raises(outer, selector, monkeypatch):
    usual = outer.awake

    def awake(*how):
        monkeypatch.setattr(outer, "awake", usual)
        raise Stop

    monkeypatch.setattr(outer, "awake", awake)
    with pytest.raises(Stop):
        selector.select(0.01)
    assert not outer.sleepers
    assert not selector._poller.waiters[outer].greenlets
    assert not outer.watcher.ref


def test_who_is_tried_again_is_so_although_a_handler_raises(runtime, outer, told):
    class Failing(Waiters):
        """Whose first wake-up a handler cuts short."""

        def wake(self, *_):
            woken.append(None)
            if len(woken) == 1:
                raise Stop

    woken = []
    outer.try_again(Failing(outer))
    for _ in range(100):
        if len(woken) == 2:
            break
        runtime.sleep(0.005)
    assert len(woken) == 2
    assert [type(each) for each in told] == [Stop]


def test_nobody_is_tried_again_when_the_hub_has_ended(outer, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(outer, "gone", True)
        outer.try_again(Waiters(outer))
    assert not outer._to_retry


@pytest.mark.runtimes("eventlet")
def test_a_failure_after_a_sleep_wakes_nobody(runtime, outer, monkeypatch):
    greenlet = pytest.importorskip("greenlet")

    def wait_and_fail():
        outer._adapter.sleep_at_most(runtime.hub(), 0.001)
        raise ZeroDivisionError

    def report(*how):
        told.append(type(how[3]))
        if len(told) == 1:
            raise Stop

    told = []
    with monkeypatch.context() as patch:
        patch.setattr(outer._adapter, "report", report)
        failing = greenlet.greenlet(wait_and_fail, parent=runtime.hub().greenlet)
        runtime.call_in_hub(failing.switch)
        runtime.sleep(0.02)
    assert failing.dead
    assert told == [ZeroDivisionError, Stop]


def test_a_handler_that_raises_when_there_is_nobody_left_to_try_again(outer, told, monkeypatch):
    class Failing(Waiters):
        """Whose wake-up ends the hub, and is cut short."""

        def wake(self, *_):
            patch.setattr(outer, "gone", True)
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(outer._adapter, "retry_soon", lambda *how: asked.append(how))
        asked = []
        outer.try_again(Failing(outer))
        assert len(asked) == 1
        outer.retry(None)
        assert len(asked) == 1  # not once more
    outer._to_retry.clear()
    assert [type(each) for each in told] == [Stop]


def test_a_fork_of_a_signal_handler_while_a_poller_is_taken_in(outer, selector):
    adapter, poller = outer._adapter, selector._poller
    outer.close()  # in the child, where nobody sleeps
    assert adapter._waiters_of(poller, outer).notified  # so it looks again, with another one
    assert selector.select(0.001) == []


def test_a_fork_of_a_signal_handler_in_the_middle_of_that(outer, selector, monkeypatch):
    def fork(inner):
        outer.close()
        raise AttributeError("'NoneType' object has no attribute 'loop'")

    adapter = outer._adapter
    monkeypatch.setattr(outer, "waiters_of", fork)
    assert adapter._waiters_of(selector._poller, outer).notified
    assert selector.select(0.001) == []


def test_a_fork_of_a_signal_handler_while_it_is_opened_anew(outer, selector, monkeypatch):
    old, opened = outer._backend, []
    made, close = outer._open, old.close
    monkeypatch.setattr(outer, "_open", lambda: opened.append(made()) or opened[0])
    monkeypatch.setattr(old, "close", lambda: (close(), outer.close()))
    outer._reopen()
    assert outer.gone
    assert opened[0].native.closed
    assert selector.select(0.001) == []
