"""Do selectors notice that the `select` module was deleted, replaced or imported again?"""

from __future__ import annotations

import contextlib
import importlib
import select
import sys
import types
from unittest import mock

import pytest

import coopselectors
import coopselectors.select
from coopselectors import EVENT_READ
from support import native
from support.workers import PLATFORM

#: The best primitive of this platform, and the class over it.
OWN = PLATFORM or "epoll"
BEST = f"{OWN.capitalize()}Selector"

pytestmark = [
    pytest.mark.filterwarnings("ignore:libuv only supports millisecond"),
    pytest.mark.skipif(PLATFORM == "select", reason="there is no other class to fall back to"),
]

CLASSES = (BEST, "PollSelector", "SelectSelector")


@contextlib.contextmanager
def dropped():
    with mock.patch.dict(sys.modules):
        del sys.modules["select"]
        yield None


@contextlib.contextmanager
def none_in_its_place():
    with mock.patch.dict(sys.modules, {"select": None}):
        yield None


@contextlib.contextmanager
def imported_anew():
    with mock.patch.dict(sys.modules):
        del sys.modules["select"]
        yield importlib.import_module("select")


@contextlib.contextmanager
def another_module():
    other = types.ModuleType("select")
    vars(other).update(native._kept)
    with mock.patch.dict(sys.modules, {"select": other}):
        yield other


@contextlib.contextmanager
def a_namespace():
    other = types.SimpleNamespace(**native._kept)
    with mock.patch.dict("sys.modules", {"select": other}):
        yield other


@contextlib.contextmanager
def an_object_that_refuses():
    class Refuses:
        def __getattr__(self, name):
            raise RuntimeError(name)

        def __bool__(self):
            raise RuntimeError

    with mock.patch.dict(sys.modules, {"select": Refuses()}):
        yield None


@contextlib.contextmanager
def an_object_that_claims_to_be_a_module():
    class Claims:
        __slots__ = ()
        __class__ = property(lambda self: types.ModuleType)

        def __getattr__(self, name):
            return native._kept[name]

    with mock.patch.dict(sys.modules, {"select": Claims()}):
        yield None


@contextlib.contextmanager
def an_object_that_does_not_tell_its_class():
    class Refuses:
        __class__ = property(lambda self: 1 / 0)

        def __getattr__(self, name):
            return native._kept[name]

    with mock.patch.dict(sys.modules, {"select": Refuses()}):
        yield None


@contextlib.contextmanager
def a_module_that_does_not_show_its_namespace():
    class Hides(types.ModuleType):
        __dict__ = property(lambda self: 1 / 0)

        def __getattr__(self, name):
            return native._kept[name]

    with mock.patch.dict(sys.modules, {"select": Hides("select")}):
        yield None


@contextlib.contextmanager
def set_by_hand():
    other = types.ModuleType("select")
    vars(other).update(native._kept)
    before = sys.modules["select"]
    sys.modules["select"] = other
    try:
        yield other
    finally:
        sys.modules["select"] = before


WAYS = [
    dropped,
    none_in_its_place,
    imported_anew,
    another_module,
    a_namespace,
    an_object_that_refuses,
    an_object_that_claims_to_be_a_module,
    an_object_that_does_not_tell_its_class,
    a_module_that_does_not_show_its_namespace,
    set_by_hand,
]


@pytest.fixture
def ask(connect):
    """Asks selectors of every class, made before and now, for what is ready and what is not."""
    reader, writer = connect()
    made = [getattr(coopselectors, kind)() for kind in (*CLASSES, "DefaultSelector")]

    def check(default=True):
        kinds = (*CLASSES, "DefaultSelector") if default else CLASSES
        new = [getattr(coopselectors, kind)() for kind in kinds]
        for selector in (*made, *new):
            key = selector.register(reader, EVENT_READ)
            assert selector.select(0) == selector.select(0.002) == []
            writer.send(b"x")
            for timeout in (None, 0, 1):
                assert selector.select(timeout) == [(key, EVENT_READ)]
            reader.recv(1)
            selector.unregister(reader)
        for selector in new:
            selector.close()

    yield check
    for selector in made:
        selector.close()


@pytest.mark.parametrize("way", WAYS)
def test_selectors_and_primitives_wait_on(runtime, ask, connect, way):
    before = coopselectors.current_runtime()
    ask()
    reader, writer = connect()
    writer.send(b"x")
    with way():
        # Whoever takes all the primitives away wants none to be chosen, unless it is a hub.
        works = way is not an_object_that_refuses or runtime.cooperative
        ask(default=works)
        assert coopselectors.select.select([reader], [], [], 1)[0] == [reader]
        poll = coopselectors.select.poll()
        poll.register(reader, 1)
        assert poll.poll(1000) == [(reader.fileno(), 1)]
        assert bool(coopselectors.info()["default"]) == works
    ask()
    assert coopselectors.current_runtime() == before


@pytest.mark.pollable
@pytest.mark.parametrize("way", [imported_anew, another_module, a_namespace, set_by_hand])
def test_what_is_patched_in_the_new_module_is_called(runtime, connect, way):
    reader, writer = connect()
    calls = []

    def counting(*arguments):
        calls.append(arguments)
        return native.select(*arguments)

    with getattr(coopselectors, BEST)() as selector:
        key = selector.register(reader, EVENT_READ)
        selector.select(0)
        with way() as module:
            assert coopselectors.current_runtime() == "native" or way is imported_anew
            module.select = counting
            assert coopselectors.current_runtime() == "foreign"
            assert selector.select(0.002) == []
            assert calls
            calls.clear()
            writer.send(b"x")
            assert selector.select() == [(key, EVENT_READ)]
            with getattr(coopselectors, BEST)() as new:
                key = new.register(reader, EVENT_READ)
                assert new.select() == [(key, EVENT_READ)]
            assert len(calls) >= 2
            module.select = native.select
        calls.clear()
        assert selector.select(1)
        assert not calls
        assert coopselectors.current_runtime() == runtime.owner


def test_the_last_one_counts_where_there_is_none(runtime, ask):
    with dropped():
        assert coopselectors.current_runtime() == runtime.owner
        ask()
    with none_in_its_place():
        assert coopselectors.current_runtime() == runtime.owner


def test_reloading_changes_what_is_patched(runtime, ask):
    if runtime.cooperative:
        pytest.skip("a reload would undo the patch for every other test")
    with mock.patch.object(select, "select", mock.Mock(wraps=native.select)):
        assert coopselectors.current_runtime() == "foreign"
        ask()
        importlib.reload(select)
        ask()
    assert coopselectors.current_runtime() == "native"
    ask()


def test_patch_dict_of_the_module_itself(runtime, ask):
    calls = []

    def counting(*arguments, real=select.select):
        calls.append(arguments)
        return real(*arguments)

    with mock.patch.dict(vars(select), {"select": counting}):
        assert coopselectors.current_runtime() == "foreign"
        ask()
        assert calls
    # asyncio, which is the hub in one runtime, reads these when a file is ready.
    kept = ("EPOLLIN", "EPOLLOUT") if runtime.name == "eventlet-asyncio" else ()
    with mock.patch.dict(vars(select), {name: vars(select)[name] for name in kept}, clear=True):
        ask(default=False)
    assert coopselectors.current_runtime() == runtime.owner
    ask()


def test_an_object_that_does_not_tell_its_class_may_be_there_first(run_python):
    output = run_python(
        """
        import select, sys

        class Refuses:
            __class__ = property(lambda self: 1 / 0)

            def __getattr__(self, name):
                return getattr(select, name)

        sys.modules["select"] = Refuses()
        import coopselectors
        print(coopselectors.current_runtime(), coopselectors.DefaultSelector().select(0))
        """
    )
    assert output == "native []\n"


@pytest.mark.parametrize("name", ["gevent", "eventlet"])
def test_the_hub_goes_on_in_a_module_of_its_own(run_python, name):
    from support import runtimes

    lack = runtimes.missing("gevent-libev" if name == "gevent" else name)
    if lack:
        pytest.skip(lack)
    output = run_python(
        """
        import socket, sys, warnings
        warnings.simplefilter("ignore")
        import coopselectors
        before = coopselectors.DefaultSelector()
        del sys.modules["select"]
        import select
        if sys.argv[1] == "gevent":
            import gevent.monkey; gevent.monkey.patch_all()
            from gevent import sleep, spawn
        else:
            import eventlet; eventlet.monkey_patch()
            from eventlet import sleep, spawn
        for selector in (before, coopselectors.DefaultSelector()):
            reader, writer = socket.socketpair()
            selector.register(reader, 1)
            spawn(lambda: (sleep(0.01), writer.send(b"x")))
            print(coopselectors.current_runtime(), len(selector.select()))
        """,
        name,
    )
    assert output == f"{name} 1\n" * 2


@pytest.mark.epoll
@pytest.mark.parametrize("name", ["select", "epoll"])
def test_an_object_of_before_waits_on_where_select_is_gone(runtime, connect, name, monkeypatch):
    reader, writer = connect()
    made = coopselectors.select.epoll()
    made.register(reader, 1)
    assert made.poll(0) == []
    with monkeypatch.context() as patch:
        patch.delattr(select, name, raising=False)
        assert made.poll(0.01) == []
        writer.send(b"x")
        assert made.poll(5) == [(reader.fileno(), 1)]
    made.close()
