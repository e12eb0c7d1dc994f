"""Does a selector behave the same when somebody has wrapped what is in the `select` module?

The wrapper is around what is there: the interpreter's functions, gevent's, or eventlet's.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import socket

import pytest

import coopselectors
from coopselectors import EVENT_READ, EVENT_WRITE
from support import native

pytestmark = [
    pytest.mark.filterwarnings("ignore:libuv only supports millisecond"),
    pytest.mark.epoll,  # by which the tests are written
]

CLASSES = ("EpollSelector", "PollSelector", "SelectSelector")


def function(real):
    def traced(*arguments):
        return real(*arguments)

    return traced


def delegating(real):
    """A class whose instances pass on what they do not have, as tracing tools write it."""

    class Traced:
        def __init__(self, *how):
            self._real = real(*how)

        def __getattr__(self, name):
            return getattr(self._real, name)

    return Traced


def with_own_methods(real):
    class Traced:
        def __init__(self, *how):
            self._real = real(*how)
            self.calls = 0

        def register(self, *how):
            return self._real.register(*how)

        def modify(self, *how):
            return self._real.modify(*how)

        def unregister(self, *how):
            return self._real.unregister(*how)

        def poll(self, *how):
            self.calls += 1
            return self._real.poll(*how)

    return Traced


def nothing(real):
    return real


#: {what is wrapped: {name of a primitive: the wrapper}}
WRAPPERS = {
    "nothing": {},
    "select": {"select": function},
    "poll": {"poll": delegating},
    "poll, a function": {"poll": function},
    "poll, by methods": {"poll": with_own_methods},
    "epoll": {"epoll": delegating},
    "epoll, by methods": {"epoll": with_own_methods},
    "all": {"select": function, "poll": delegating, "epoll": delegating},
}


@pytest.fixture(params=WRAPPERS)
def wrapped(request):
    """Wraps some of what is there; what the hub has deleted, the interpreter's own."""
    saved = {name: vars(select).get(name) for name in ("select", "poll", "epoll")}
    for name, wrapper in WRAPPERS[request.param].items():
        real = saved[name]
        if real is None:
            # The interpreter's own would block the hub, which is what its user has asked for.
            real = native.find(name)
        setattr(select, name, wrapper(real))
    yield request.param
    for name, before in saved.items():
        if before is None:
            vars(select).pop(name, None)
        else:
            setattr(select, name, before)


@pytest.fixture(params=CLASSES)
def selector(request, wrapped):
    with getattr(coopselectors, request.param)() as made:
        yield made


@pytest.mark.parametrize("timeout", [None, 0, 0.01])
def test_a_closed_selector(runtime, selector, connect, timeout):
    reader, _ = connect()
    selector.register(reader, EVENT_READ)
    selector.close()
    with pytest.raises(ValueError, match="closed"):
        selector.select(timeout)
    with pytest.raises(RuntimeError, match="closed"):
        selector.get_key(reader)


def blocks_the_hub(runtime, selector, wrapped):
    """Whether the wrapper is around the interpreter's own, and asked by this class."""
    kind = type(selector).__name__[: -len("Selector")].lower()
    if not runtime.cooperative or kind not in WRAPPERS[wrapped]:
        return False
    if kind == "epoll":
        return True  # both hubs delete it
    return kind == "poll" and runtime.owner == "eventlet"


@pytest.mark.parametrize("timeout", [None, 5])
def test_closed_while_somebody_waits(runtime, selector, connect, wrapped, timeout):
    if blocks_the_hub(runtime, selector, wrapped):
        pytest.skip("this wrapper is around the interpreter's own, and blocks the hub")
    reader, _ = connect()
    selector.register(reader, EVENT_READ)
    task = runtime.spawn(selector.select, timeout)
    runtime.sleep(0.05)
    selector.close()
    with pytest.raises(ValueError, match="closed"):
        runtime.join(task)


def test_a_file_closed_while_registered(runtime, selector):
    """No error, and not reported; poll(2) and epoll(7) forget it, select(2) fails."""
    ours, theirs = socket.socketpair()
    with theirs:
        other, peer = socket.socketpair()
        with other, peer:
            key = selector.register(other, EVENT_READ)
            peer.send(b"x")
            selector.register(ours.fileno(), EVENT_READ)
            number = ours.detach()
            close_now(number)
            expect_bad = isinstance(selector, coopselectors.SelectSelector)
            for timeout in (0, 0.01, None):
                if expect_bad:
                    # As unpatched: whatever that says, it does not hang and does not lie.
                    with contextlib.suppress(OSError):
                        assert selector.select(timeout) == [(key, EVENT_READ)]
                else:
                    assert (key, EVENT_READ) in selector.select(timeout)
            selector.unregister(number)
            assert selector.select(1) == [(key, EVENT_READ)]


def close_now(number):
    """gevent's os.close() closes it later."""
    import posix

    posix.close(number)


def test_a_number_from_1024_on(runtime, selector, connect):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip("this system does not allow so many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    try:
        kind = type(selector)
        fillers = [os.dup(0) for _ in range(1030 - max(map(int, os.listdir("/proc/self/fd"))))]
        try:
            with kind() as high:  # its own descriptor is a high one, if it has one
                reader, writer = connect()
                if kind is coopselectors.SelectSelector:
                    for number in fillers:
                        os.close(number)
                    fillers.clear()
                    reader, writer = connect()
                key = high.register(reader, EVENT_READ)
                assert high.select(0.01) == []
                writer.send(b"x")
                for timeout in (0, None, 1):
                    assert high.select(timeout) == [(key, EVENT_READ)]
        finally:
            for number in fillers:
                os.close(number)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_selector_within_another(runtime, selector, connect):
    reader, writer = connect()
    with coopselectors.EpollSelector() as inner:
        inner.register(reader, EVENT_READ)
        key = selector.register(inner, EVENT_READ)
        assert selector.select(0.01) == []
        writer.send(b"x")
        assert selector.select() == selector.select(0) == [(key, EVENT_READ)]
        assert len(inner.select(1)) == 1
        reader.recv(1)
        assert inner.select(0) == selector.select(0.01) == []


def test_nested_as_deep_as_the_kernel_allows(runtime, wrapped, connect):
    reader, writer = connect()
    with contextlib.ExitStack() as stack:
        below = reader
        chain = []
        for _ in range(5):
            outer = stack.enter_context(coopselectors.EpollSelector())
            outer.register(below, EVENT_READ)
            chain.append(outer)
            below = outer
        assert chain[-1].select(0.01) == []
        writer.send(b"x")
        for each in chain:
            assert len(each.select(1)) == 1


def test_what_is_ready_what_changes_and_what_is_not(runtime, selector, connect):
    reader, writer = connect()
    key = selector.register(reader, EVENT_READ)
    assert selector.select(0) == selector.select(0.01) == []
    both = selector.register(writer, EVENT_READ | EVENT_WRITE, "data")
    assert selector.select() == [(both, EVENT_WRITE)]
    writer.send(b"x")
    assert dict(selector.select()) == {both: EVENT_WRITE, key: EVENT_READ}
    selector.modify(writer, EVENT_READ)
    assert selector.select(1) == [(key, EVENT_READ)]
    reader.recv(1)
    assert selector.select(0.01) == []
    writer.close()
    assert selector.select(1) == [(key, EVENT_READ)]


def test_a_regular_file(runtime, selector, tmp_path):
    with open(tmp_path / "file", "w+") as file:
        if isinstance(selector, coopselectors.EpollSelector):
            with pytest.raises(PermissionError):
                selector.register(file, EVENT_READ)
            assert not selector.get_map()
        else:
            key = selector.register(file, EVENT_READ)
            assert selector.select(1) == selector.select() == [(key, EVENT_READ)]


@pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
def test_the_hub_goes_on_and_aborts_nothing(runtime, selector, wrapped):
    """Files are closed under waits, again and again, while other greenlets work."""
    if blocks_the_hub(runtime, selector, wrapped):
        pytest.skip("this wrapper is around the interpreter's own, and blocks the hub")
    for _ in range(5):
        ours, theirs = socket.socketpair()
        selector.register(ours, EVENT_READ)
        task = runtime.spawn(selector.select, 0.02)
        runtime.sleep(0.001)
        number = ours.detach()
        close_now(number)
        theirs.close()
        with contextlib.suppress(OSError):
            runtime.join(task)
        selector.unregister(number)
    runtime.sleep(0.001)
