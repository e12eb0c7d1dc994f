"""What is left if a signal handler raises at any line of a call?  Nothing that it has begun."""

from __future__ import annotations

import gc
import os
import sys
from posix import close, pipe, write

import pytest

import coopselectors
from coopselectors import EVENT_READ, _fork, _owned
from coopselectors._backends import EpollBackend
from coopselectors._lock import Lock
from support import seams

pytestmark = [
    pytest.mark.runtimes("native"),
    pytest.mark.any_platform("the lines are the same there"),
]

each_line = pytest.mark.skipif(
    sys.implementation.name != "cpython",
    reason="only CPython closes a descriptor as soon as nobody refers to it",
)

OURS = os.path.dirname(coopselectors.__file__)


class Stop(BaseException):
    """What a signal handler raises."""


class At:
    """Calls a function, and raises at one line of ours, counted from the beginning of the call."""

    def __init__(self):
        self.where = None
        self._left = 0

    def __call__(self, line, function, *arguments):
        self.where, self._left = None, line
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            function(*arguments)
        except Stop:
            pass
        finally:
            sys.settrace(before)
            # The old one may have been left taken.  Another thread does not take it over while its
            # owner is in the package, as the next test may be.
            _fork._lock = Lock()
        return self.where

    def _trace(self, frame, event, _):
        if self.where or not frame.f_code.co_filename.startswith(OURS):
            return None
        if event == "line":
            self._left -= 1
            if not self._left:
                self.where = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
                raise Stop
        return self._trace


@pytest.fixture
def at():
    return At()


@pytest.fixture
def ready():
    reader, writer = pipe()
    write(writer, b"x")
    yield reader
    close(reader)
    close(writer)


def descriptors():
    gc.collect()
    return set(os.listdir("/proc/self/fd"))


def at_each_line(at, act):
    """Call `act`, which calls `at`, for each line; returns what was wrong, by line."""
    act(10**6)  # what is made but once, as this is:
    seams.wakeup_fd()
    wrong = {}
    line = 0
    while True:
        line += 1
        before = descriptors()
        found = act(line)
        if at.where is None:
            assert line > 5
            return wrong
        left = descriptors() - before
        if found or left:
            wrong[at.where] = found, left


@each_line
@pytest.mark.uncounted
def test_to_make_one(runtime, Selector, at):
    def act(line):
        made = []
        at(line, lambda: made.append(Selector()))
        for selector in made:
            selector.close()

    assert at_each_line(at, act) == {}


@each_line
@pytest.mark.uncounted
def test_to_close_one(runtime, Selector, at, ready):
    def act(line):
        selector = Selector()
        selector.register(ready, EVENT_READ)
        at(line, selector.close)
        selector.close()

    assert at_each_line(at, act) == {}


@each_line
@pytest.mark.uncounted
@pytest.mark.parametrize("what", ["register", "unregister", "modify"])
def test_what_is_reported_is_registered(runtime, Selector, at, ready, what):
    def act(line):
        with Selector() as selector:
            if what == "register":
                at(line, selector.register, ready, EVENT_READ)
            else:
                selector.register(ready, EVENT_READ)
                more = (coopselectors.EVENT_WRITE,) if what == "modify" else ()
                at(line, getattr(selector, what), ready, *more)
            known = list(selector.get_map())
            found = [key.fd for key, _ in selector.select(0)]
            polled = [fd for fd, _ in selector._poller.poll(0)]
            if at.where and what == "unregister" and known:
                known = []  # it had not begun
                found = polled = []
            return [fd for fd in found + polled if fd not in known]

    assert at_each_line(at, act) == {}


@each_line
@pytest.mark.uncounted
def test_the_first_wait(runtime, Selector, at):
    def act(line):
        reader, writer = pipe()
        with Selector() as selector:
            selector.register(reader, EVENT_READ)
            at(line, selector.select, 0.01)
        close(reader)
        close(writer)

    assert at_each_line(at, act) == {}


def test_unregister_goes_on_where_it_was(runtime, Selector, ready, monkeypatch):
    with Selector() as selector:
        selector.register(ready, EVENT_READ)
        usual = selector._poller.unregister

        def unregister(*how):
            monkeypatch.undo()
            raise Stop

        monkeypatch.setattr(selector._poller, "unregister", unregister)
        with pytest.raises(Stop):
            selector.unregister(ready)
        assert selector._poller.unregister == usual
        assert selector.select(0) == []
        assert selector._poller.poll(0) == []
        assert selector.register(ready, EVENT_READ).fd == ready
        assert len(selector.select(5)) == 1


def test_another_thread_that_was_faster(runtime, Selector, ready):
    class Racing(dict):
        def __getitem__(self, fd):
            return self.pop(fd)

    with Selector() as selector:
        selector.register(ready, EVENT_READ)
        selector._fd_to_key = Racing(selector._fd_to_key)
        with pytest.raises(KeyError, match="is not registered"):
            selector.unregister(ready)


def test_a_number_that_was_in_doubt_before_stays_so(runtime, Selector, ready):
    with Selector() as selector:
        selector._poller.stale_fds = frozenset({ready})
        usual = selector._poller.backend.register

        def register(*how):
            usual(*how)
            raise Stop

        selector._poller.backend.register = register
        with pytest.raises(Stop):
            selector.register(ready, EVENT_READ)
        assert selector._poller.stale_fds == {ready}
        assert selector._poller.poll(0) == []


@pytest.mark.epoll
@pytest.mark.parametrize("closed", [False, True])
def test_close_goes_on_where_it_was(runtime, monkeypatch, closed):
    before = descriptors()
    backend = EpollBackend()
    native = backend.native

    def forget(*how):
        monkeypatch.undo()
        _owned.forget(*how)
        if closed:
            native.close()
        raise Stop

    monkeypatch.setattr(_owned, "forget", forget)
    with pytest.raises(Stop):
        backend.close()
    assert native.closed == closed
    backend.close()
    assert native.closed
    assert native not in _owned._abandoned
    assert descriptors() == before
