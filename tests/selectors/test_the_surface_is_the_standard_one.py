"""Can tools and programs that look into the standard classes look into ours?

Member by member; what differs is in `DIFFERENCES`, and docs/from-selectors.rst has the reasons.
"""

from __future__ import annotations

import asyncio
import copy
import errno
import inspect
import pickle
import pydoc
import select
import selectors
import typing
from pathlib import Path
from unittest import mock

import pytest

import coopselectors
from coopselectors import EVENT_READ, EVENT_WRITE
from support import native
from support.runtimes import standard

PAGE = Path(__file__).parents[2] / "docs" / "from-selectors.rst"

NAMES = [
    name
    for name in ("SelectSelector", "PollSelector", "EpollSelector", "DefaultSelector")
    if hasattr(standard, name)
]

#: What the standard module and classes have, and ours have not.
DIFFERENCES = {
    # What it imports for itself, and constants that it has kept since 3.13.
    "module": {"ABCMeta", "Mapping", "abstractmethod", "math", "namedtuple", "sys"}
    | {"_NOT_EPOLLIN", "_NOT_EPOLLOUT", "_NOT_POLLIN", "_NOT_POLLOUT"},
    # Since 3.13 these are attributes of the class.
    "DefaultSelector": {"_EVENT_READ", "_EVENT_WRITE"},
}

FUNCTIONS = [
    "audit",
    "current_runtime",
    "info",
    "install",
    "is_installed",
    "uninstall",
    "warn_blocking",
]


@pytest.fixture(params=["imported", "installed"])
def either_way(request):
    """Ours are imported only, or stand in the standard modules, too."""
    if request.param == "imported":
        yield
        return
    # No others, or what the tests compare with would be replaced as well.
    coopselectors.install(modules=["selectors", "select"], select=True)
    try:
        assert selectors.SelectSelector is coopselectors.SelectSelector
        assert select.select.__module__ == "coopselectors.select"
        yield
    finally:
        coopselectors.uninstall()


def test_every_difference_is_documented():
    page = PAGE.read_text()
    for names in DIFFERENCES.values():
        for name in names:
            assert f"``{name}``" in page, name


def test_the_module_has_every_name():
    lacking = {name for name in dir(standard) if not hasattr(coopselectors, name)}
    assert {name for name in lacking if not name.startswith("__")} <= DIFFERENCES["module"]
    assert set(standard.__dict__.get("__all__", ())) <= set(coopselectors.__all__)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("name", NAMES)
def test_a_class_and_its_instances_have_every_member(name):
    theirs, ours = getattr(standard, name), getattr(coopselectors, name)
    allowed = DIFFERENCES.get(name, set()) | {"__slotnames__"}  # copyreg's, once it is copied
    assert set(dir(theirs)) - set(dir(ours)) <= allowed
    for theirs, ours in (
        (theirs, ours),
        (type("Derived", (theirs,), {}), type("Derived", (ours,), {})),
    ):
        with theirs() as standard_one, ours() as one:
            assert set(dir(standard_one)) - set(dir(one)) <= allowed
            for member in set(dir(standard_one)) - {"__slotnames__", "__firstlineno__"}:
                value, expected = getattr(one, member), getattr(standard_one, member)
                assert callable(value) == callable(expected), member
                assert type(expected) is not int or value == expected, member


def shape(function):
    found = inspect.signature(function).parameters.values()
    return [
        (each.name, each.kind, each.default)
        for each in found
        if each.kind is not inspect.Parameter.KEYWORD_ONLY
    ]


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("name", [*NAMES, "BaseSelector"])
def test_signatures_are_the_standard_ones_but_for_keywords(name):
    theirs, ours = getattr(standard, name), getattr(coopselectors, name)
    assert shape(ours) == shape(theirs)
    for member in dir(theirs):
        method = getattr(theirs, member)
        if inspect.isfunction(method) and member != "_select":
            assert shape(getattr(ours, member)) == shape(method), member


def test_a_subclass_has_the_signature_of_its_own_constructor():
    class Mine(coopselectors.DefaultSelector):
        def __init__(self, name, size=1):
            super().__init__()

    assert str(inspect.signature(Mine)) == "(name, size=1)"
    assert str(inspect.signature(coopselectors.DefaultSelector)).startswith("(*, runtime: ")


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("name", NAMES)
def test_tools_look_at_a_class(name):
    ours = getattr(coopselectors, name)
    for found in (pickle.loads(pickle.dumps(ours)), copy.copy(ours), copy.deepcopy(ours)):
        assert found is ours
    typing.get_type_hints(ours)
    assert f"class {name}" in inspect.getsource(ours)
    text = pydoc.render_doc(ours, renderer=pydoc.plaintext)
    for member, method in inspect.getmembers(ours, inspect.isfunction):
        if not member.startswith("_") or member == "__init__":
            typing.get_type_hints(method)
            assert f"def {member}(" in inspect.getsource(method)
            assert f"{member}(" in text


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_tools_look_at_a_function(name):
    ours = getattr(coopselectors, name)
    for found in (pickle.loads(pickle.dumps(ours)), copy.copy(ours), copy.deepcopy(ours)):
        assert found is ours
    assert typing.get_type_hints(ours)["return"]
    assert f"def {name}(" in inspect.getsource(ours)
    assert inspect.signature(ours).return_annotation is not inspect.Signature.empty
    assert name in pydoc.render_doc(ours, renderer=pydoc.plaintext)
    with pytest.raises(TypeError):
        mock.create_autospec(ours)("one", "two", "three", "four")


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("name", NAMES)
def test_a_mock_with_its_specification_takes_what_it_takes(name):
    made = mock.create_autospec(getattr(coopselectors, name))()
    made.register(0, EVENT_READ)
    made.register(0, EVENT_READ, data=1, extra_events=2)
    made.modify(0, EVENT_READ, None)
    made.select(timeout=1)
    made.select(None)
    made.get_key(0), made.get_map(), made.unregister(0), made.close()
    if name in ("DefaultSelector", "EpollSelector"):
        made.fileno()
    for call in (lambda: made.register(0), lambda: made.select(1, 2), lambda: made.close(1)):
        with pytest.raises(TypeError):
            call()
    with pytest.raises(AttributeError):
        made.polll


def outcome(function, thing):
    try:
        return type(function(thing)).__name__
    except TypeError as error:
        return str(error)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("function", [pickle.dumps, copy.copy, copy.deepcopy])
def test_instances_are_pickled_and_copied_as_the_standard_ones(name, function):
    with getattr(standard, name)() as theirs, getattr(coopselectors, name)() as ours:
        if function is not pickle.dumps:
            assert outcome(function, ours) == outcome(function, theirs)
        elif name == "SelectSelector":
            assert function(ours)
        else:
            # What the standard ones say, which are here those of a copy that pickle does not find.
            assert outcome(function, ours).startswith("cannot pickle 'select.")


@pytest.mark.parametrize(
    "again", [lambda made: pickle.loads(pickle.dumps(made)), copy.copy, copy.deepcopy]
)
def test_a_select_selector_comes_back_with_its_files(runtime, connect, again):
    reader, writer = connect()
    with coopselectors.SelectSelector() as before:
        key = before.register(reader.fileno(), EVENT_READ, "data")
        before.name = "mine"
        with again(before) as after:
            assert dict(after.get_map()) == {reader.fileno(): key}
            assert after.name == "mine"
            assert after.select(0) == []
            writer.send(b"x")
            assert after.select(1) == before.select(1) == [(key, EVENT_READ)]
        assert before.select(1) == [(key, EVENT_READ)]


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("name", ["select", "poll", "epoll"])
def test_tools_look_at_a_primitive(name):
    if native.find(name) is None:
        pytest.skip(f"this platform has no {name}")
    ours = getattr(coopselectors.select, name)
    for found in (pickle.loads(pickle.dumps(ours)), copy.copy(ours), copy.deepcopy(ours)):
        assert found == ours
    assert name in pydoc.render_doc(ours, renderer=pydoc.plaintext)
    inspect.signature(ours)
    typing.get_type_hints(ours)
    mock.create_autospec(ours)
    if name != "select":
        made = ours()
        for function in (pickle.dumps, copy.copy, copy.deepcopy):
            assert outcome(function, made) == f"cannot pickle 'coopselectors.select.{name}' object"
        if name == "epoll":
            made.close()


class Counting(coopselectors.SelectSelector):
    """As programs do: the standard class calls its `_select` once for each call of `select`."""

    calls = ()

    def _select(self, r, w, x, timeout=None):
        self.calls = (*self.calls, (set(r), set(w), list(x), timeout))
        return super()._select(r, w, x, timeout)


def test_an_overridden_select_is_called(runtime, connect):
    reader, writer = connect()
    with Counting() as selector:
        key = selector.register(reader, EVENT_READ)
        assert selector.select(0.01) == []
        both = selector.register(writer, EVENT_READ | EVENT_WRITE)
        assert selector.select(5) == [(both, EVENT_WRITE)]
        writer.send(b"x")
        selector.modify(writer, EVENT_READ)
        assert selector.select() == [(key, EVENT_READ)]
        assert selector.select(-1) == [(key, EVENT_READ)]
        fd, other = reader.fileno(), writer.fileno()
        assert selector.calls == (
            ({fd}, set(), [], 0.01),
            ({fd, other}, {other}, [], 5),
            ({fd, other}, set(), [], None),
            ({fd, other}, set(), [], 0),
        )
    with pytest.raises(ValueError, match="closed"):
        selector.select(0)


def test_an_overridden_select_decides_what_is_ready(runtime, connect):
    reader, _ = connect()

    class Filtering(coopselectors.SelectSelector):
        answer = ([], [], [])

        def _select(self, r, w, x, timeout=None):
            if isinstance(self.answer, BaseException):
                raise self.answer
            return self.answer

    with Filtering() as selector:
        key = selector.register(reader, EVENT_READ | EVENT_WRITE)
        assert selector.select(60) == []
        selector.answer = ([reader.fileno()], [], [])
        assert selector.select(60) == [(key, EVENT_READ)]
        selector.answer = InterruptedError()
        assert selector.select(60) == []
        selector.answer = KeyError("mine")
        with pytest.raises(KeyError, match="mine"):
            selector.select(60)


def test_a_subclass_of_one_and_a_mixin(runtime, connect):
    class Mixin:
        def _select(self, r, w, x, timeout=None):
            calls.append(timeout)
            return super()._select(r, w, x, timeout)

    class Mixed(Mixin, coopselectors.SelectSelector):
        def select(self, timeout=None):
            return super().select(timeout)

    class Further(Counting):
        pass

    calls = []
    for kind in (Mixed, Further):
        with kind() as selector:
            assert selector.select(0) == []
    assert calls == [0]
    assert Further.calls == ()


@pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
def test_an_overridden_select_that_calls_ours_blocks_no_hub(runtime, connect):
    reader, writer = connect()

    def answer():
        runtime.sleep(0.01)
        writer.send(b"x")

    with Counting() as selector:
        key = selector.register(reader, EVENT_READ)
        task = runtime.spawn(answer)
        assert selector.select() == [(key, EVENT_READ)]
        runtime.join(task)


def test_a_subclass_that_uses_the_private_tables(runtime, connect):
    """As some do to keep the keys in the order of their last use, and to look a number up."""
    reader, writer = connect()

    class Mine(coopselectors.DefaultSelector):
        def touch(self, fileobj):
            fd = self._fileobj_lookup(fileobj)
            self._fd_to_key[fd] = self._fd_to_key.pop(fd)
            return self._key_from_fd(fd)

    with Mine() as selector:
        first = selector.register(reader, EVENT_READ)
        second = selector.register(writer, EVENT_READ)
        assert selector.touch(reader) == first
        assert list(selector.get_map().values()) == list(selector._map.values()) == [second, first]
        writer.send(b"x")
        assert selector.select(1) == [(first, EVENT_READ)]


@pytest.mark.epoll
@pytest.mark.parametrize("name", ["PollSelector", "EpollSelector"])
def test_what_is_inside_a_selector_can_be_modified(runtime, connect, name):
    reader, writer = connect()
    writer.send(b"x")
    with getattr(coopselectors, name)() as selector:
        key = selector.register(reader, EVENT_READ)
        assert isinstance(selector, coopselectors._PollLikeSelector)
        assert isinstance(selector, selectors._BaseSelectorImpl)
        selector._selector.modify(reader.fileno(), 0)
        assert selector.select(0.002) == []
        selector._selector.modify(reader.fileno(), native.constants["POLLIN"])
        assert selector.select(1) == [(key, EVENT_READ)]


@pytest.mark.epoll
@pytest.mark.runtimes("native")
def test_the_selector_of_a_loop_can_be_reached(runtime, connect):
    reader, writer = connect()
    loop = asyncio.SelectorEventLoop(coopselectors.DefaultSelector())
    try:
        got = loop.create_future()
        loop.add_reader(reader, lambda: got.done() or got.set_result(reader.recv(1)))
        hangup = getattr(select, "EPOLLRDHUP", 0x2000)  # <sys/epoll.h>; PyPy does not name it
        loop._selector._selector.modify(reader.fileno(), select.EPOLLIN | hangup)
        loop.call_later(0.01, writer.send, b"x")
        assert loop.run_until_complete(asyncio.wait_for(got, 5)) == b"x"
        loop.remove_reader(reader)
    finally:
        loop.close()


def test_an_object_of_a_subclass_has_no_signature():
    """Only its class has one, as tools that ask an object see."""

    class Own(coopselectors.DefaultSelector):
        pass

    assert [*inspect.signature(Own).parameters] == ["runtime"]
    with Own() as made:
        assert not hasattr(made, "__signature__")


class Failing:
    """An epoll of the program's own, which cannot be polled."""

    def __init__(self):
        self._real = native.real_epoll()

    def __getattr__(self, name):
        return getattr(self._real, name)

    def poll(self, *how):
        raise OSError(errno.EBADF, "on purpose")


@pytest.mark.epoll
def test_the_errors_of_an_object_of_the_programs_own_come_out(runtime, connect):
    class Selector(coopselectors.EpollSelector):
        _selector_cls = Failing

    with Selector() as selector:
        selector.register(connect()[0], EVENT_READ)
        for _ in range(2):
            with pytest.raises(OSError, match="on purpose"):
                selector.select(0)


@pytest.mark.parametrize("Class", [selectors.DefaultSelector, coopselectors.DefaultSelector])
def test_a_key_error_of_the_file_itself_says_that_it_is_not_registered(Class):
    class File:
        def fileno(self):
            raise KeyError("of its own")

    with Class() as selector:
        for call in (selector.unregister, lambda file: selector.modify(file, 1)):
            with pytest.raises(KeyError, match="is not registered"):
                call(File())
