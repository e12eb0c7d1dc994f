"""Does each class follow the table in _runtime, whatever object is in the `select` module?

Each row of `STATES` is something that a program may put there, and what is to come of it.  It is
tried in the place of ``select.select``, of a class's own primitive, and of all of them at once.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import select
import time
from unittest import mock

import pytest

import coopselectors
from coopselectors import EVENT_READ
from support import native
from support.workers import PLATFORM

# It is told of what is left of a wait, when a signal or a stranger has ended one early.
#: The best primitive of this platform, and the class over it.
OWN = PLATFORM or "epoll"
BEST = f"{OWN.capitalize()}Selector"

pytestmark = [
    pytest.mark.filterwarnings("ignore:libuv only supports millisecond"),
    pytest.mark.skipif(PLATFORM == "select", reason="there is no other class to fall back to"),
]

DELETED = object()


class _Holder:
    def __init__(self, real):
        self._real = real

    def method(self, *arguments):
        return self._real(*arguments)


def _class(real):
    class Replacement:
        def __new__(cls, *arguments):
            return real(*arguments)

    return Replacement


class _Unreadable:
    """Says nothing about itself that could be read."""

    def __init__(self, real):
        self._real = real

    def __call__(self, *arguments):
        return self._real(*arguments)

    @property
    def __module__(self):
        raise RuntimeError("no module")

    def __repr__(self):
        raise RuntimeError("no repr")

    def __eq__(self, other):
        raise RuntimeError("not to be compared")

    def __bool__(self):
        raise RuntimeError("neither true nor false")

    __hash__ = None


def _function(real):
    def replacement(*arguments):
        return real(*arguments)

    return replacement


def _raises(error):
    def replacement(*_):
        raise error

    return lambda real: replacement


def _returns(value):
    return lambda real: lambda *_: value


#: It works, and is called.
WORKS = {
    "function": _function,
    "partial": functools.partial,
    "Mock with wraps": lambda real: mock.Mock(wraps=real),
    "bound method": lambda real: _Holder(real).method,
    "class": _class,
    "instance that cannot be looked at": _Unreadable,
}

#: It is as good as nothing, and what it should have done is done without it.
NOTHING = {
    "deleted": lambda real: DELETED,
    "None": lambda real: None,
    "string": lambda real: "no function",
    "object": lambda real: object(),
    "OSError, ENOSYS": _raises(OSError(errno.ENOSYS, "Function not implemented")),
    "OSError, EPERM": _raises(PermissionError(errno.EPERM, "Operation not permitted")),
    "TypeError": _raises(TypeError("takes other arguments")),
    "NotImplementedError": _raises(NotImplementedError("not in this sandbox")),
    "AttributeError": _raises(AttributeError("half of a module")),
    "Mock": lambda real: mock.Mock(),
    "MagicMock": lambda real: mock.MagicMock(),
    "returns None": _returns(None),
    "returns an empty list": _returns([]),
    "returns three of nothing": _returns((None, None, None)),
    "returns a number": _returns(5),
}

#: Whoever put it into the place of ``select.select`` wants that to come out of a wait.
COMES_OUT = {
    "RuntimeError": RuntimeError("this thread must not block"),
    "OSError, EIO": OSError(errno.EIO, "Input/output error"),
    "MemoryError": MemoryError("none left"),
}

CLASSES = (BEST, "PollSelector", "SelectSelector")
PRIMITIVES = (OWN, "poll", "select")
ORDER = dict(zip(PRIMITIVES, CLASSES))


@pytest.fixture
def put():
    """Puts something into the place of some primitives, and what was there back in the end."""
    saved = {name: vars(select).get(name, DELETED) for name in PRIMITIVES}

    def place(names, make):
        made = {}
        for name in names:
            before = saved[name]
            made[name] = make(
                getattr(native, f"real_{name}", None) or getattr(native, name)
                if before is DELETED
                else before
            )
            _set(name, made[name])
        return made

    yield place
    for name, before in saved.items():
        _set(name, before)


def _set(name, thing):
    if thing is DELETED:
        vars(select).pop(name, None)
    else:
        setattr(select, name, thing)


def _poll_misses(ready):
    """Whether the runtime's own poll(0) misses what is ready: gevent's on libuv does, every other
    time, up to 25.4."""
    if not hasattr(select, "poll"):  # eventlet
        return False
    found = []
    for _ in range(4):
        poll = select.poll()
        poll.register(ready, select.POLLIN)
        found.append(poll.poll(0))
    return [] in found


@pytest.fixture
def ask(connect):
    """Asks selectors made before for what is ready, and for what is not; new ones, too."""
    ready, peer = connect()
    peer.send(b"x")
    idle, _ = connect()

    def make(kind):
        found = getattr(coopselectors, kind)()
        return found, found.register(ready, EVENT_READ)

    made = {kind: make(kind) for kind in CLASSES}
    own_poll, misses = getattr(select, "poll", None), _poll_misses(ready)

    def check(kind):
        timeouts = [0, None, 5]
        if kind == "PollSelector" and misses and vars(select).get("poll") is not own_poll:
            timeouts.remove(0)  # so does what calls it
        for selector, key in (made[kind], make(kind)):
            for timeout in timeouts:
                assert selector.select(timeout) == [(key, EVENT_READ)]
            selector.unregister(ready)
            selector.register(idle, EVENT_READ)
            started = time.monotonic()
            assert selector.select(0.01) == []
            assert time.monotonic() - started >= 0.01
            selector.unregister(idle)
            selector.register(ready, EVENT_READ)

    check.made = made
    yield check
    for selector, _ in made.values():
        selector.close()


def default():
    with coopselectors.DefaultSelector() as selector:
        return type(selector).__name__


def says():
    """What the diagnosis says, which raises nothing and can be written down."""
    found = coopselectors.info()
    json.dumps(found)
    assert found["runtime"] == coopselectors.current_runtime()
    return found


@pytest.mark.parametrize("state", WORKS)
class TestWhatWorks:
    def test_select(self, runtime, put, ask, state):
        put(["select"], WORKS[state])
        assert coopselectors.current_runtime() == "foreign"
        for kind in CLASSES:
            ask(kind)
        assert default() == says()["default"] == BEST
        assert coopselectors.current_runtime() == "foreign"

    @pytest.mark.parametrize("own", [OWN, "poll"])
    def test_own_primitive(self, runtime, put, ask, own, state):
        put([own], WORKS[state])
        ask(ORDER[own])
        assert default() == says()["default"] == BEST
        assert coopselectors.current_runtime() == runtime.owner

    def test_all_of_them(self, runtime, put, ask, state):
        put(PRIMITIVES, WORKS[state])
        for kind in CLASSES:
            ask(kind)
        assert default() == says()["default"] == BEST
        assert coopselectors.current_runtime() == "foreign"


@pytest.mark.parametrize("own", PRIMITIVES)
def test_what_works_is_called(runtime, put, ask, own):
    calls = []

    def counting(real):
        def replacement(*arguments):
            calls.append(arguments)
            return real(*arguments)

        return replacement

    put([own], counting)
    ask(ORDER[own])
    assert len(calls) >= 4  # the waits of a selector made before, and of a new one


@pytest.mark.parametrize("state", NOTHING)
class TestWhatIsAsGoodAsNothing:
    def test_select(self, runtime, put, ask, state):
        put(["select"], NOTHING[state])
        for kind in CLASSES:
            ask(kind)
        assert default() == says()["default"] == BEST
        # Once it has been found out, or if it cannot be called, nobody owns it.
        assert coopselectors.current_runtime() == "native"

    @pytest.mark.parametrize("own", [OWN, "poll"])
    def test_own_primitive(self, runtime, put, ask, own, state):
        was_there = hasattr(select, own)
        put([own], NOTHING[state])
        ask(ORDER[own])
        expected = "PollSelector" if own == OWN else BEST
        if not was_there and state in ("deleted", "None"):
            expected = BEST  # the hub has deleted it, which is no reason for us
        assert default() == says()["default"] == expected
        assert coopselectors.current_runtime() == runtime.owner

    def test_all_of_them(self, runtime, put, ask, state):
        gone = [name for name in PRIMITIVES if hasattr(select, name)]
        put(PRIMITIVES, NOTHING[state])
        for kind in CLASSES:
            ask(kind)
        if state in ("deleted", "None") and OWN not in gone:
            assert default() == says()["default"] == BEST
            return
        with pytest.raises(RuntimeError, match="no selector works here; tried") as caught:
            coopselectors.DefaultSelector()
        for kind in CLASSES:
            assert kind in str(caught.value)
        found = says()
        assert found["default"] is None
        assert found["passed_over"]


@pytest.mark.parametrize("state", COMES_OUT)
@pytest.mark.parametrize("kind", CLASSES)
def test_what_a_select_raises_comes_out(runtime, put, connect, kind, state):
    idle, _ = connect()
    with getattr(coopselectors, kind)() as selector:
        selector.register(idle, EVENT_READ)
        put(["select"], _raises(COMES_OUT[state]))
        for _ in range(2):
            with pytest.raises(type(COMES_OUT[state])) as caught:
                selector.select(0.01)
            assert caught.value is COMES_OUT[state]
        assert coopselectors.current_runtime() == says()["runtime"] == "foreign"
        assert default() == BEST
        with getattr(coopselectors, kind)() as new:
            new.register(idle, EVENT_READ)
            with pytest.raises(type(COMES_OUT[state])):
                new.select(0.01)


@pytest.mark.parametrize("state", COMES_OUT)
@pytest.mark.parametrize("own", [OWN, "poll"])
def test_a_primitive_that_raises_is_as_good_as_nothing(runtime, put, ask, own, state):
    put([own], _raises(COMES_OUT[state]))
    ask(ORDER[own])
    assert default() == ("PollSelector" if own == OWN else BEST)
    assert says()["runtime"] == runtime.owner


def test_a_wrapper_that_took_over_the_name_is_taken_for_what_it_wraps(runtime, put, ask):
    put(["select"], lambda real: functools.wraps(real)(_function(real)))
    expected = "foreign" if runtime.owner == "native" else runtime.owner
    assert coopselectors.current_runtime() == says()["runtime"] == expected
    for kind in CLASSES:
        ask(kind)


def test_what_only_turns_out_to_be_broken_is_passed_over_from_then_on(put, connect):
    class Epoll:
        def register(self, fd, mask):
            pass

        def poll(self, timeout=None, maxevents=-1):
            raise NotImplementedError

    reader, writer = connect()
    writer.send(b"x")
    put([OWN], lambda real: Epoll)
    assert default() == BEST
    with getattr(coopselectors, BEST)() as selector:
        key = selector.register(reader, EVENT_READ)
        assert selector.select(1) == [(key, EVENT_READ)]
    assert default() == "PollSelector"


@pytest.mark.parametrize("state", [*NOTHING, *WORKS])
def test_what_was_put_back_is_used_as_before(runtime, put, ask, state):
    before = coopselectors.current_runtime(), default()
    put(PRIMITIVES, {**NOTHING, **WORKS}[state])
    for kind in CLASSES:
        ask(kind)
    put(PRIMITIVES, lambda real: real)
    for kind in CLASSES:
        ask(kind)
    assert (coopselectors.current_runtime(), default()) == before


def test_the_audit_raises_nothing(run_python):
    run_python(
        """
        import select
        import coopselectors

        class Odd:
            __module__ = property(lambda self: 1 / 0)

            def __call__(self, *how):
                raise MemoryError

            def __repr__(self):
                raise RuntimeError

        for odd in (Odd(), None, "a string", lambda *_: None):
            select.select = select.poll = select.epoll = odd
            coopselectors.audit()
            coopselectors.info()
        del select.select, select.poll, select.epoll
        coopselectors.audit()
        coopselectors.info()
        """
    )


def test_a_version_that_cannot_be_read_is_none(monkeypatch):
    def listdir(path):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "listdir", listdir)
    assert coopselectors.info()["versions"]["gevent"] is None


@pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
def test_a_primitive_that_turns_out_to_be_broken_blocks_no_hub(runtime, put, connect):
    reader, writer = connect()

    def answer():
        runtime.sleep(0.01)
        writer.send(b"x")

    for own in (OWN, "poll"):
        put([own], lambda real: mock.Mock())
        with getattr(coopselectors, ORDER[own])() as selector:
            key = selector.register(reader, EVENT_READ)
            task = runtime.spawn(answer)
            assert selector.select() == [(key, EVENT_READ)]
            runtime.join(task)
            reader.recv(1)


@pytest.mark.parametrize("own", [OWN, "poll"])
@pytest.mark.parametrize("state", ["deleted", "None", "TypeError"])
def test_a_working_primitive_waits_for_no_files_whatever_select_is(runtime, put, own, state):
    put(["select"], NOTHING[state])
    calls = []

    def counting(real):
        def replacement(*arguments):
            calls.append(arguments)
            return real(*arguments)

        return replacement

    put([own], counting)
    with getattr(coopselectors, ORDER[own])() as selector:
        for asked in (2, 3):  # once to see whether it works
            assert selector.select(0.01) == []
            assert len(calls) >= asked


def test_a_select_that_does_not_wait_is_not_asked_all_the_time(runtime, put, Selector, connect):
    calls = []

    def hasty(real):
        def replacement(*arguments):
            calls.append(arguments)
            return [], [], []

        return replacement

    reader, writer = connect()
    put(["select"], hasty)
    with Selector() as selector:
        key = selector.register(reader, EVENT_READ)
        started = time.monotonic()
        assert selector.select(0.1) == []
        assert time.monotonic() - started >= 0.1
        assert len(calls) <= 40
        # SelectSelector takes its word for what is ready.
        if Selector is not coopselectors.SelectSelector:
            task = runtime.spawn(lambda: (runtime.sleep(0.02), writer.send(b"x")))
            assert selector.select(10) == [(key, EVENT_READ)]
            runtime.join(task)
