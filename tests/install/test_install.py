"""Does install() replace the selectors in other modules, and does uninstall() restore them?"""

from __future__ import annotations

import gc
import inspect
import json
import os
import pickle
import selectors
import signal
import sys
import types
import weakref

import pytest

import coopselectors
from support.runtimes import missing

NAMES = ("DefaultSelector", "SelectSelector", "PollSelector", "EpollSelector")

#: What a library may look like.
LIBRARY = """
from selectors import DefaultSelector, EpollSelector as Private, SelectSelector
import selectors

CONFIG = {"selector": selectors.DefaultSelector, "other": int, "number": 1}

def serve(selector=selectors.PollSelector, size=3, *, also=selectors.SelectSelector, kind=int):
    return selector, size, also, kind

class Client:
    selector = selectors.PollSelector
    OPTIONS = {"selector": selectors.SelectSelector}

    def wait(self, selector=DefaultSelector):
        return selector
"""


@pytest.fixture
def library(monkeypatch):
    """A module that took classes before; whatever is installed is undone at the end."""
    gc.collect()  # that of the test before
    module = types.ModuleType("library")
    exec(LIBRARY, vars(module))
    monkeypatch.setitem(sys.modules, "library", module)
    yield module
    if coopselectors.is_installed():
        coopselectors.uninstall()


def everything_in(module):
    return [
        module.DefaultSelector,
        module.Private,
        module.SelectSelector,
        dict(module.CONFIG),
        module.serve(),
        module.Client.selector,
        dict(module.Client.OPTIONS),
        module.Client().wait(),
    ]


def test_everything_that_holds_a_class_gets_ours(library):
    before = everything_in(library)
    standard = {name: getattr(selectors, name) for name in NAMES}
    done = coopselectors.install()
    ours = coopselectors
    assert coopselectors.is_installed()
    assert everything_in(library) == [
        ours.DefaultSelector,
        ours.EpollSelector,
        ours.SelectSelector,
        {"selector": ours.EpollSelector, "other": int, "number": 1},
        (ours.PollSelector, 3, ours.SelectSelector, int),
        ours.PollSelector,
        {"selector": ours.SelectSelector},
        ours.EpollSelector,
    ]
    for name in NAMES:
        assert getattr(selectors, name) is getattr(coopselectors, name)
        assert f"selectors.{name}" in done.replaced
    assert {
        "library.CONFIG['selector']",
        "library.Client.OPTIONS['selector']",
        "default argument 'selector' of library.Client.wait",
        "default argument 'selector' of library.serve",
        "default argument 'also' of library.serve",
    } <= {*done.replaced}
    assert coopselectors.install().replaced == done.replaced  # once is enough
    assert coopselectors.uninstall() == []
    assert not coopselectors.is_installed()
    assert everything_in(library) == before
    assert {name: getattr(selectors, name) for name in NAMES} == standard


def test_only_in_some_modules(library):
    standard = {name: getattr(selectors, name) for name in NAMES}
    done = coopselectors.install(modules=["library"])
    assert all("library." in place for place in done.replaced)
    assert library.Private is coopselectors.EpollSelector
    assert {name: getattr(selectors, name) for name in NAMES} == standard
    coopselectors.uninstall()
    done = coopselectors.install(modules=iter(["selectors"]))
    assert library.Private is standard["EpollSelector"]
    assert sorted(done.replaced) == sorted(f"selectors.{name}" for name in NAMES)


def test_a_module_by_its_second_name(library, monkeypatch):
    monkeypatch.setitem(sys.modules, "library_too", library)
    coopselectors.install(modules=["library_too"])
    assert library.Private is coopselectors.EpollSelector


def test_in_no_module(library):
    assert coopselectors.install(modules=[]).replaced == []
    assert library.Private is selectors.EpollSelector
    assert not coopselectors.is_installed()


def test_a_name_that_is_in_no_list(library):
    with pytest.raises(TypeError, match="a list of names, such as \\['library'\\]"):
        coopselectors.install("library")
    assert not coopselectors.is_installed()


def test_a_module_that_is_not_loaded(library):
    with pytest.raises(ValueError, match="'no_such_module': no such module is loaded"):
        coopselectors.install(modules=["library", "no_such_module"])
    assert not coopselectors.is_installed()
    assert library.Private is selectors.EpollSelector


@pytest.mark.uncounted
@pytest.mark.parametrize("select", [False, True], ids=["classes", "primitives"])
def test_a_failure_at_any_moment_leaves_nothing_behind(library, select):
    """The failure is what a signal handler raises, earlier or later in the call."""

    def interrupt(*_):
        raise KeyboardInterrupt

    def everything():
        offered = [vars(selectors), vars(sys.modules["select"])]
        return everything_in(library), [dict(each) for each in offered]

    before = everything()
    usual = signal.signal(signal.SIGALRM, interrupt)
    interrupted = 0
    try:
        for number in range(60):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0003 * (number + 1))
                coopselectors.install(select=select)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                interrupted += 1
            if coopselectors.is_installed():
                assert coopselectors.uninstall() == []
            assert everything() == before
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, usual)
    assert interrupted > 1


def test_a_failure_at_any_call_leaves_nothing_behind(library):
    before = everything_in(library), dict(vars(selectors))
    file = coopselectors.install.__code__.co_filename
    calls, fails_at = 0, 1

    def fail(frame, event, _):
        nonlocal calls
        if event == "call" and frame.f_code.co_filename == file:
            calls += 1
            if calls == fails_at:
                raise KeyboardInterrupt

    while calls == fails_at - 1 or not calls:  # until there is no such call any more
        calls, fails_at = 0, 8 * fails_at
        sys.setprofile(fail)
        try:
            coopselectors.install()
        except KeyboardInterrupt:
            calls = fails_at - 1
            assert not coopselectors.is_installed()
            assert (everything_in(library), dict(vars(selectors))) == before
        finally:
            sys.setprofile(None)
    assert fails_at > 64
    assert coopselectors.is_installed()


@pytest.mark.epoll
def test_what_was_made_before_is_an_instance_of_what_is_there_now():
    class Derived(selectors.PollSelector):
        pass

    early, derived = selectors.DefaultSelector(), Derived()
    standard = selectors.EpollSelector
    coopselectors.install()
    names = ["DefaultSelector", "EpollSelector", "PollSelector", "BaseSelector"]
    kinds = [getattr(selectors, name) for name in names]
    assert [isinstance(early, kind) for kind in kinds] == [True, True, False, True]
    assert [isinstance(derived, kind) for kind in kinds] == [False, False, True, True]
    assert issubclass(Derived, selectors.PollSelector)
    with pytest.raises(TypeError):
        issubclass(early, selectors.PollSelector)
    coopselectors.uninstall()
    assert selectors.EpollSelector is standard
    assert not isinstance(early, coopselectors.EpollSelector)
    early.close()
    derived.close()


@pytest.mark.skipif(not hasattr(sys, "getrefcount"), reason="no references are counted here")
def test_to_install_again_and_again_keeps_nothing_more():
    standard = selectors.PollSelector
    coopselectors.install()
    before = sys.getrefcount(standard)
    for _ in range(20):
        coopselectors.install()
    after = sys.getrefcount(standard)
    coopselectors.uninstall()
    assert after < before + 10


def test_what_others_changed_since_is_left_alone(library):
    coopselectors.install()
    library.Private = None
    library.serve.__defaults__ = ()
    del library.CONFIG["selector"]
    assert sorted(coopselectors.uninstall()) == [
        "default argument 'selector' of library.serve",
        "library.CONFIG['selector']",
        "library.Private",
    ]
    assert library.Private is None
    assert library.serve.__defaults__ == ()
    assert "selector" not in library.CONFIG
    assert library.SelectSelector is selectors.SelectSelector


def test_nothing_to_undo():
    with pytest.raises(RuntimeError, match="nothing to undo"):
        coopselectors.uninstall()


def test_a_module_that_vanished(library):
    coopselectors.install()
    del sys.modules["library"]
    assert coopselectors.uninstall() == []
    assert library.Private is selectors.EpollSelector


def test_selectors_that_exist_are_reported(library):
    with selectors.PollSelector() as living, coopselectors.PollSelector() as ours:
        left = coopselectors.install().left
        assert any(each is living for each in left)
        assert not any(each is ours for each in left)


def test_odd_things_among_the_modules(library, monkeypatch):
    odd = types.SimpleNamespace(kind=selectors.PollSelector)
    monkeypatch.setitem(sys.modules, "nothing", None)
    monkeypatch.setitem(sys.modules, "odd", odd)
    done = coopselectors.install()
    assert library.Client.selector is odd.kind is coopselectors.PollSelector
    assert "sys.modules['odd'].kind" in done.replaced


#: {when: (before the patch, after it)}
ORDERS = {
    "before the patch": ("coopselectors.install()", ""),
    "after it": ("", "coopselectors.install()"),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", ["gevent", "eventlet"])
def test_what_was_captured_before_the_patch_is_cooperative(run_python, name, order):
    if missing({"gevent": "gevent-libev"}.get(name, name)):
        pytest.skip(f"not installed: {name}")
    before, after = ORDERS[order]
    patch = {
        "gevent": "import gevent.monkey; gevent.monkey.patch_all(); import gevent as hub",
        "eventlet": "import eventlet; eventlet.monkey_patch(); import eventlet as hub",
    }[name]
    output = run_python(
        f"""
        import warnings
        warnings.simplefilter("ignore")
        import multiprocessing.connection, selectors, socketserver, subprocess, sys, time
        import coopselectors
        standard = [subprocess._PopenSelector, socketserver._ServerSelector]
        {before}
        {patch}
        theirs = dict(vars(selectors))
        {after}
        if {after!r}:
            assert selectors.EpollSelector is coopselectors.EpollSelector
            assert subprocess._PopenSelector is coopselectors.PollSelector
        assert socketserver._ServerSelector is coopselectors.PollSelector
        assert multiprocessing.connection._WaitSelector is coopselectors.PollSelector

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                self.request.sendall(self.request.recv(100).upper())

        ticks = []
        def tick():
            while True:
                hub.sleep(0.001)
                ticks.append(1)

        server = socketserver.TCPServer(("127.0.0.1", 0), Handler)
        started = time.monotonic()
        hub.spawn(server.serve_forever, 20)  # a hub that it blocks stands still for so long
        hub.spawn(tick)
        hub.sleep(0.2)
        assert time.monotonic() - started < 10
        assert len(ticks) >= 2, len(ticks)
        import socket
        client = socket.create_connection(server.server_address)
        client.sendall(b"hello")
        assert client.recv(100) == b"HELLO"
        data = b"x" * 1000000
        done = subprocess.run(["cat"], input=data, stdout=subprocess.PIPE)
        assert done.stdout == data
        if {after!r}:
            coopselectors.uninstall()
            assert dict(vars(selectors)) == theirs
            assert [subprocess._PopenSelector, socketserver._ServerSelector] == standard
        print("done")
        """
    )
    assert output == "done\n"


@pytest.mark.skipif(missing("gevent-libev") != "", reason="not installed: gevent")
def test_as_a_plug_in_of_gevents(run_python, tmp_path):
    metadata = tmp_path / "application-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: application\nVersion: 1\n")
    group = "gevent.plugins.monkey.did_patch_all"
    (metadata / "entry_points.txt").write_text(f"[{group}]\nours = application:use\n")
    (tmp_path / "application.py").write_text(
        "def use(event):\n    import coopselectors\n    coopselectors.install()\n"
    )
    output = run_python(
        f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        import subprocess
        import gevent.monkey
        gevent.monkey.patch_all()
        import coopselectors, selectors
        assert coopselectors.is_installed()
        assert selectors.EpollSelector is coopselectors.EpollSelector
        print(subprocess._PopenSelector is coopselectors.PollSelector)
        """
    )
    assert output == "True\n"


PATCHES = {
    "gevent": "import gevent.monkey; gevent.monkey.patch_all()",
    "gevent, only select": "import gevent.monkey; gevent.monkey.patch_select()",
    "gevent, not aggressive": "import gevent.monkey; gevent.monkey.patch_all(aggressive=False)",
    "gevent, twice": "import gevent.monkey as monkey; monkey.patch_all(); monkey.patch_select()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
}

#: What the standard modules offer: whose it is, and what the standard classes are built on.
TELL = """
import json, os, sys, warnings
warnings.simplefilter("ignore")
import select, selectors, subprocess
if {ours}:
    import coopselectors
    coopselectors.install(select={select})
{patch}
if {ours}:
    names = ["DefaultSelector", "EpollSelector", "PollSelector", "SelectSelector"]
    import library
    for name in names:
        ours = getattr(coopselectors, name)
        assert getattr(selectors, name) is getattr(library, name) is ours, name
    for name in ("select", "poll", "epoll") if {select} else ():
        assert getattr(select, name).__module__ == "coopselectors.select", name
    done = coopselectors.install(select={select}).replaced
    assert len(done) == len(set(done)), done
    assert coopselectors.uninstall() == []
    assert type(select) is type(selectors) is type(sys)
    kept = [coopselectors.PollSelector]
def say(thing):
    thing = getattr(thing, "__func__", thing)
    module = getattr(thing, "__module__", None) or type(thing).__module__
    return module + "." + getattr(thing, "__name__", type(thing).__name__)
said = {{"select": {{}}, "selectors": {{}}, "held": {{}}}}
for module in (select, selectors):
    for name, thing in sorted(vars(module).items()):
        if not name.startswith("__") and not isinstance(thing, int):
            said[module.__name__][name] = say(thing)
        for held in ("_select", "_selector_cls"):
            if name.endswith("Selector") and hasattr(thing, held):
                said["held"][name + "." + held] = say(getattr(thing, held))
saved = getattr(sys.modules.get("gevent.monkey"), "saved", {{}})
for module in ("select", "selectors"):
    kept = saved.get(module, {{}}).items()
    said["saved " + module] = {{name: say(thing) for name, thing in kept}}
print(json.dumps(said, indent=1))
"""


@pytest.mark.parametrize("select", [False, True], ids=["classes", "primitives"])
@pytest.mark.parametrize("patch", PATCHES)
def test_a_patch_that_comes_later_goes_beneath(run_python, tmp_path, patch, select):
    """What is imported after it gets ours, and `uninstall` leaves what it would have put there."""
    for name in ("gevent", "eventlet"):
        if name in patch and missing({"gevent": "gevent-libev"}.get(name, name)):
            pytest.skip(f"not installed: {name}")
    (tmp_path / "library.py").write_text("from selectors import *\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    without, with_ours = (
        run_python(TELL.format(ours=ours, select=select, patch=PATCHES[patch]), PYTHONPATH=path)
        for ours in (False, True)
    )
    # gevent's is a function that calls `select`, for a class would make a method of that.
    without = without.replace("gevent.selectors._select", "gevent.select.select")
    assert json.loads(with_ours) == json.loads(without)


class Lazy:
    """As Django's and others' lazy objects: to ask what it is has an effect, and may fail."""

    @property
    def __class__(self):
        raise RuntimeError("not set up yet")


class Unhashable(type):
    def __eq__(cls, other):
        return NotImplemented

    __hash__ = None


@pytest.mark.parametrize("how", ["install", "audit"])
def test_odd_things_in_modules(library, how):
    class Gone:
        pass

    library.proxy = weakref.proxy(selectors.EpollSelector)
    library.dead = weakref.proxy(Gone)
    library.lazy = Lazy()
    library.unhashable = Unhashable("Odd", (), {})
    library.TABLE = {1: library.lazy, 2: library.proxy}
    library.Holder = type("Holder", (), {"__module__": "library", "lazy": library.lazy})
    del Gone
    gc.collect()
    with pytest.raises(ReferenceError):
        str(library.dead)
    kept = dict(vars(library))
    if how == "audit":
        found = [finding.where for finding in coopselectors.audit()]
        assert "library.Private" in found
        assert not [where for where in found if where.startswith(("library.lazy", "library.dead"))]
    else:
        coopselectors.install()
        assert library.Private is coopselectors.EpollSelector
    for name in ("proxy", "dead", "lazy", "unhashable", "TABLE", "Holder"):
        assert vars(library)[name] is kept[name]


@pytest.mark.skipif(missing("eventlet") != "", reason="not installed: eventlet")
def test_what_was_captured_after_eventlets_patch_is_ours_too(run_python):
    output = run_python(
        """
        import warnings
        warnings.simplefilter("ignore")
        import eventlet
        eventlet.monkey_patch()
        import selectors, socketserver
        from selectors import DefaultSelector
        theirs = DefaultSelector
        import coopselectors
        coopselectors.install()
        assert DefaultSelector is coopselectors.DefaultSelector, DefaultSelector
        assert socketserver._ServerSelector is coopselectors.SelectSelector
        coopselectors.uninstall()
        assert DefaultSelector is selectors.DefaultSelector is theirs
        print("done")
        """
    )
    assert output == "done\n"


def test_what_others_write_into_the_modules_stays(library):
    """Those who are no hub, and what is not ours any more when a hub comes."""
    standard = dict(vars(selectors))
    coopselectors.install()
    selectors.PollSelector = "mine"
    del selectors.EpollSelector
    selectors.something = 1
    hub = types.ModuleType("gevent.monkey.api")
    exec(
        "def put(module, **items):\n    [setattr(module, *each) for each in items.items()]",
        vars(hub),
    )
    exec("def remove(module, name):\n    delattr(module, name)", vars(hub))
    hub.put(selectors, PollSelector="theirs", EpollSelector="theirs", other=2, _private=3)
    hub.remove(selectors, "_private")
    hub.put(selectors, SelectSelector="put")
    hub.remove(selectors, "DefaultSelector")
    with pytest.raises(AttributeError):
        hub.remove(selectors, "no_such_name")
    now = dict(vars(selectors))
    others = {"PollSelector": "theirs", "EpollSelector": "theirs", "something": 1, "other": 2}
    ours = {name: getattr(coopselectors, name) for name in ("SelectSelector", "DefaultSelector")}
    assert now == {**standard, **others, **ours}
    assert sorted(coopselectors.uninstall()) == [
        "selectors.EpollSelector",
        "selectors.PollSelector",
    ]
    try:
        assert vars(selectors) == {
            name: thing
            for name, thing in {**standard, **others, "SelectSelector": "put"}.items()
            if name != "DefaultSelector"
        }
    finally:
        vars(selectors).clear()
        vars(selectors).update(standard)


def test_the_modules_are_still_modules():
    for module in (selectors, sys.modules["select"]):
        with pytest.raises(TypeError):
            pickle.dumps(module)
    coopselectors.install(select=True)
    try:
        for module in (selectors, sys.modules["select"]):
            assert inspect.ismodule(module)
            assert repr(module).startswith(f"<module '{module.__name__}' ")
            # cloudpickle and the like know modules by their exact type, and ask others for this.
            assert pickle.loads(pickle.dumps(module)) is module
    finally:
        coopselectors.uninstall()
    assert type(selectors) is type(sys.modules["select"]) is types.ModuleType


@pytest.mark.parametrize("name", ["selectors", "select"])
def test_a_module_of_another_class_is_left_as_it_is(monkeypatch, name):
    class Odd(types.ModuleType):
        pass

    module = sys.modules[name]
    monkeypatch.setattr(module, "__class__", Odd)
    coopselectors.install(select=True)
    assert type(module) is Odd
    assert coopselectors.uninstall() == []
    assert type(module) is Odd


def test_a_module_that_got_another_class_since_keeps_it(run_python):
    said = run_python(
        """
        import selectors, sys, types
        import coopselectors

        coopselectors.install()

        class Mine(type(selectors)):
            pass

        selectors.__class__ = Mine
        print(coopselectors.uninstall(), type(selectors) is Mine)
        print(selectors.EpollSelector.__module__)
        """
    )
    assert said == "[] True\nselectors\n"
