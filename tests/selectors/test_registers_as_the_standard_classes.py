"""Do registration and bad input have the same results as with the standard classes?"""

from __future__ import annotations

import errno
import os
import platform
import tempfile
from posix import close  # gevent's os.close puts the real one off

import pytest

from coopselectors import EVENT_READ, EVENT_WRITE
from support import native, seams
from support.runtimes import standard

BOTH = EVENT_READ | EVENT_WRITE


def closed_descriptor():
    reader, writer = os.pipe()
    close(reader)
    close(writer)
    return writer


class Liar:
    def __init__(self, fd):
        self.fd = fd

    def fileno(self):
        return self.fd

    def __repr__(self):
        return "Liar"


BAD_CALLS = {
    "no events": lambda s, f: s.register(f, 0),
    "unknown events": lambda s, f: s.register(f, 8),
    "more than known events": lambda s, f: s.register(f, BOTH | 4),
    "events are None": lambda s, f: s.register(f, None),
    "events are text": lambda s, f: s.register(f, "r"),
    "negative descriptor": lambda s, f: s.register(-1, EVENT_READ),
    "object with a negative descriptor": lambda s, f: s.register(Liar(-1), EVENT_READ),
    "text": lambda s, f: s.register("file", EVENT_READ),
    "float": lambda s, f: s.register(1.0, EVENT_READ),
    "None": lambda s, f: s.register(None, EVENT_READ),
    "fileno() is no number": lambda s, f: s.register(Liar("x"), EVENT_READ),
    "fileno() is None": lambda s, f: s.register(Liar(None), EVENT_READ),
    "twice": lambda s, f: [s.register(f, EVENT_READ), s.register(f, EVENT_READ)],
    "twice, as a number": lambda s, f: [
        s.register(f, EVENT_READ),
        s.register(f.fileno(), EVENT_READ),
    ],
    "unregister of an unknown": lambda s, f: s.unregister(f),
    "unregister of no file": lambda s, f: s.unregister("file"),
    "unregister twice": lambda s, f: [s.register(f, 1), s.unregister(f), s.unregister(f)],
    "modify of an unknown": lambda s, f: s.modify(f, EVENT_READ),
    "modify of no file": lambda s, f: s.modify("file", EVENT_READ),
    "get_key of an unknown": lambda s, f: s.get_key(f),
    "get_key of no file": lambda s, f: s.get_key("file"),
    "map of an unknown": lambda s, f: s.get_map()[f],
    "get_key after close": lambda s, f: [s.register(f, 1), s.close(), s.get_key(f)],
    "unregister after close": lambda s, f: [s.register(f, 1), s.close(), s.unregister(f)],
    "modify after close": lambda s, f: [s.register(f, 1), s.close(), s.modify(f, 2)],
    "time-out is text": lambda s, f: s.select("1"),
    "time-out is not a number": lambda s, f: s.select(float("nan")),
}


def error_of(call, selector, file):
    try:
        call(selector, file)
    except Exception as error:
        return type(error), str(error)
    return None


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_input_raises_what_the_standard_class_raises(runtime, Selector, connect, name):
    if name == "time-out is not a number" and platform.python_implementation() == "PyPy":
        pytest.skip("PyPy's own selectors wait forever then")
    file, _ = connect()
    with getattr(standard, Selector.__name__, standard.DefaultSelector)() as reference:
        theirs = error_of(BAD_CALLS[name], reference, file)
    with Selector() as selector:
        ours = error_of(BAD_CALLS[name], selector, file)
        assert theirs is not None
        assert ours[0] is theirs[0]
        if "time-out" not in name:  # there the words are the interpreter's own
            assert ours[1] == theirs[1]
        left = {fd for fd, key in (selector.get_map() or {}).items() if key.fileobj is not file}
        assert left == set()


@pytest.mark.parametrize("events", [0, 8, None])
def test_modify_with_bad_events_keeps_the_registration(runtime, selector, connect, events):
    reader, writer = connect()
    key = selector.register(reader, EVENT_READ)
    with pytest.raises(ValueError, match="Invalid events"):
        selector.modify(reader, events)
    assert selector.get_key(reader) is key
    writer.send(b"x")
    assert selector.select(1) == [(key, EVENT_READ)]


@pytest.mark.epoll
@pytest.mark.classes("DefaultSelector", "EpollSelector")
def test_a_refused_register_leaves_nothing_behind(runtime, selector):
    with tempfile.TemporaryFile() as file:
        for _ in range(2):
            with pytest.raises(PermissionError):
                selector.register(file, EVENT_READ)
    fd = closed_descriptor()
    with pytest.raises(OSError) as caught:
        selector.register(fd, EVENT_READ)
    assert caught.value.errno == errno.EBADF
    assert len(selector.get_map()) == 0
    assert selector.select(0.01) == []


@pytest.mark.classes("PollSelector", "SelectSelector")
def test_regular_files_are_always_ready_where_the_primitive_takes_them(runtime, selector, connect):
    reader, _ = connect()
    selector.register(reader, EVENT_READ)
    assert selector.select(0.01) == []  # a companion is there by now
    with tempfile.TemporaryFile() as file:
        key = selector.register(file, BOTH)
        assert selector.select(5) == [(key, BOTH)]
        key = selector.modify(file, EVENT_WRITE)
        assert selector.select() == [(key, EVENT_WRITE)]
        selector.unregister(file)
        assert selector.select(0.01) == []
    with tempfile.TemporaryFile() as file, type(selector)() as fresh:
        fresh.register(file, EVENT_READ)
        assert len(fresh.select()) == 1


@pytest.mark.classes("EpollSelector", "PollSelector")
def test_a_refused_modify_unregisters_the_file(runtime, Selector, connect, monkeypatch):
    # bpo-30014; the standard module's own test does it with a mock in place of the primitive
    name = Selector.__name__[: -len("Selector")].lower()
    refuse = []

    class Refusing:
        """One whose `modify` the kernel has no memory for."""

        def __init__(self, *arguments):
            self._real = native.find(name)(*arguments)

        def __getattr__(self, name):
            return getattr(self._real, name)

        def modify(self, *how):
            if refuse:
                raise OSError(errno.ENOMEM, "no memory")
            self._real.modify(*how)

    monkeypatch.setattr(seams.platform, name, Refusing)
    reader, writer = connect()
    with Selector() as selector:
        selector.register(reader, EVENT_READ)
        refuse.append(True)
        with pytest.raises(OSError, match="no memory"):
            selector.modify(reader, EVENT_WRITE)
        refuse.clear()
        assert len(selector.get_map()) == 0
        with pytest.raises(KeyError):
            selector.get_key(reader)
        writer.send(b"x")
        assert selector.select(0.01) == []
        selector.register(reader, EVENT_READ)
        assert len(selector.select(1)) == 1


def test_modify(runtime, selector, connect):
    reader, writer = connect()
    key = selector.register(reader, EVENT_READ, "first")
    assert selector.modify(reader, EVENT_READ, "first") is key
    writer.send(b"x")
    assert selector.select(1) == [(key, EVENT_READ)]
    key = selector.modify(reader, EVENT_READ, "second")
    assert key == (reader, reader.fileno(), EVENT_READ, "second")
    assert selector.select(1) == [(key, EVENT_READ)]
    key = selector.modify(reader, BOTH, "second")
    assert selector.select(1) == [(key, BOTH)]
    key = selector.modify(reader.fileno(), EVENT_WRITE)
    assert key == (reader, reader.fileno(), EVENT_WRITE, None)
    assert selector.select(1) == [(key, EVENT_WRITE)]


@pytest.mark.parametrize("moment", ["before the first select", "between two", "during one"])
def test_a_file_closed_while_registered(runtime, selector, connect, moment):
    reader, _ = connect()
    other, peer = connect()
    selector.register(other, EVENT_READ)
    victim = os.dup(reader.fileno())
    key = selector.register(victim, EVENT_READ)
    # select(2) answers for a closed descriptor with EBADF, poll(2) with POLLNVAL.
    complaint = pytest.raises(OSError) if "Select" in type(selector).__name__[:6] else None
    if moment == "between two":
        assert selector.select(0.01) == []
    if moment == "during one" and runtime.cooperative:

        def later():
            runtime.sleep(0.01)
            close(victim)

        task = runtime.spawn(later)
        selector_time = 0.05
    else:
        close(victim)
        task = None
        selector_time = 0.01
    if complaint is None:
        ready = selector.select(selector_time)
        assert [k for k, _ in ready] in ([], [key])
    else:
        with complaint:
            selector.select(selector_time)
    if task is not None:
        runtime.join(task)
    assert selector.unregister(victim) is key
    peer.send(b"x")
    assert [k.fileobj for k, _ in selector.select(1)] == [other]


def test_an_object_closed_while_registered_can_be_unregistered(runtime, selector, connect):
    reader, _ = connect()
    key = selector.register(reader, EVENT_READ)
    reader.close()
    assert selector.get_map()[reader] is key
    assert selector.unregister(reader) is key
    assert selector.select(0.01) == []
    with pytest.raises(ValueError, match="Invalid file"):
        selector.unregister(reader)


@pytest.mark.epoll
@pytest.mark.classes("DefaultSelector", "EpollSelector")
def test_a_duplicate_that_outlives_its_registration(runtime, selector, connect):
    # epoll keeps reporting it under a number that nobody registered any more
    reader, writer = connect()
    other, peer = connect()
    selector.register(other, EVENT_READ)
    number = os.dup(reader.fileno())
    selector.register(number, EVENT_READ)
    writer.send(b"x")
    assert len(selector.select(1)) == 1
    close(number)  # the open file lives on in `reader`
    selector.unregister(number)
    assert selector.select(0) == []
    assert runtime.cost_of_waiting_in(selector) < 0.08
    key = selector.get_key(other)
    peer.send(b"x")
    assert selector.select(1) == [(key, EVENT_READ)]
    assert selector.fileno() >= 0


@pytest.mark.classes("PollSelector", "SelectSelector")
def test_a_duplicate_does_not_wake_a_shadow_forever(runtime, selector, connect):
    reader, writer = connect()
    number = os.dup(reader.fileno())
    selector.register(number, EVENT_READ)
    assert selector.select(0.01) == []
    close(number)
    selector.unregister(number)
    writer.send(b"x")
    assert runtime.cost_of_waiting_in(selector) < 0.08


@pytest.mark.classes("EpollSelector")
def test_a_file_that_someone_put_into_the_kernel_object_behind_our_back(runtime, selector, connect):
    reader, writer = connect()
    writer.send(b"x")
    epoll = native.epoll
    backdoor = epoll.fromfd(os.dup(selector.fileno()))
    backdoor.register(reader, 1)
    backdoor.close()
    assert runtime.cost_of_waiting_in(selector) < 0.08
    assert selector.select(0) == []
    backdoor = epoll.fromfd(os.dup(selector.fileno()))
    backdoor.register(reader, 1)
    backdoor.close()
    other, peer = connect()
    key = selector.register(other, EVENT_READ)
    task = runtime.spawn(lambda: (runtime.sleep(0.02), peer.send(b"x")))
    assert selector.select() == [(key, EVENT_READ)]
    runtime.join(task)


def test_the_map(runtime, selector, connect):
    reader, writer = connect()
    mapping = selector.get_map()
    assert dict(mapping) == {}
    key = selector.register(reader, EVENT_READ)
    assert mapping[reader] is mapping[reader.fileno()] is mapping.get(reader) is key
    assert list(mapping) == [reader.fileno()]
    assert len(mapping) == 1
    assert reader in mapping
    assert writer not in mapping
    assert mapping.get(writer, "default") == "default"
    with pytest.raises(TypeError):
        mapping[writer] = key
    selector.close()
    assert selector.get_map() is None
    assert mapping.get(reader) is None


def test_after_close(runtime, Selector, connect):
    reader, _ = connect()
    with Selector() as selector:
        selector.register(reader, EVENT_READ)
    selector.close()
    for timeout in (None, 0, 0.01):
        with pytest.raises(ValueError, match="closed"):
            selector.select(timeout)
    with pytest.raises(ValueError, match="closed"):
        selector.register(reader, EVENT_READ)
    with pytest.raises(RuntimeError, match="closed"):
        selector.get_key(reader)
    if hasattr(selector, "fileno"):
        with pytest.raises(ValueError, match="closed"):
            selector.fileno()


@pytest.mark.epoll
def test_the_descriptor(runtime, selector):
    if "Epoll" in type(selector).__name__:
        assert os.readlink(f"/proc/self/fd/{selector.fileno()}") == "anon_inode:[eventpoll]"
        assert not os.get_inheritable(selector.fileno())
    else:
        assert not hasattr(selector, "fileno")


def test_nothing_is_left_when_a_selector_is_closed(runtime, Selector, connect):
    reader, _ = connect()
    with Selector() as selector:  # brings up what the hub keeps for all
        selector.register(reader, EVENT_READ)
        runtime.introduce(selector)
    before = os.listdir("/proc/self/fd")
    for _ in range(20):
        with Selector() as selector:
            selector.register(reader, EVENT_READ)
            runtime.introduce(selector)
        del selector
    assert len(os.listdir("/proc/self/fd")) <= len(before)


class Number(int):
    """As numpy's and enum's: an int, and then some."""


def test_numbers_of_a_class_of_their_own(selector, connect):
    class File:
        def fileno(self):
            return Number(other.fileno())

    (reader, writer), (other, peer) = connect(), connect()
    assert selector.register(Number(reader.fileno()), EVENT_READ).fd == reader.fileno()
    file = File()
    assert selector.register(file, EVENT_READ).fd == other.fileno()
    writer.send(b"x")
    peer.send(b"x")
    assert {key.fd for key, _ in selector.select(5)} == {reader.fileno(), other.fileno()}
    assert selector.get_key(Number(other.fileno())).fileobj is file
    selector.unregister(file)
    selector.unregister(Number(reader.fileno()))
    assert len(selector.get_map()) == 0
