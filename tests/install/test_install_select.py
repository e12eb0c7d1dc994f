"""Does ``install(select=True)`` fill the select module, and does ``uninstall()`` undo all of it?"""

from __future__ import annotations

import gc
import select
import selectors
import sys
import types

import pytest

import coopselectors
import coopselectors.select as ours
from coopselectors import _unpatched
from support import TESTS
from support.runtimes import missing

ALL = ("select", "poll", "epoll", "devpoll", "kqueue")

#: Those that this platform has.
NAMES = [name for name in ALL if hasattr(ours, name)]

#: What a library may do with each.
LIBRARY = """
import select
from select import {name} as my_{name}

def wait_{name}(how=select.{name}, size=3, *, by=my_{name}):
    return how, size, by

class Client_{name}:
    held = select.{name}
    TABLE = {{"here": select.{name}, "other": 1}}
"""

PLACES = (
    "library.my_{0}",
    "default argument 'how' of library.wait_{0}",
    "default argument 'by' of library.wait_{0}",
    "library.Client_{0}.held",
    "library.Client_{0}.TABLE['here']",
)


@pytest.fixture
def library(monkeypatch):
    """A module that took primitives before; all that is done to ``select`` is undone at the end."""
    gc.collect()  # that of the test before
    offered = dict(vars(select))
    module = types.ModuleType("library")
    for name in NAMES:
        exec(LIBRARY.format(name=name), vars(module))
    monkeypatch.setitem(sys.modules, "library", module)
    yield module
    if coopselectors.is_installed():
        coopselectors.uninstall()
    for name in {*vars(select)} - {*offered}:
        delattr(select, name)
    vars(select).update(offered)


def held(module, name):
    """What it holds of that name, in each of the places."""
    wait, client = vars(module)[f"wait_{name}"], vars(module)[f"Client_{name}"]
    how, size, by = wait()
    assert (size, client.TABLE["other"]) == (3, 1)
    return [vars(module)[f"my_{name}"], how, by, vars(client)["held"], client.TABLE["here"]]


def is_ours(thing, name):
    return thing.__module__ == "coopselectors.select" and thing.__qualname__ == name


def test_whatever_holds_a_primitive_gets_ours(library):
    before = {name: held(library, name) for name in NAMES}
    offered = dict(vars(select))
    done = coopselectors.install(select=True)
    assert coopselectors.is_installed()
    for name in NAMES:
        now = [getattr(select, name), *held(library, name)]
        assert all(is_ours(each, name) for each in now), now
        assert len(set(map(id, now))) == 1  # as it was before
        if name != "select":
            assert now[0] is getattr(ours, name)
        assert {place.format(name) for place in PLACES} < {*done.replaced}
        assert f"select.{name}" in done.replaced
    assert {*vars(select)} - {*offered} == set()
    assert coopselectors.install(select=True).replaced == done.replaced  # once is enough
    assert coopselectors.uninstall() == []
    assert not coopselectors.is_installed()
    assert {name: held(library, name) for name in NAMES} == before
    assert dict(vars(select)) == offered


def test_the_module_is_left_alone_if_it_is_not_asked_for(library):
    before = {name: held(library, name) for name in NAMES}
    offered = dict(vars(select))
    done = coopselectors.install()
    assert coopselectors.is_installed()
    assert dict(vars(select)) == offered
    assert {name: held(library, name) for name in NAMES} == before
    assert not [place for place in done.replaced if place.startswith(("library", "select."))]


def test_it_may_be_asked_for_later(library):
    without = coopselectors.install().replaced
    done = coopselectors.install(select=True).replaced
    assert done[: len(without)] == without
    assert "library.my_select" in done[len(without) :]
    assert coopselectors.install().replaced == done
    assert coopselectors.uninstall() == []
    assert library.my_select is select.select is _unpatched.select


def test_only_in_some_modules(library):
    offered, classes = dict(vars(select)), dict(vars(selectors))
    done = coopselectors.install(modules=["library"], select=True)
    assert {*done.replaced} == {place.format(name) for name in NAMES for place in PLACES}
    assert is_ours(library.my_select, "select")
    assert dict(vars(select)) == offered
    assert coopselectors.uninstall() == []
    done = coopselectors.install(modules=iter(["select"]), select=True)
    assert sorted(done.replaced) == sorted(f"select.{name}" for name in NAMES)
    assert library.my_select is _unpatched.select
    assert dict(vars(selectors)) == classes
    assert coopselectors.uninstall() == []
    assert dict(vars(select)) == offered


def test_what_was_deleted_comes_back_and_is_deleted_again(library):
    gone = [name for name in (*NAMES, "kevent") if name != "select" and hasattr(select, name)]
    for name in gone:
        delattr(select, name)
    offered = dict(vars(select))
    done = coopselectors.install(select=True)
    for name in gone:
        assert getattr(select, name) is getattr(ours, name)
        assert f"select.{name}" in done.replaced
    assert {name for name in ALL if hasattr(select, name)} == {*NAMES}  # and nothing else
    assert coopselectors.uninstall() == []
    assert dict(vars(select)) == offered


def test_even_select_itself_may_have_been_deleted(library, connect):
    reader, writer = connect()
    del select.select
    offered = dict(vars(select))
    coopselectors.install(select=True)
    assert coopselectors.current_runtime() == "native"
    assert select.select([reader], [writer], [], 20) == ([], [writer], [])
    assert coopselectors.uninstall() == []
    assert dict(vars(select)) == offered


@pytest.mark.parametrize("name", NAMES)
def test_what_somebody_else_has_put_there_is_left_alone(library, name):
    def stranger(*how):
        return _unpatched.find(name)(*how)

    setattr(select, name, stranger)
    vars(library)[f"my_{name}"] = stranger
    done = coopselectors.install(select=True)
    assert getattr(select, name) is stranger
    assert vars(library)[f"my_{name}"] is stranger
    assert f"select.{name}" not in done.replaced
    assert all(is_ours(each, name) for each in held(library, name)[1:])
    assert all(is_ours(getattr(select, each), each) for each in NAMES if each != name)
    assert coopselectors.current_runtime() == ("foreign" if name == "select" else "native")


def test_what_others_changed_since_is_left_alone(library):
    offered = dict(vars(select))
    coopselectors.install(modules=["library", "select"], select=True)
    select.select = len
    library.my_select = None
    library.wait_select.__defaults__ = ()
    library.wait_select.__kwdefaults__.clear()
    del library.Client_select.held
    del library.Client_select.TABLE["here"]
    assert sorted(coopselectors.uninstall()) == sorted(
        ["select.select", *(place.format("select") for place in PLACES)]
    )
    assert dict(vars(select)) == {**offered, "select": len}
    assert library.my_select is None
    assert library.wait_select.__defaults__ == ()
    assert "held" not in vars(library.Client_select)
    assert "here" not in library.Client_select.TABLE


def test_what_others_have_deleted_since_stays_deleted(library):
    coopselectors.install(modules=["select"], select=True)
    for name in NAMES:
        delattr(select, name)
    assert sorted(coopselectors.uninstall()) == sorted(f"select.{name}" for name in NAMES)
    assert not [name for name in ALL if hasattr(select, name)]


def test_the_type_of_a_poll_object_is_not_the_function_of_its_name(library):
    kind = library.Kind = type(library.my_poll())
    assert (kind.__module__, kind.__name__) == ("select", "poll")
    assert "library.my_poll" in coopselectors.install(select=True).replaced
    assert library.Kind is kind


def test_a_module_that_is_not_loaded(library):
    offered = dict(vars(select))
    with pytest.raises(ValueError, match="'no_such_module': no such module is loaded"):
        coopselectors.install(modules=["select", "no_such_module"], select=True)
    assert not coopselectors.is_installed()
    assert dict(vars(select)) == offered


def test_it_is_asked_for_by_name(library):
    with pytest.raises(TypeError, match="positional"):
        coopselectors.install(None, True)
    assert not coopselectors.is_installed()


def test_objects_that_exist_already_are_found_by_an_audit(library):
    library.living = [library.my_poll(), library.my_epoll()]
    with selectors.PollSelector() as selector:
        left = coopselectors.install(select=True).left
        assert any(each is selector for each in left)
    found = {each[:2] for each in coopselectors.audit() if each.where[:8] == "library."}
    assert found == {
        ("library.living[0]", "a select.poll object"),
        ("library.living[1]", "a select.epoll object"),
    }
    library.living.pop().close()


class Holder:
    """As libraries keep a primitive: what is called must not become a method of theirs."""

    _select = select.select
    _poller = getattr(select, "poll", None)

    def __init__(self):
        self._made = self._poller and self._poller()

    def ready(self, file):
        assert self._select([], [file], [], 20) == ([], [file], [])
        assert self._select([], [], [], 0) == ([], [], [])
        if self._made is not None:
            self._made.register(file, select.POLLOUT)
            assert self._made.poll(20000) == [(file.fileno(), select.POLLOUT)]
            self._made.unregister(file)
        return True


def test_what_a_class_holds_can_be_called_as_before(library, monkeypatch, connect):
    monkeypatch.setitem(sys.modules, Holder.__module__, sys.modules[__name__])
    here = Holder.__module__
    writer = connect()[0]
    old = Holder()
    assert old.ready(writer)
    done = coopselectors.install(modules=[here], select=True)
    assert f"{here}.Holder._select" in done.replaced
    assert is_ours(vars(Holder)["_select"], "select")
    between = Holder()
    assert old.ready(writer)
    assert between.ready(writer)
    assert coopselectors.uninstall() == []
    assert vars(Holder)["_select"] is _unpatched.select
    assert between.ready(writer)
    assert Holder().ready(writer)


@pytest.mark.parametrize("by_name", [False, True], ids=["plain", "with our name"])
def test_a_tool_that_counts_the_calls_comes_later(library, connect, by_name):
    writer = connect()[0]
    coopselectors.install(select=True)
    counted = []

    def counting(*how, real=select.select):
        counted.append(how)
        return real(*how)

    if by_name:
        counting.__wrapped__ = select.select
        counting.__module__ = select.select.__module__
    select.select = counting
    assert coopselectors.current_runtime() == ("native" if by_name else "foreign")
    assert select.select([], [writer], [], 20) == ([], [writer], [])
    assert len(counted) == 1
    counted.clear()
    with coopselectors.SelectSelector() as selector:
        selector.register(writer, selectors.EVENT_WRITE)
        assert len(selector.select(20)) == 1
    assert bool(counted) is not by_name


def test_a_tool_that_counts_the_calls_was_there_before(library, connect):
    writer = connect()[0]
    counted = []
    exec(
        "def counting(*how):\n    counted.append(how)\n    return my_select(*how)",
        vars(library),
        vars(library),
    )
    library.counted = counted
    select.select = library.counting
    coopselectors.install(select=True)
    assert select.select is library.counting
    assert is_ours(library.my_select, "select")
    assert select.select([], [writer], [], 20) == ([], [writer], [])
    assert len(counted) == 1
    counted.clear()
    assert library.wait_select()[0]([], [writer], [], 20) == ([], [writer], [])
    assert not counted  # whoever took it before goes past the wrapper, as in the standard module
    with pytest.raises(TypeError):
        select.select()
    assert select.select([], [writer], [], 20) == ([], [writer], [])


PATCHES = {
    "gevent": "import gevent.monkey; gevent.monkey.patch_all(); import gevent as hub",
    "eventlet": "import eventlet; eventlet.monkey_patch(); import eventlet as hub",
}

#: A library that takes the primitives, a function that makes sure that the hub goes on while they
#: wait, and one that says what every namespace holds.
SETUP = """
import sys, types, warnings
warnings.simplefilter("ignore")
import select, selectors, socket
untouched = {name: getattr(select, name) for name in ("select", "poll", "epoll")}
coopselectors = None

LIBRARY = '''
import select
from select import select as choose
try:
    from select import poll as Poller
except ImportError:
    Poller = None
try:
    from select import epoll as Epoll
except ImportError:
    Epoll = None

def by_default(choose=select.select, *, also=select.select):
    return choose, also

class Client:
    _select = select.select
    _poller = Poller
    _epoll = Epoll
    TABLE = {"choose": choose}

    def __init__(self):
        self._poller = self._poller and self._poller()

    def select(self, reader):
        return self._select([reader], [], [], LIMIT)[0]

    def poll(self, reader):
        self._poller.register(reader, select.POLLIN)
        return self._poller.poll(LIMIT * 1000)

    def epoll(self, reader):
        made = self._epoll()
        try:
            made.register(reader, select.EPOLLIN)
            return made.poll(LIMIT)
        finally:
            made.close()

LIMIT = 20  # seconds; a wait that holds up the hub ends then, and finds nothing
'''

def take(name):
    module = sys.modules[name] = types.ModuleType(name)
    exec(LIBRARY, vars(module))
    return module

def namespaces(*modules):
    found = [dict(vars(select)), dict(vars(selectors))]
    for module in modules:
        found += [dict(vars(module)), dict(vars(module.Client)), dict(module.Client.TABLE)]
        found += [list(module.by_default())]
    return found

def captured(module):
    chooses = [module.choose, module.Client._select, module.Client.TABLE["choose"]]
    chooses += module.by_default()
    return chooses, [module.Poller, module.Client._poller], [module.Epoll, module.Client._epoll]

def is_ours(thing, name):
    return (thing.__module__, thing.__qualname__) == ("coopselectors.select", name)

def all_ours(module, but=()):
    for name, things in zip(("select", "poll", "epoll"), captured(module)):
        for thing in things:
            assert thing is None or is_ours(thing, name), (module, name, thing)

def offers_ours():
    for name in ("select", "poll", "epoll"):
        assert is_ours(getattr(select, name), name), (name, vars(select).get(name))

def turns_go_on(wait, hub):
    "Something comes only when others had some turns while this one waits."
    reader, writer = socket.socketpair()
    def tick():
        for _ in range(5):
            hub.sleep(0.001)
        writer.send(b"!")
    with reader, writer:
        hub.spawn(tick)
        assert wait(reader), wait
        assert reader.recv(9) == b"!"

def is_cooperative(module, hub):
    turns_go_on(lambda reader: module.choose([reader], [], [], 20)[0], hub)
    turns_go_on(lambda reader: module.by_default()[1]([reader], [], [], 20)[0], hub)
    turns_go_on(module.Client().select, hub)
    if module.Poller:
        turns_go_on(module.Client().poll, hub)
    if module.Epoll:
        turns_go_on(module.Client().epoll, hub)

def replaced(done):
    return sorted(place for place in done.replaced if place.startswith("select."))
"""

#: {when: (what is done before the patch, after it)}
ORDERS = {
    "before the patch": ("install()", ""),
    "after it": ("", "install()"),
    "before and after it": ("install()", "install()"),
}


def needs(*names):
    for name in names:
        lack = missing({"gevent": "gevent-libev"}.get(name, name))
        if lack:
            pytest.skip(lack)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", PATCHES)
def test_with_a_patch(run_python, name, order):
    needs(name)
    before, after = ORDERS[order]
    run_python(
        SETUP
        + f"""
import coopselectors
def install():
    return coopselectors.install(select=True)

library_before = take("library_before")
first = namespaces(library_before)
{before}
if {before!r}:
    all_ours(library_before)
    offers_ours()
    assert coopselectors.current_runtime() == "native"
    assert coopselectors.audit() == []
    library_between = take("library_between")  # of what is offered: ours
{PATCHES[name]}
if not {before!r}:
    library_between = None
library_after = take("library_after")  # of what is offered then
if {before!r}:
    all_ours(library_after)
assert coopselectors.current_runtime() == {name!r}
second = namespaces(library_before, library_after)
{after}
if {after!r}:
    done = install().replaced
    assert done == install().replaced  # once is enough
    assert [place for place in done if done.count(place) > 1] == []
    all_ours(library_after)
assert coopselectors.is_installed()
assert coopselectors.current_runtime() == {name!r}
all_ours(library_before)
offers_ours()
assert coopselectors.audit() == [], list(map(str, coopselectors.audit()))
is_cooperative(library_after, hub)
is_cooperative(take("library_at_last"), hub)
del sys.modules["library_at_last"]
is_cooperative(library_before, hub)
if library_between:
    is_cooperative(library_between, hub)
evidence = coopselectors.info()["evidence"]
assert coopselectors.info()["runtime"] == {name!r}
theirs = {{"gevent": "gevent.select", "eventlet": "eventlet.green.select"}}[{name!r}]
assert evidence["select"] == (
    f"{name}: coopselectors.select.select, in the place of {{theirs}}.select"
)
assert evidence["epoll"] == "{name}: coopselectors.select.epoll"
assert evidence["poll"] == "{name}: coopselectors.select.poll"
assert coopselectors.uninstall() == []
assert not coopselectors.is_installed()
assert coopselectors.current_runtime() == {name!r}
now = namespaces(library_before, library_after)
if {before!r}:
    assert (select.select.__module__, hasattr(select, "epoll")) == (theirs, False)
    assert namespaces(library_before)[2:] == first[2:]
else:
    assert now == second
""",
        limit=110,
    )


def test_in_an_ordinary_process(run_python):
    run_python(
        SETUP
        + """
library = take("library")
import coopselectors
before = namespaces(library)
done = coopselectors.install(select=True)
all_ours(library)
offers_ours()
assert replaced(done) == ["select.epoll", "select.poll", "select.select"]
assert coopselectors.current_runtime() == "native"
assert coopselectors.info()["evidence"] == {
    "select": "native: coopselectors.select.select, in the place of select.select",
    "poll": "native: coopselectors.select.poll",
    "epoll": "native: coopselectors.select.epoll",
    "devpoll": "not there",
    "kqueue": "not there",
}
assert coopselectors.info()["hub"] == "the kernel"
assert coopselectors.audit() == []
reader, writer = socket.socketpair()
writer.send(b"!")
with reader, writer, selectors.DefaultSelector() as selector:
    client = library.Client()
    assert client.select(reader) and client.poll(reader) and client.epoll(reader)
    selector.register(reader, selectors.EVENT_READ)
    assert len(selector.select(20)) == 1
    with select.epoll() as made:
        assert isinstance(made, select.epoll)
assert coopselectors.uninstall() == []
assert namespaces(library) == before
assert {name: getattr(select, name) for name in untouched} == untouched
"""
    )


@pytest.mark.once
@pytest.mark.parametrize(
    ("first", "then"),
    [("gevent", "eventlet"), ("eventlet", "gevent")],
    ids=["gevent first", "eventlet first"],
)
def test_with_both_libraries(run_python, first, then):
    needs(first, then)
    patches = {
        "gevent": "gevent.monkey.patch_select()",
        "eventlet": "eventlet.monkey_patch(all=False, select=True)",
    }
    run_python(
        SETUP
        + f"""
library = take("library")
before = namespaces(library)
import eventlet, gevent.monkey
import coopselectors
coopselectors.install(select=True)
assert coopselectors.current_runtime() == "native"
{patches[first]}
offers_ours()
assert coopselectors.current_runtime() == {first!r}
is_cooperative(library, {first})
is_cooperative(take("library_of_the_first"), {first})
{patches[then]}
assert coopselectors.current_runtime() == {then!r}
is_cooperative(library, {then})
is_cooperative(sys.modules["library_of_the_first"], {then})
offers_ours()
assert coopselectors.current_runtime() == {then!r}
assert coopselectors.info()["evidence"]["epoll"] == "{then}: coopselectors.select.epoll"
assert coopselectors.audit() == [], list(map(str, coopselectors.audit()))
is_cooperative(library, {then})
assert coopselectors.uninstall() == []
assert namespaces(library)[2:] == before[2:]
assert coopselectors.current_runtime() == {then!r}
""",
        limit=110,
    )


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("name", PATCHES)
def test_a_tool_that_counts_the_calls_in_a_patched_process(run_python, name, order):
    """It may have taken the patch's function, and then have got ours in its place."""
    needs(name)
    install = "import coopselectors; coopselectors.install(select=True)"
    run_python(
        SETUP
        + f"""
library = take("library")
{PATCHES[name]}
{install if order == "before" else ""}
tool = sys.modules["tool"] = types.ModuleType("tool")
exec('''
import select
counted = []
real = select.select
def counting(*how):
    counted.append(how)
    return real(*how)
select.select = counting
''', vars(tool))
{install if order == "after" else ""}
assert is_ours(tool.real, "select")
assert coopselectors.current_runtime() == "foreign"
turns_go_on(lambda reader: select.select([reader], [], [], 20)[0], hub)
assert len(tool.counted) == 1, tool.counted
is_cooperative(library, hub)

# One that waits in there does not speak for the others.
reader, writer = socket.socketpair()
waiter = hub.spawn(select.select, [reader], [], [], 20)
hub.sleep(0.01)
tool.counted.clear()
turns_go_on(lambda reader: select.select([reader], [], [], 20)[0], hub)
assert len(tool.counted) == 1, tool.counted

# One that was taken before goes past the tool, as in the standard module, and through the hub.
turns_go_on(library.Client().select, hub)
assert len(tool.counted) == 1, tool.counted
writer.send(b"!")
waiter.join() if hasattr(waiter, "join") else waiter.wait()
reader.close(), writer.close()

# One that has taken on our name hides nobody's.
import functools
select.select = functools.wraps(tool.real)(lambda *how: tool.real(*how))
assert coopselectors.current_runtime() == {name!r}
evidence = coopselectors.info()["evidence"]["select"]
assert evidence.startswith("{name}: coopselectors.select.select, in the place of {name}.")
turns_go_on(lambda reader: select.select([reader], [], [], 20)[0], hub)
"""
    )


@pytest.mark.once
@pytest.mark.parametrize("platform", ["kqueue", "devpoll", "select"])
@pytest.mark.parametrize("name", PATCHES)
def test_on_a_stand_in_for_another_platform(run_python, name, platform):
    needs(name)
    tests = str(TESTS)
    run_python(
        f"""
        import sys
        sys.path.insert(0, sys.argv[1])
        from support import standins
        standins.install(sys.argv[2])
        import coopselectors, coopselectors.select as ours
        import select, types
        library = sys.modules["library"] = types.ModuleType("library")
        exec("import select; held = {{name: getattr(select, name, None) for name in "
             "('select', 'poll', 'devpoll', 'kqueue', 'kevent')}}", vars(library))
        had = dict(vars(select))
        captured = dict(library.held)
        {PATCHES[name]}
        patched = dict(vars(select))
        coopselectors.install(select=True)
        assert coopselectors.current_runtime() == {name!r}
        assert {{*vars(select)}} == {{*had}}, {{*vars(select)}} ^ {{*had}}
        for name in ("poll", "devpoll", "kqueue", "kevent"):
            assert hasattr(select, name) == (name in had), name
            if name in had:
                assert getattr(select, name) is getattr(ours, name), name
                if name != "devpoll":  # its stand-in is a class, and no function
                    assert library.held[name] is getattr(ours, name), name
        kind = sys.argv[2]
        assert kind == "select" or (kind not in patched and kind in vars(select))

        import socket
        reader, writer = socket.socketpair()
        def tick():
            for _ in range(5):
                hub.sleep(0.001)
            writer.send(b"!")
        def select_it():
            return select.select([reader], [], [], 20)[0]
        def kqueue_it():
            made = select.kqueue()
            change = select.kevent(reader.fileno(), select.KQ_FILTER_READ, select.KQ_EV_ADD)
            try:
                return made.control([change], 1, 20)
            finally:
                made.close()
        def devpoll_it():
            made = select.devpoll()
            made.register(reader, select.POLLIN)
            try:
                return made.poll(20000)
            finally:
                made.close()
        for wait in (select_it, vars()[kind + "_it"]):
            hub.spawn(tick)
            assert wait(), wait
            assert reader.recv(9) == b"!"
        reader.close(), writer.close()
        assert coopselectors.uninstall() == []
        assert dict(vars(select)) == patched
        assert library.held == captured
        """,
        tests,
        platform,
        PYTHONWARNINGS="ignore",
    )
