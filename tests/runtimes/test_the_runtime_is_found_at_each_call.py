"""In which runtime does a call wait?  Each script in a fresh interpreter: it patches."""

from __future__ import annotations

import json
import select
import selectors
from unittest import mock

import pytest

import coopselectors
from coopselectors import EVENT_READ, EVENT_WRITE
from support import runtimes, seams

PATCHES = {
    "gevent-libev": """
        os.environ["GEVENT_LOOP"] = "libev-cext"
        import gevent.monkey
        gevent.monkey.patch_all()
        from gevent import sleep, spawn
    """,
    "gevent-libuv": """
        os.environ["GEVENT_LOOP"] = "libuv-cffi"
        import gevent.monkey
        gevent.monkey.patch_all()
        from gevent import sleep, spawn
    """,
    "eventlet": """
        import warnings
        warnings.simplefilter("ignore")
        import eventlet
        eventlet.monkey_patch()
        from eventlet import sleep, spawn
    """,
}

needs = {
    name: pytest.param(name, marks=[pytest.mark.skip(reason=runtimes.missing(name))])
    if runtimes.missing(name)
    else name
    for name in PATCHES
}


@pytest.mark.once
@pytest.mark.parametrize("order", ["class and instance before", "class before", "both after"])
@pytest.mark.parametrize("name", needs.values())
def test_every_order_of_import_and_patch_is_cooperative(run_python, name, order):
    # A peer greenlet has to run for select() to return at all; and a ticker gets its turns.
    early_class = "import coopselectors as early" if order != "both after" else "early = None"
    early_made = (
        "made = {n: getattr(early, n)() for n in names}" if "instance" in order else "made = {}"
    )
    script = f"""
import json, os, socket, time
names = ["DefaultSelector", "EpollSelector", "PollSelector", "SelectSelector"]
{early_class}
if early:
    saved = {{n: getattr(early, n) for n in names}}
{early_made}
{_dedent(PATCHES[name])}
import coopselectors
if not early:
    saved = {{n: getattr(coopselectors, n) for n in names}}
ticks = 0
def ticker():
    global ticks
    while True:
        sleep(0.001)
        ticks += 1
spawn(ticker)
def turns(wait):
    before = ticks
    wait()
    return ticks - before
result = {{}}
for n in names:
    selector = made.get(n) or saved[n]()
    reader, writer = socket.socketpair()
    selector.register(reader, coopselectors.EVENT_READ)
    def peer():
        sleep(0.01)
        writer.send(b"x")
    spawn(peer)
    woken = len(selector.select())
    reader.recv(1)
    for attempt in range(6):
        share = turns(lambda: selector.select(0.5)) / turns(lambda: sleep(0.5))
        if share >= 0.8:
            break
    result[n] = woken, share
print(json.dumps([coopselectors.current_runtime(), result]))
"""
    owner, result = json.loads(run_python(script))
    assert owner == name.partition("-")[0]
    for woken, share in result.values():
        assert woken == 1
        assert share >= 0.8


def _dedent(text):
    import textwrap

    return textwrap.dedent(text)


@pytest.mark.parametrize("name", needs.values())
def test_every_class_of_the_unpatched_platform_is_there(run_python, name):
    script = f"""
import os
import platform
{_dedent(PATCHES[name])}
import coopselectors
print(*sorted(n for n in dir(coopselectors) if n.endswith("Selector")))
"""
    assert run_python(script).split() == [
        "BaseSelector",
        "DefaultSelector",
        "EpollSelector",
        "PollSelector",
        "SelectSelector",
    ]


def test_imported_but_not_patched_is_native_and_asking_imports_nothing(run_python):
    output = run_python("""
        import sys
        import coopselectors
        with coopselectors.DefaultSelector() as selector:
            selector.select(0)
        print(coopselectors.current_runtime(), {"gevent", "eventlet"} & set(sys.modules))
        import warnings
        warnings.simplefilter("ignore")
        for library in ("gevent", "eventlet"):
            try:
                __import__(library)
            except ImportError:
                pass
        import time
        with coopselectors.DefaultSelector() as selector:
            started = time.monotonic()
            selector.select(0.01)
            print(coopselectors.current_runtime(), time.monotonic() - started >= 0.01)
    """)
    assert output.split() == ["native", "set()", "native", "True"]


@pytest.mark.parametrize(("name", "owner"), [("gevent-libev", "gevent"), ("eventlet", "eventlet")])
def test_a_pinned_selector_waits_there_whatever_is_patched(run_python, name, owner):
    if runtimes.missing(name):
        pytest.skip(runtimes.missing(name))
    output = run_python(
        """
        import sys, time, warnings
        warnings.simplefilter("ignore")
        import coopselectors
        for kind in ("DefaultSelector", "EpollSelector", "PollSelector", "SelectSelector"):
            turns = []
            with getattr(coopselectors, kind)(runtime=sys.argv[1]) as selector:
                library = __import__(sys.argv[1])
                library.spawn(turns.append, 1)
                selector.select(0.01)
                print(coopselectors.current_runtime(), turns)
        # and the other way about: native in a patched process
        if sys.argv[1] == "gevent":
            import gevent.monkey
            gevent.monkey.patch_all()
        else:
            library.monkey_patch()
        turns = []
        library.spawn(turns.append, 1)
        with coopselectors.DefaultSelector(runtime="native") as selector:
            selector.select(0.01)
        print(coopselectors.current_runtime(), turns)
        """,
        owner,
    )
    assert output.splitlines() == ["native [1]"] * 4 + [f"{owner} []"]


def test_an_unknown_runtime_names_the_known_ones(Selector):
    with pytest.raises(ValueError, match="'native', 'gevent', 'eventlet'"):
        Selector(runtime="twisted")


def test_a_pinned_runtime_that_is_not_installed_says_what_to_install(run_python):
    output = run_python(
        """
        import sys
        sys.modules["gevent"] = None  # as if it were not installed
        import coopselectors
        for name in coopselectors.__all__:
            if name.endswith("Selector") and name != "BaseSelector":
                try:
                    getattr(coopselectors, name)(runtime="gevent")
                except ImportError as error:
                    print("pip install 'coopselectors[gevent]'" in str(error))
        """
    )
    assert output == "True\n" * 4


def test_a_primitive_deleted_after_the_import_is_still_used():
    saved = coopselectors.DefaultSelector
    with mock.patch.object(select, "epoll"), mock.patch.object(select, "poll"):
        del select.epoll, select.poll
        for kind in (saved, coopselectors.EpollSelector, coopselectors.PollSelector):
            with kind() as selector:
                assert selector.select(0) == []
        # Whoever has deleted it does not want it to be chosen; see the table in _runtime.
        assert type(saved()) is coopselectors.SelectSelector


def unimplemented(*_args):
    raise OSError(38, "Function not implemented")


def test_what_says_enosys_is_passed_over(connect):
    saved = coopselectors.DefaultSelector
    reader, writer = connect()
    writer.send(b"x")
    with mock.patch.object(select, "epoll", unimplemented):
        assert type(saved()) is coopselectors.PollSelector
        with coopselectors.EpollSelector() as living:
            living.register(reader, EVENT_READ)
            assert len(living.select(1)) == 1  # its own epoll works on
        with mock.patch.object(select, "poll", unimplemented):
            selector = saved()
            assert type(selector) is coopselectors.SelectSelector
            selector.register(reader, EVENT_READ)
            assert len(selector.select(1)) == 1
            selector.close()


def test_a_kernel_that_refuses_is_passed_over_too():
    with mock.patch.object(seams.platform, "epoll", unimplemented):
        assert type(coopselectors.DefaultSelector()) is coopselectors.PollSelector


def test_nothing_works():
    with (
        mock.patch.multiple(
            seams.platform, epoll=unimplemented, poll=unimplemented, select=unimplemented
        ),
        pytest.raises(RuntimeError) as caught,
    ):
        coopselectors.DefaultSelector()
    for name in ("KqueueSelector", "DevpollSelector", "EpollSelector", "PollSelector", "Select"):
        assert name in str(caught.value)
    assert "not implemented" in str(caught.value)


class Recorder:
    """Stands in for a primitive, passes on what it is asked and remembers it."""

    def __init__(self, real):
        self.real = real
        self.calls = []

    def __call__(self, *arguments):
        self.calls.append(arguments)
        return self.real(*arguments)


@pytest.mark.parametrize("kind", ["EpollSelector", "PollSelector", "SelectSelector"])
def test_a_foreign_select_is_called(connect, kind):
    reader, writer = connect()
    with getattr(coopselectors, kind)() as selector:
        key = selector.register(reader, EVENT_READ)
        foreign = Recorder(select.select)
        with mock.patch.object(select, "select", foreign):
            assert coopselectors.current_runtime() == "foreign"
            assert selector.select(0.01) == []
            asked = len(foreign.calls)
            assert asked
            writer.send(b"x")
            for timeout in (None, 0, 1):
                assert selector.select(timeout) == [(key, EVENT_READ)]
            assert len(foreign.calls) == asked + 3
        assert coopselectors.current_runtime() == "native"
        assert selector.select(1) == [(key, EVENT_READ)]
        assert len(foreign.calls) == asked + 3


@pytest.mark.parametrize("kind", ["EpollSelector", "PollSelector"])
def test_a_foreign_poll_or_epoll_is_called_by_selectors_made_before(connect, kind):
    primitive = kind[: -len("Selector")].lower()
    reader, writer = connect()
    writer.send(b"x")
    with getattr(coopselectors, kind)() as selector:
        key = selector.register(reader, EVENT_READ | EVENT_WRITE)
        foreign = Recorder(getattr(select, primitive))
        with mock.patch.object(select, primitive, foreign):
            assert selector.select(1) == [(key, EVENT_READ | EVENT_WRITE)]
            assert len(foreign.calls) == 2  # once to see whether it works
            selector.modify(reader, EVENT_WRITE)
            assert selector.select(1)[0][1] == EVENT_WRITE
        assert selector.select(1)[0][1] == EVENT_WRITE
        assert len(foreign.calls) == 3


def test_a_foreign_epoll_does_not_tell_of_a_change_twice(connect):
    reader, writer = connect()
    writer.send(b"x")
    with coopselectors.EpollSelector() as selector:
        key = selector.register(reader, EVENT_READ, extra_events=select.EPOLLET)
        foreign = Recorder(select.epoll)
        with mock.patch.object(select, "epoll", foreign):
            for _ in range(2):
                asked = len(foreign.calls)
                assert selector.select(1) == [(key, EVENT_READ)]
                assert selector.select(0.01) == []
                assert len(foreign.calls) >= asked + 2
                writer.send(b"x")
        assert selector.select(1) == [(key, EVENT_READ)]


def test_a_foreign_select_that_comes_back_early_is_called_again(connect):
    import time

    reader, writer = connect()

    def hasty(readers, writers, errors, timeout=None):
        if len(calls) < 3:
            calls.append(timeout)
            raise InterruptedError
        for data in late:
            writer.send(data)
        return select_now(readers, writers, errors, timeout)

    calls, late = [], []
    select_now = select.select
    with coopselectors.EpollSelector() as selector:
        selector.register(reader, EVENT_READ)
        with mock.patch.object(select, "select", hasty):
            started = time.monotonic()
            assert selector.select(0.02) == []
            assert time.monotonic() - started >= 0.02
            calls.clear()
            late.append(b"x")
            assert len(selector.select()) == 1
            assert len(calls) == 3


def test_a_foreign_select_where_nothing_has_a_descriptor(connect):
    reader, writer = connect()
    foreign = Recorder(select.select)
    with mock.patch.multiple(seams.platform, epoll=None), coopselectors.PollSelector() as selector:
        key = selector.register(reader, EVENT_READ)
        with mock.patch.object(select, "select", foreign):
            assert selector.select(0.01) == []
            writer.send(b"x")
            assert selector.select() == [(key, EVENT_READ)]
    assert [len(arguments[0]) for arguments in foreign.calls] == [1] * len(foreign.calls)


def test_the_surface_is_that_of_the_standard_module():
    assert coopselectors.EVENT_READ is selectors.EVENT_READ
    assert coopselectors.SelectorKey is selectors.SelectorKey
    assert coopselectors.BaseSelector is selectors.BaseSelector
    public = {name for name in dir(selectors) if name.endswith("Selector") and name[0] != "_"}
    assert public <= set(coopselectors.__all__)
    for name in public - {"BaseSelector"}:
        ours, theirs = getattr(coopselectors, name), getattr(selectors, name)
        assert issubclass(ours, selectors.BaseSelector)
        with ours() as selector, theirs() as standard:
            assert {n for n in dir(standard) if n[0] != "_"} <= set(dir(selector)) | {"fileno"}
            assert hasattr(selector, "fileno") == hasattr(standard, "fileno")
            assert isinstance(selector, ours)


def test_subclasses(connect):
    reader, writer = connect()
    writer.send(b"x")

    class Mine(coopselectors.DefaultSelector):
        def __init__(self, name, **options):
            super().__init__(**options)
            self.name = name

        def select(self, timeout=None):
            return [key.data for key, _ in super().select(timeout)]

    with Mine("mine", runtime="native") as selector:
        selector.register(reader, EVENT_READ, "data")
        assert selector.select() == ["data"]
        assert selector.name == "mine"
        assert type(selector) is Mine
        assert selector.fileno() > 0
        with pytest.raises(AttributeError, match="'Mine' object has no attribute 'filino'"):
            selector.filino
    with mock.patch.object(select, "epoll", unimplemented), Mine("other") as selector:
        assert not hasattr(selector, "fileno")

    class Broken(coopselectors.DefaultSelector):
        def __init__(self):
            self.fileno()

    with pytest.raises(AttributeError):
        Broken()


@pytest.mark.parametrize("name", ["native", *needs.values()])
def test_importing_changes_nothing_in_the_select_module(run_python, name):
    script = f"""
import os, sys
import select
{_dedent(PATCHES.get(name, ""))}
before = dict(vars(select))
import coopselectors
coopselectors.DefaultSelector().close()
assert sys.modules["select"] is select
assert vars(select) == before
print(coopselectors.current_runtime())
"""
    assert run_python(script) == f"{name.partition('-')[0]}\n"
