"""Does a wait for poll(2) or select(2) in a hub notice what epoll does not report?

There, an epoll is filled with the same files and does the waiting.  It forgets a file that is
closed, where poll(2) says so at once, and it goes on about one that lives on in a duplicate.
"""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
import time
from posix import close, dup, write

import pytest

import coopselectors
from coopselectors import EVENT_READ
from coopselectors import select as ours

IN, PRI = 0x1, 0x2
EBADF = "EBADF"

pytestmark = pytest.mark.usefixtures("runtime")
with_poll = pytest.mark.skipif(
    not hasattr(ours, "poll"), reason="there is nothing but select(2) on this platform"
)


class OfPollSelector:
    """One way to wait; `wait` returns the numbers that are ready, or EBADF."""

    def __init__(self):
        self.own = coopselectors.PollSelector()

    def watch(self, fd, extra=0):
        self.own.register(fd, EVENT_READ, extra_events=extra)

    def change(self, fd, extra):
        self.own.modify(fd, EVENT_READ, extra_events=extra)

    def forget(self, fd):
        self.own.unregister(fd)

    def wait(self, seconds):
        return [key.fd for key, _ in self.own.select(seconds)]

    def close(self):
        self.own.close()


class OfSelectSelector(OfPollSelector):
    def __init__(self):
        self.own = coopselectors.SelectSelector()

    def watch(self, fd):
        self.own.register(fd, EVENT_READ)

    def wait(self, seconds):
        return refused(super().wait, seconds)


class OfPoll:
    def __init__(self):
        self.own = ours.poll()

    def watch(self, fd, extra=0):
        self.own.register(fd, IN | extra)

    change = watch

    def forget(self, fd):
        self.own.unregister(fd)

    def wait(self, seconds):
        return [fd for fd, _ in self.own.poll(seconds and seconds * 1e3)]

    def close(self):
        """It has nothing to give back."""


class OfSelect:
    def __init__(self):
        self.files = {}

    def watch(self, fd, extra=0):
        self.files[fd] = extra

    change = watch

    def forget(self, fd):
        del self.files[fd]

    def wait(self, seconds):
        urgent = [fd for fd, extra in self.files.items() if extra]
        return refused(lambda: ours.select([*self.files], [], urgent, seconds)[0])

    def close(self):
        """It has nothing to give back."""


def refused(call, *arguments):
    try:
        return call(*arguments)
    except OSError as error:
        assert error.errno == errno.EBADF
        return EBADF


ALL = [
    pytest.param(OfPollSelector, marks=with_poll),
    OfSelectSelector,
    pytest.param(OfPoll, marks=with_poll),
    OfSelect,
]
of_all = pytest.mark.parametrize("waiter", ALL, indirect=True)
of_those_with_extras = pytest.mark.parametrize(
    "waiter", [each for each in ALL if each is not OfSelectSelector], indirect=True
)


@pytest.fixture
def waiter(request):
    made = request.param()
    yield made
    made.close()


@pytest.fixture
def pipe():
    """Makes pipes, with numbers that nobody else gets when they are closed."""
    made = []

    def open_one():
        for fd in os.pipe():
            made.append(fcntl.fcntl(fd, fcntl.F_DUPFD, 700))
            close(fd)
        return made[-2:]

    yield open_one
    for fd in made:
        try:
            close(fd)
        except OSError as error:
            assert error.errno == errno.EBADF


def sleep_some_times(waiter, number=4):
    """Have it be one that goes straight to sleep."""
    for _ in range(number):
        assert waiter.wait(0.005) == []


@of_all
@pytest.mark.parametrize("seconds", [20, None])
def test_closed_while_registered_after_some_sleeps(runtime, waiter, pipe, seconds):
    (reader, _), (other, writer) = pipe(), pipe()
    waiter.watch(reader)
    waiter.watch(other)
    sleep_some_times(waiter)
    close(reader)
    rescue = None
    if seconds is None and runtime.cooperative:  # else nothing ends it where it is broken
        rescue = runtime.spawn(lambda: (runtime.sleep(8), write(writer, b"x")))
    started = time.monotonic()
    try:
        assert waiter.wait(seconds) in ([reader], EBADF)
        assert time.monotonic() - started < 7
    finally:
        if rescue is not None:
            runtime.kill(rescue)
    waiter.forget(reader)
    sleep_some_times(waiter)
    write(writer, b"x")
    assert waiter.wait(20) == [other]


@of_all
@pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
def test_others_run_while_one_asks_on_about_a_closed_file(runtime, waiter, pipe):
    (reader, _) = pipe()
    waiter.watch(reader)
    sleep_some_times(waiter)
    close(reader)
    turns = []

    def tick():
        while True:
            turns.append(1)
            runtime.sleep(0)

    task = runtime.spawn(tick)
    until = time.monotonic() + 20
    while len(turns) < 5:
        assert waiter.wait(20) in ([reader], EBADF)
        assert time.monotonic() < until
    runtime.kill(task)


@of_all
@pytest.mark.parametrize("what", ["a regular file", "what is ready", "what hangs up"])
def test_files_that_are_ready_before_the_call(runtime, waiter, pipe, what):
    (reader, writer), (other, _) = pipe(), pipe()
    waiter.watch(other)
    sleep_some_times(waiter)
    started = time.monotonic()
    with tempfile.TemporaryFile() as regular:
        fd = regular.fileno() if what == "a regular file" else reader
        if what == "what is ready":
            write(writer, b"x")
        elif what == "what hangs up":
            close(writer)
        waiter.watch(fd)
        for _ in range(40):
            assert waiter.wait(20) == [fd]
        waiter.forget(fd)
    assert time.monotonic() - started < 10
    sleep_some_times(waiter)


def leave_behind(waiter, fd, lives_on):
    """Close a file that is watched, and only then forget it; it may live on in a duplicate."""
    duplicate = dup(fd) if lives_on else None
    close(fd)
    waiter.forget(fd)
    return duplicate


@of_those_with_extras
@pytest.mark.parametrize("lives_on", [False, True])
@pytest.mark.parametrize("how", ["watch", "change"])
def test_extra_events_after_one_was_closed_too_early(runtime, waiter, pipe, lives_on, how):
    (old, old_writer), (reader, writer), (third, third_writer) = pipe(), pipe(), pipe()
    waiter.watch(old)
    waiter.watch(reader)
    if how == "change":
        waiter.watch(third)
    sleep_some_times(waiter)
    duplicate = leave_behind(waiter, old, lives_on)
    getattr(waiter, how)(third, PRI)
    if lives_on:
        write(old_writer, b"x")  # nobody is to be told of it
    for fd, peer in ((reader, writer), (third, third_writer)):
        for seconds in (20, None):
            assert waiter.wait(0.01) == []
            task = runtime.spawn(lambda peer=peer: (runtime.sleep(0.02), write(peer, b"x")))
            started = time.monotonic()
            assert waiter.wait(seconds) == [fd]
            assert time.monotonic() - started < 10
            runtime.join(task)
            assert os.read(fd, 1) == b"x"
    used = time.process_time()
    assert waiter.wait(0.2) == []
    assert time.process_time() - used < 0.15
    if duplicate is not None:
        close(duplicate)


@of_those_with_extras
def test_extra_events_for_what_has_the_number_now(runtime, waiter, pipe):
    (old, old_writer), (reader, writer), (new, new_writer) = pipe(), pipe(), pipe()
    waiter.watch(old)
    waiter.watch(reader)
    sleep_some_times(waiter)
    duplicate = dup(old)
    os.dup2(new, old)
    waiter.change(old, PRI)
    write(old_writer, b"x")  # this is another file by now
    assert waiter.wait(0.03) == []
    for fd, peer in ((reader, writer), (old, new_writer)):
        task = runtime.spawn(lambda peer=peer: (runtime.sleep(0.02), write(peer, b"x")))
        started = time.monotonic()
        assert waiter.wait(20) == [fd]
        assert time.monotonic() - started < 10
        runtime.join(task)
        os.read(fd, 1)
    close(duplicate)


@of_those_with_extras
def test_extra_events_beside_what_is_always_ready(runtime, waiter, pipe):
    (old, _), (reader, _) = pipe(), pipe()
    with tempfile.TemporaryFile() as regular:
        waiter.watch(old)
        sleep_some_times(waiter)
        waiter.watch(regular.fileno())
        assert waiter.wait(20) == [regular.fileno()]
        leave_behind(waiter, old, False)
        waiter.watch(reader, PRI)
        started = time.monotonic()
        for _ in range(40):
            assert waiter.wait(20) == [regular.fileno()]
        assert time.monotonic() - started < 10
        waiter.forget(regular.fileno())
        sleep_some_times(waiter)


@pytest.mark.parametrize(
    "waiter",
    [pytest.param(OfPollSelector, marks=with_poll), pytest.param(OfPoll, marks=with_poll)],
    indirect=True,
)
@pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
def test_a_sleeping_greenlet_gets_every_event(runtime, waiter, pipe):
    (old, _), (reader, writer), (third, third_writer) = pipe(), pipe(), pipe()
    for peer, fd in ((writer, reader), (third_writer, third)):
        waiter.watch(old)
        waiter.watch(reader)
        sleep_some_times(waiter)
        task = runtime.spawn(waiter.wait, 20)
        runtime.sleep(0.02)
        number = dup(old)
        duplicate = leave_behind(waiter, old, True)
        waiter.watch(third, PRI)
        runtime.sleep(0.02)
        started = time.monotonic()
        write(peer, b"x")
        assert runtime.join(task) == [fd]
        assert time.monotonic() - started < 10
        os.read(fd, 1)
        waiter.forget(third)
        waiter.forget(reader)
        assert os.dup2(number, old) == old
        close(number)
        close(duplicate)


@of_all
@pytest.mark.parametrize("others", [0, 40])
def test_a_number_that_means_another_file_since_the_last_wait(runtime, waiter, pipe, others):
    # poll(2) and select(2) look the numbers up at each call; nobody has to register this one again
    (old, _), (new, new_writer) = pipe(), pipe()
    kept = [pipe() for _ in range(others)]  # which have to be open, to be idle
    for fd in (old, *(reader for reader, _ in kept)):
        waiter.watch(fd)
    sleep_some_times(waiter)
    for _ in range(3):
        os.dup2(new, old)
        task = runtime.spawn(lambda fd=new_writer: (runtime.sleep(0.05), write(fd, b"x")))
        started = time.monotonic()
        assert waiter.wait(20) == [old]
        assert time.monotonic() - started < 10
        runtime.join(task)
        assert os.read(old, 1) == b"x"
        (new, new_writer) = pipe()
        assert waiter.wait(0.003) == []
