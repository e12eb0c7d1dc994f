"""Does a call still tell the truth if another thread has changed something between two lines of it?

Private, because no thread can be made to come in exactly there: what it would have done is done
here, by hand, at that moment.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import select
import sys
import time
from types import SimpleNamespace

import pytest

import coopselectors
import coopselectors.select
from coopselectors import (
    EVENT_READ,
    EVENT_WRITE,
    _owned,
    _ready,
    _wakeup,
)
from coopselectors._backends import EpollBackend
from coopselectors._hubs import _hub_end
from coopselectors._hubs._foreign import ForeignHub
from coopselectors._pollers import _rebuild, _refusals, _shadow
from coopselectors._pollers._files_poller import FilesPoller
from coopselectors._pollers._poller import Poller
from coopselectors.select import _waiting
from support import seams

_IN, _OUT = 1, 4  # <poll.h>

pytestmark = pytest.mark.epoll


class OnceOnly(dict):
    """Somebody takes the file out when it has been looked up."""

    def get(self, fd, default=None):
        return self.pop(fd, default)


@pytest.fixture
def file(connect):
    return connect()[0]


@pytest.fixture
def epoll():
    with coopselectors.EpollSelector() as selector:
        yield selector


@pytest.fixture
def poll():
    with coopselectors.PollSelector() as selector:
        yield selector


# What was reported, and what is said of it.


def test_a_file_that_is_watched_for_something_else_by_now(epoll, file):
    epoll.register(file, EVENT_READ)
    poller = epoll._poller
    said = _ready.translate(poller, poller.keys, {}, [(file.fileno(), _OUT)])
    assert said.ready == {}
    assert said.ask_again


def test_a_file_that_was_reported_to_another_thread_and_is_only_to_be_once(epoll, file):
    epoll.register(file, EVENT_READ, extra_events=select.EPOLLONESHOT)
    poller = epoll._poller
    poller.mark_fired(file.fileno())
    said = _ready.translate(poller, poller.keys, {}, [(file.fileno(), _IN)])
    assert said.ready == {}


def test_a_file_that_is_gone_is_not_remembered(epoll, file):
    fd, key = file.fileno(), epoll.register(file, EVENT_READ)
    known = {}
    said = _ready.translate(epoll._poller, OnceOnly({fd: key}), known, [(fd, _IN)])
    assert said.ready == {fd: (key, EVENT_READ)}
    assert known == {}


def test_a_file_that_was_armed_anew_is_not_taken_for_one_that_has_fired(epoll, file):
    fd = file.fileno()
    key = epoll.register(file, EVENT_READ, extra_events=select.EPOLLONESHOT)
    poller = epoll._poller
    said = _ready.translate(poller, OnceOnly({fd: key}), {}, [(fd, _IN)])
    assert [each for each, _ in said.ready.values()] == [key]
    assert fd not in poller.fired


def test_a_file_that_somebody_reads_while_the_kernel_is_asked_again(epoll, connect, monkeypatch):
    (reader, writer), (stranger, _) = connect(), connect()
    epoll.register(reader, EVENT_READ)
    poller, poll = epoll._poller, epoll._poller.poll
    answers = [[(stranger.fileno(), _IN), (reader.fileno(), _IN)], []]
    monkeypatch.setattr(
        poller, "poll", lambda seconds: answers.pop(0) if answers else poll(seconds)
    )
    started = time.monotonic()
    assert epoll.select(0.1) == []
    assert time.monotonic() - started >= 0.1
    answers += [[(stranger.fileno(), _IN), (reader.fileno(), _IN)], []]
    writer.send(b"x")
    assert [key.fileobj for key, _ in epoll.select()] == [reader]


# The kernel object is replaced.


def test_what_changes_while_the_kernel_object_is_replaced(epoll, connect, monkeypatch):
    pairs = {name: connect() for name in ("stays", "gone", "changed", "fired")}
    for name, (reader, _) in pairs.items():
        extra = select.EPOLLONESHOT if name == "fired" else 0
        epoll.register(reader, EVENT_READ, name, extra_events=extra)
    poller = epoll._poller
    fds = {name: reader.fileno() for name, (reader, _) in pairs.items()}
    replace = poller.backend.replace

    def replace_late(fresh):
        replace(fresh)
        del poller.keys[fds["gone"]]
        changed = poller.keys[fds["changed"]]
        poller.keys[fds["changed"]] = changed._replace(events=EVENT_WRITE)
        poller.keys[fds["fired"]] = poller.keys[fds["fired"]]._replace(data="anew")
        poller.mark_fired(fds["fired"])

    monkeypatch.setattr(poller.backend, "replace", replace_late)
    poller.mark_stale()
    for _, writer in pairs.values():
        writer.send(b"x")
    masks = dict(poller.poll(0))
    assert (masks[fds["stays"]], masks[fds["changed"]]) == (_IN, _OUT)
    assert fds["gone"] not in masks


class Scripted:
    """A backend whose calls raise one error after the other, and then succeed."""

    def __init__(self, **errors):
        self.errors = {name: list(codes) for name, codes in errors.items()}
        self.calls = []

    def _call(self, name):
        self.calls.append(name)
        if self.errors.get(name):
            code = self.errors[name].pop(0)
            raise OSError(code, os.strerror(code))

    def modify(self, *how):
        self._call("modify")

    def register(self, *how):
        self._call("register")

    def unregister(self, *how):
        self._call("unregister")


def test_a_file_that_another_thread_takes_out_and_puts_in_all_the_time():
    backend = Scripted(modify=[errno.ENOENT, errno.ENOENT], register=[errno.EEXIST])
    _rebuild.put(backend, 5, EVENT_READ, 0)
    assert backend.calls == ["modify", "register", "modify", "register"]


def test_no_memory_is_told(epoll, file, monkeypatch):
    epoll.register(file, EVENT_READ)
    poller = epoll._poller
    monkeypatch.setattr(poller, "backend", Scripted(modify=[errno.ENOMEM]))
    with pytest.raises(OSError, match="memory"):
        _rebuild.settle(poller, file.fileno())


# The shadow, by which one waits for poll and select.


def test_a_shadow_that_another_thread_has_dismissed_is_told_nothing(poll, file):
    poll.register(file, EVENT_READ)
    poll._poller.pollable()
    shadow = poll._poller.shadow
    poll._poller.dismiss_shadow()
    assert shadow.add(file.fileno(), EVENT_WRITE)
    shadow.remove(file.fileno(), EVENT_READ)


def test_a_shadow_goes_on_without_a_file_that_was_just_unregistered(poll, connect):
    (one, _), (other, writer) = connect(), connect()
    for each in (one, other):
        poll.register(each, EVENT_READ)
    poller = poll._poller
    poller.pollable()
    del poller.keys[one.fileno()]
    poller.shadow._look_up(one.fileno())
    poller.backend.unregister(one.fileno(), EVENT_READ)
    with pytest.raises(FileNotFoundError):
        poller.shadow.poller.backend.unregister(one.fileno(), EVENT_READ)
    writer.send(b"x")
    assert [pair[0] for pair in poller.shadow.poller.poll(5)] == [other.fileno()]


def test_of_two_threads_that_open_a_shadow_the_first_wins(poll):
    poller = poll._poller
    poller.pollable()
    first = poller.shadow
    before = os.listdir("/proc/self/fd")
    _shadow.open_shadow(poller)
    assert poller.shadow is first
    assert os.listdir("/proc/self/fd") == before
    poll.close()
    before = os.listdir("/proc/self/fd")
    with pytest.raises(ValueError, match="closed"):
        _shadow.open_shadow(poller)
    assert os.listdir("/proc/self/fd") == before


def test_a_number_that_is_the_shadows_own(poll, file):
    number = os.dup(file.fileno())  # the lowest that is free
    poll.register(number, EVENT_READ)
    os.close(number)
    poller = poll._poller
    poller.pollable()
    assert poller.shadow.poller.descriptor() == number
    assert not poller.refused
    poll.unregister(number)


def before_the_sleep(monkeypatch, poller, act):
    """Have something done once between the last look and the sleep."""
    usual = poller.before_sleep

    def before_sleep(again=False):
        monkeypatch.setattr(poller, "before_sleep", usual)
        act()
        return usual(again)

    monkeypatch.setattr(poller, "before_sleep", before_sleep)


def test_a_shadow_that_is_dismissed_before_the_sleep(poll, connect, monkeypatch):
    reader, writer = connect()
    poll.register(reader, EVENT_READ)
    poller = poll._poller

    def dismiss():
        poller.dismiss_shadow()
        writer.send(b"x")

    before_the_sleep(monkeypatch, poller, dismiss)
    assert _shadow.poll_noticing(poller, 5) == [(reader.fileno(), _IN)]


def test_an_error_of_a_shadow_that_nobody_has_closed(poll, file, monkeypatch):
    poll.register(file, EVENT_READ)
    poller = poll._poller
    inner = poller.pollable()

    def fail(timeout):
        raise OSError(errno.ENOMEM, "no memory")

    monkeypatch.setattr(inner, "poll", fail)
    with pytest.raises(OSError, match="no memory"):
        _shadow.poll_noticing(poller, 1)
    with pytest.raises(OSError, match="no memory"):
        poller.woken_in_vain()
    poller.dismiss_shadow()
    assert inner.closed


def test_a_shadow_that_is_dismissed_when_it_is_asked_why_it_was_readable(poll, file, monkeypatch):
    poll.register(file, EVENT_READ)
    poller = poll._poller
    poller.pollable().close()
    assert poller.woken_in_vain()


def test_what_the_shadow_takes_of_a_file_that_reports_once(poll, connect, monkeypatch):
    reader, writer = connect()
    poll.register(reader, EVENT_READ)
    poller = poll._poller
    poller.read_once = {reader.fileno()}
    before_the_sleep(monkeypatch, poller, lambda: writer.send(b"x"))
    assert _shadow.poll_noticing(poller, 5) == [(reader.fileno(), _IN)]


def test_a_wait_that_is_called_off_before_the_sleep(poll, file, monkeypatch):
    poll.register(file, EVENT_READ)
    poller = poll._poller
    before_the_sleep(monkeypatch, poller, lambda: poller.cancel_block(True))
    assert _shadow.poll_noticing(poller, 5) == []
    poller.cancel_block(False)


def test_a_wait_that_is_called_off_before_there_is_a_shadow(poll, file):
    poll.register(file, EVENT_READ)
    poller = poll._poller
    poller.cancel_block(True)
    started = time.monotonic()
    assert poller.block(20) == []
    assert time.monotonic() - started < 10
    poller.cancel_block(False)


def test_a_file_that_cannot_be_asked_for_changes_only(poll, file, monkeypatch):
    poll.register(file, EVENT_READ)
    poller = poll._poller
    poller.pollable()
    shadow = poller.shadow
    monkeypatch.setattr(shadow.poller, "poll", lambda timeout: [(file.fileno(), _IN)])

    def fail(*how):
        raise OSError(errno.ENOENT, "not there")

    monkeypatch.setattr(shadow.poller.backend, "report_changes_only", fail)
    assert poller.woken_in_vain()
    assert poller.shadow is None  # the next wait has another one


# The selector is closed, or its descriptor is lost, and others have noticed first.


def test_a_selector_whose_kernel_object_was_just_closed(epoll, connect):
    (reader, _), (other, _) = connect(), connect()
    epoll.register(reader, EVENT_READ)
    poller = epoll._poller
    poller.backend.native.close()
    poller.unregister(reader.fileno(), EVENT_READ)  # as nothing is left to forget
    for call in (
        lambda: poller.register(other.fileno(), EVENT_READ),
        lambda: poller.modify(reader.fileno(), EVENT_WRITE, EVENT_READ),
        lambda: poller.poll(0),
    ):
        with pytest.raises(ValueError, match="closed"):
            call()


def test_what_another_thread_has_done_already_is_not_done_again(epoll, file, monkeypatch):
    epoll.register(file, EVENT_READ)
    poller = epoll._poller
    state = poller.state
    with monkeypatch.context() as patch:
        patch.setattr(type(poller.backend), "replace", lambda *how: pytest.fail("replaced"))
        poller.prepare()
        _refusals.rebuild_if_lost(poller)
    assert poller.state is state
    poller.mark_stale()
    stale = poller.state
    poller.mark_stale()
    assert poller.state is stale
    poller.close()
    for call in (poller.prepare, lambda: _refusals.rebuild_if_lost(poller)):
        with pytest.raises(ValueError, match="closed"):
            call()


def test_a_poll_object_that_another_thread_is_in(poll, connect, monkeypatch):
    reader, writer = connect()
    poll.register(reader, EVENT_READ)
    poller = poll._poller

    def fail(timeout):
        raise RuntimeError("concurrent poll() invocation")

    monkeypatch.setattr(poller.backend, "poll", fail)
    assert poller.poll(0.01) == []
    writer.send(b"x")
    assert poller.poll(5) == [(reader.fileno(), _IN)]


def test_a_shadow_may_be_dismissed_by_two(poll):
    poller = poll._poller
    poller.mark_stale()
    poller.pollable()
    poller.dismiss_shadow()
    poller.dismiss_shadow()
    assert poller.shadow is None
    # Callers that found the old one a moment ago.
    poller.add_to_shadow(0, EVENT_READ)
    poller._remove_from_shadow(0, EVENT_READ)
    assert not poller.woken_in_vain()


def test_what_reports_once_is_kept_by_whoever_took_it(epoll, file):
    poller = epoll._poller
    poller.has_extras, poller.read_once = True, {file.fileno()}
    assert poller.give_back([(file.fileno(), 2)]) == [(file.fileno(), 2)]


def test_a_selector_that_is_closed_before_somebodys_function_is_asked(epoll, file):
    def replacement(*how):
        raise AssertionError("asked")

    epoll.register(file, EVENT_READ)
    epoll.close()
    with pytest.raises(ValueError, match="closed"):
        ForeignHub(replacement, None).wait(epoll._poller, 5, None)


# A thread that is cancelled, and a close that a signal handler cuts short.


def test_the_file_that_wakes_threads_is_nothing_that_is_ready(epoll, file):
    epoll.register(file, EVENT_READ)
    poller = epoll._poller
    poller.cancel_block(True)
    started = time.monotonic()
    assert [fd for fd, _ in poller.poll(5)] == [seams.wakeup_fd()]
    said = _ready.translate(poller, poller.keys, {}, poller.poll(0))
    assert said == _ready.Translated({}, False, False)
    poller.mark_stale()
    assert [fd for fd, _ in poller.poll(5)] == [seams.wakeup_fd()]  # the new one has it as well
    assert time.monotonic() - started < 4
    poller.cancel_block(False)
    assert poller.poll(0) == []


def test_close_is_done_although_a_handler_raises(epoll, file, monkeypatch):
    epoll.register(file, EVENT_READ)
    poller = epoll._poller
    poller.pollable()
    left = []

    def leave_all():
        left.append(None)
        if len(left) == 1:
            raise ZeroDivisionError

    monkeypatch.setattr(poller, "leave_all", leave_all)
    poller.shared()  # somebody has waited
    number = epoll.fileno()
    with pytest.raises(ZeroDivisionError):
        epoll.close()
    assert len(left) == 2
    with pytest.raises(OSError):
        os.fstat(number)


def test_close_and_whoever_replaces_the_kernel_object_know_of_each_other():
    """One comes in at each line of the other: it must be refused, or close() must take the lock."""
    outcomes = []
    for number in itertools.count():
        poller = coopselectors.EpollSelector()._poller
        lines = itertools.count()
        may_replace = []
        took_the_lock = []

        def trace(
            frame, event, _, poller=poller, lines=lines, said=may_replace, took=took_the_lock
        ):
            if frame.f_code is Poller.close.__code__:
                took.append(True)
            elif frame.f_code is FilesPoller.close.__code__ and event == "line":
                if next(lines) == number:
                    said.append(poller.shared())
                return trace
            return trace if event == "call" else None

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            poller.close()
        finally:
            sys.settrace(before)
        if not may_replace:
            break  # it has no more lines
        outcomes.append((may_replace == [True], bool(took_the_lock)))
    assert (True, False) not in outcomes
    assert {(True, True), (False, False)} <= {*outcomes}


def test_close_is_done_without_the_lock_although_a_handler_raises(epoll, monkeypatch):
    def fail():
        monkeypatch.undo()
        raise ZeroDivisionError

    monkeypatch.setattr(epoll._poller.backend, "close", fail)
    number = epoll.fileno()
    with pytest.raises(ZeroDivisionError):
        epoll.close()
    with pytest.raises(OSError):
        os.fstat(number)
    with pytest.raises(ValueError, match="Selector is closed"):
        epoll.select(0)


def test_a_selector_that_is_closed_while_its_shadow_is_filled(poll, file, monkeypatch):
    poll.register(file, EVENT_READ)
    poller = poll._poller
    seams.wakeup_fd()
    before = len(os.listdir("/proc/self/fd"))
    add = poller.add_to_shadow

    def close_and_add(*how):
        shadow = poller.shadow
        poll.close()
        poller.shadow = shadow  # which is put there after the look of close()
        add(*how)

    monkeypatch.setattr(poller, "add_to_shadow", close_and_add)
    with pytest.raises(ValueError, match="closed"):
        _shadow.open_shadow(poller)
    assert poller.shadow is None
    assert len(os.listdir("/proc/self/fd")) == before


def test_of_two_threads_that_open_the_file_that_wakes_the_first_wins():
    number = seams.wakeup_fd()
    before = os.listdir("/proc/self/fd")
    assert _wakeup._open() == number
    assert os.listdir("/proc/self/fd") == before


def test_a_kernel_object_that_is_being_closed(monkeypatch):
    backend = EpollBackend()
    forget = _owned.forget
    said = []

    def ask_and_forget(*how):
        said.append(backend.is_ours())
        with pytest.raises(ValueError, match="I/O operation on closed epoll object"):
            backend.poll(0)
        return forget(*how)

    monkeypatch.setattr(_owned, "forget", ask_and_forget)
    backend.close()
    assert said == [False]


def test_a_kernel_object_that_two_threads_close(monkeypatch):
    backend = EpollBackend()
    native, forget = backend.native, _owned.forget

    def forget_second(*how):
        forget(*how)
        native.close()
        return forget(*how)

    monkeypatch.setattr(_owned, "forget", forget_second)
    backend.close()
    backend.close()
    assert native.closed
    assert native not in _owned._abandoned


def test_a_descriptor_that_is_gone_before_it_is_marked():
    backend, gone = EpollBackend(), os.dup(1)
    os.close(gone)
    _owned.claim(gone, backend._owner)
    _owned.forget(gone)
    number = backend.fileno()
    assert backend.is_ours()
    os.set_blocking(number, True)  # as another epoll under its number would be
    assert not backend.is_ours()
    os.set_blocking(number, False)
    backend.close()


def test_an_object_that_another_thread_closes_while_the_kernel_is_asked(file, monkeypatch):
    made = coopselectors.select.epoll()
    made.register(file, EVENT_READ)

    class Way:
        thread = SimpleNamespace()

        class hub:
            @staticmethod
            def wait(*how):
                made.close()
                raise OSError(errno.EBADF, "Bad file descriptor")

    with pytest.raises(ValueError, match="I/O operation on closed epoll object"):
        _waiting.wait(Way, made._poller, 1)


# The standard library's interpreter is about to end, and so is its module `sys`.


def test_at_the_end_of_the_interpreter_nothing_is_closed(monkeypatch):
    end = _hub_end.ThreadEnd()
    closed = []
    end.add(SimpleNamespace(gone=False, close=lambda: closed.append(None)), lambda: False)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "is_finalizing", lambda: True)
        end.__del__()
    assert closed == []
    end.__del__()
    assert closed == [None]


@pytest.mark.runtimes("native")
def test_a_child_asks_for_the_descriptor_of_the_users_own_object_first(file, in_child):
    made = coopselectors.select.epoll()
    made.register(file, EVENT_READ)
    poller = made._poller
    poller.refused = True  # to the parent

    def ask():
        return poller.descriptor() == made.fileno(), poller.refused

    assert in_child(ask)() == (True, False)
    assert poller.refused


def test_what_is_reported_once_is_kept_while_the_kernel_is_asked_again(epoll, connect):
    (reader, writer), (stale, peer) = connect(), connect()
    key = epoll.register(reader, EVENT_READ)
    epoll.register(stale, EVENT_READ)
    poller = epoll._poller
    poller.has_extras, poller.read_once = True, {reader.fileno()}
    writer.send(b"x")
    peer.send(b"x")
    poll = poller.poll

    def poll_once(timeout):
        found = poll(timeout)
        reader.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            reader.recv(1)  # so that it is not reported any more
        return found

    poller.poll = poll_once
    with stale.dup():  # the kernel goes on about it
        number = stale.fileno()
        stale.close()
        epoll.unregister(number)
        poller.read_once = {reader.fileno(), number}
        assert epoll.select(1) == [(key, EVENT_READ)]
    del poller.poll
    poller.read_once = frozenset()


def test_a_shadow_stays_readable_as_long_as_any_file_is_always_ready(poll, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with open(tmp_path / "file") as one, open(tmp_path / "file") as other:
        for each in (one, other):
            poll.register(each, EVENT_READ)
        inner = poll._poller.pollable()
        poll.unregister(one)
        assert inner.poll(0)
        poll.unregister(other)
        assert not inner.poll(0)
