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
