"""Does a wait in a greenlet end well if something happens between two lines of it?

Private, because that something is another thread, a signal handler, or a failure, which cannot be
made to come there.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from types import SimpleNamespace

import pytest

import coopselectors
from coopselectors import EVENT_READ
from coopselectors._hubs import hub_for
from support import seams

pytestmark = [
    pytest.mark.epoll,
    pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet"),
]


@pytest.fixture
def selector():
    with coopselectors.EpollSelector() as made:
        yield made


def test_what_a_thread_took_for_somebody_who_has_left_is_told_to_the_next(
    runtime, selector, connect
):
    (reader, _), (other, peer) = connect(), connect()
    keys = [selector.register(each, EVENT_READ) for each in (reader, other)]
    poller = selector._poller
    assert selector.select(0.001) == []
    poller.read_once = {reader.fileno()}
    poller.leave_all()
    poller.taken = [(reader.fileno(), 1)]
    poll = poller.poll

    def poll_and_send(timeout):
        found = poll(timeout)
        if not poller.taken:  # between the two looks
            peer.send(b"x")
            poller.poll = poll
            return poll(timeout)
        return found

    poller.poll = poll_and_send
    assert {key.fd for key, _ in selector.select(5)} == {key.fd for key in keys}
    poller.read_once = frozenset()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_selector_that_is_closed_when_its_files_are_to_be_watched(
    runtime, selector, connect, refuse_nesting, monkeypatch, when
):
    selector.register(connect()[0], EVENT_READ)
    refuse_nesting(selector)
    poller = selector._poller
    watch = poller.watch_per_file

    def watch_and_close(waiters, on):
        if when == "before":
            selector.close()
        watch(waiters, on)
        selector.close()

    monkeypatch.setattr(poller, "watch_per_file", watch_and_close)
    started = time.monotonic()
    with pytest.raises(ValueError, match="closed"):
        selector.select(20)
    assert time.monotonic() - started < 15


@pytest.mark.parametrize("nesting", ["allowed", "refused"])
def test_a_selector_that_another_thread_is_closing(
    runtime, selector, connect, refuse_nesting, monkeypatch, nesting
):
    # Without the lock: it was the first, and nobody that waits here would be told.
    selector.register(connect()[0], EVENT_READ)
    if nesting == "refused":
        refuse_nesting(selector)
        assert selector.select(0.001) == []
    monkeypatch.setattr(selector._poller, "shared", lambda: False)
    started = time.monotonic()
    with pytest.raises(ValueError, match="closed"):
        selector.select(20)
    assert time.monotonic() - started < 15


def test_a_file_that_is_closed_when_the_files_are_watched_one_by_one(
    runtime, selector, connect, refuse_nesting, monkeypatch
):
    (reader, writer), (other, _) = connect(), connect()
    key = selector.register(reader, EVENT_READ)
    refuse_nesting(selector)
    number = fcntl.fcntl(other.fileno(), fcntl.F_DUPFD_CLOEXEC, 500)  # which nobody else gets
    selector.register(number, EVENT_READ)
    seams.system.close(number)
    task = runtime.spawn(selector.select, 20)
    runtime.sleep(0.01)
    writer.send(b"x")
    assert key in [each for each, _ in runtime.join(task)]
    reader.recv(1)

    def fail(fd):
        raise OSError(errno.EMFILE, "no descriptor left")

    with monkeypatch.context() as patch:
        patch.setattr(seams.system, "dup", fail)
        assert selector.select(0.05) == []
        task = runtime.spawn(selector.select, 20)
        runtime.sleep(0.01)
        writer.send(b"x")
        assert key in [each for each, _ in runtime.join(task)]
        reader.recv(1)
    assert selector.select(0.02) == []


def test_a_hub_that_cannot_watch_leaves_nothing(runtime, selector, connect, monkeypatch):
    selector.register(connect()[0], EVENT_READ)
    assert selector.select(0.001) == []
    adapter, hub = hub_for("select"), runtime.hub()
    before = os.listdir("/proc/self/fd")

    def fail(*how):
        raise OSError(errno.ENOMEM, "on purpose")

    with monkeypatch.context() as patch:
        patch.setattr(adapter, "watch", fail)
        with pytest.raises(OSError, match="on purpose"):
            adapter._open_outer(hub)
    assert os.listdir("/proc/self/fd") == before
    assert selector.select(0.01) == []


def test_who_sleeps_elsewhere_does_not_sleep_in_ours(runtime):
    adapter = hub_for("select")
    assert adapter.is_asleep(SimpleNamespace(gr_frame=None))  # nobody can tell

    def elsewhere():
        raise AssertionError

    frame = SimpleNamespace(f_code=elsewhere.__code__, f_back=None)
    assert not adapter.is_asleep(SimpleNamespace(gr_frame=frame))
