"""Can what is installed be pickled and copied, and loaded where coopselectors is not?"""

from __future__ import annotations

import abc
import copy
import copyreg
import io
import multiprocessing.reduction
import pickle
import selectors
import sys
import types
from collections.abc import Sized
from functools import partial
from typing import Generic, Protocol, TypeVar

import pytest

import coopselectors
from coopselectors import EVENT_READ
from support import native

CLASSES = [name for name in coopselectors.__all__ if name.endswith("Selector")]
CLASSES.remove("BaseSelector")
PRIMITIVES = [name for name in ("select", "poll", "epoll") if native.find(name) is not None]


@pytest.fixture
def installed():
    coopselectors.install(select=True)
    yield
    if coopselectors.is_installed():
        coopselectors.uninstall()


def with_own_table(thing):
    """As many programs pickle."""
    file = io.BytesIO()
    pickler = pickle.Pickler(file)
    pickler.dispatch_table = dict(copyreg.dispatch_table)
    pickler.dump(thing)
    return file.getvalue()


def for_another_process(thing):
    return bytes(multiprocessing.reduction.ForkingPickler.dumps(thing))


WAYS = {
    **{f"protocol-{each}": partial(pickle.dumps, protocol=each) for each in range(6)},
    "in-Python": pickle._dumps,
    "multiprocessing": for_another_process,
    "own-table": with_own_table,
}


@pytest.mark.parametrize("way", WAYS)
def test_each_comes_back_as_itself(installed, way):
    things = [getattr(selectors, name) for name in CLASSES]
    things += [getattr(sys.modules["select"], name) for name in PRIMITIVES]
    ours = [getattr(coopselectors, name) for name in CLASSES]
    assert things[: len(ours)] == ours
    for thing in things:
        data = WAYS[way]([thing, {thing: 1}])
        assert pickle.loads(data) == [thing, {thing: 1}]
        assert b"coopselectors" not in data
        assert copy.copy(thing) == thing == copy.deepcopy([thing])[0]


MAKE = """
import coopselectors, pickle, select, selectors, sys
coopselectors.install(select=True)
names = sys.argv[1].split()
things = [getattr(select if name.islower() else selectors, name) for name in names]
with selectors.SelectSelector() as selector:
    selector.register(0, selectors.EVENT_READ, "data")
    selector.name = "mine"
    sys.stdout.write(pickle.dumps([things, selector], 0).decode())
"""

LOAD = """
import pickle, select, selectors, sys
things, selector = pickle.loads(sys.argv[2].encode())
names = sys.argv[1].split()
assert things == [getattr(select if name.islower() else selectors, name) for name in names]
assert not [name for name in sys.modules if name.startswith("coopselectors")]
assert type(selector) is selectors.SelectSelector
key = selector.get_key(0)
assert key == selectors.SelectorKey(0, 0, selectors.EVENT_READ, "data") and selector.name == "mine"
assert selector.select(0) == [(key, selectors.EVENT_READ)]
selector.modify(0, selectors.EVENT_WRITE)
selector.unregister(0)
assert not selector.get_map() and selector.select(0) == []
"""


def test_a_process_without_ours_can_load_it(run_python):
    names = " ".join([*CLASSES, *PRIMITIVES])
    run_python(LOAD, names, run_python(MAKE, names))


def test_a_standard_selector_comes_back_as_ours(run_python):
    made = run_python(MAKE.replace("coopselectors.install(select=True)", ""), "SelectSelector")
    load = LOAD.replace("assert not [", "[").replace("import", "import coopselectors,", 1)
    load = load.replace("things,", "coopselectors.install()\nthings,", 1)
    run_python(load, "SelectSelector", made)


def dumped_as(thing):
    found = []

    class Unpickler(pickle.Unpickler):
        def find_class(self, module, name):
            found.append(f"{module}.{name}")
            return super().find_class(module, name)

    assert Unpickler(io.BytesIO(pickle.dumps(thing))).load() is thing
    return found


def assert_is_pickled_as_ours():
    for kind in [getattr(coopselectors, name) for name in CLASSES]:
        assert type(kind) is abc.ABCMeta
        assert dumped_as(kind) == [f"{kind.__module__}.{kind.__qualname__}"]
    for name in PRIMITIVES:
        thing = getattr(coopselectors.select, name)
        assert b"coopselectors" in pickle.dumps(thing)
        assert pickle.loads(pickle.dumps(thing)) == thing == copy.deepcopy(thing)


def test_what_is_not_installed_is_pickled_as_ours():
    assert_is_pickled_as_ours()
    coopselectors.install(select=True)
    coopselectors.uninstall()
    assert_is_pickled_as_ours()


def test_what_is_installed_in_other_modules_alone_is_pickled_as_ours(monkeypatch):
    library = types.ModuleType("library")
    library.kind = selectors.PollSelector
    monkeypatch.setitem(sys.modules, "library", library)
    coopselectors.install(modules=["library"])
    try:
        assert library.kind is coopselectors.PollSelector
        assert_is_pickled_as_ours()
    finally:
        coopselectors.uninstall()


def test_what_somebody_has_put_in_its_place_is_not_ours(installed, monkeypatch):
    """As a patch does that comes after `install`."""
    for name in CLASSES:
        monkeypatch.setattr(selectors, name, object())
    kind = coopselectors.PollSelector
    assert dumped_as(kind) == [f"{kind.__module__}.PollSelector"]


class Meta(abc.ABCMeta):
    pass


class HasName(Protocol):
    name: str


Item = TypeVar("Item")


def derive(kind):
    """What a program may derive from a class with the metaclass ABCMeta."""
    yield type(kind)("Mine", (kind,), {})
    yield abc.ABCMeta("Mine", (kind,), {})
    yield types.new_class("Mine", (kind, Sized, Generic[Item]))
    yield types.new_class("Mine", (kind,), {"metaclass": abc.ABCMeta})


@pytest.mark.parametrize("name", CLASSES)
def test_classes_with_other_metaclasses_can_be_derived(name):
    kind = getattr(coopselectors, name)
    made = [*derive(kind), types.new_class("Mine", (kind,), {"metaclass": Meta})]
    made.append(types.new_class("Mine", (kind, HasName)))
    coopselectors.install()
    try:
        made += derive(getattr(selectors, name))
        both = type("Both", (Meta, type(kind)), {})
        made.append(types.new_class("Mine", (kind,), {"metaclass": both}))
        made += [types.new_class("Mine", (each,)) for each in made]
        for each in made:
            assert issubclass(each, kind)
            assert issubclass(each, selectors.BaseSelector)
            assert not issubclass(kind, each)
            if not each.__abstractmethods__:
                with each() as selector:
                    assert isinstance(selector, each)
                    assert isinstance(selector, kind)
    finally:
        coopselectors.uninstall()
    for each in made:
        if not each.__abstractmethods__:
            each().close()


class Derived(coopselectors.SelectSelector):
    """By its own name, whatever is installed."""


def test_a_derived_class_is_pickled_by_its_own_name(installed, monkeypatch):
    class EpollSelector(selectors.SelectSelector):
        pass

    vars(sys.modules[__name__])["EpollSelector"] = EpollSelector
    EpollSelector.__qualname__ = "EpollSelector"
    monkeypatch.setattr(selectors, "EpollSelector", EpollSelector)
    for kind in (Derived, EpollSelector):
        assert dumped_as(kind) == [f"{__name__}.{kind.__name__}"]
    with Derived() as selector:
        selector.register(0, EVENT_READ)
        with pickle.loads(pickle.dumps(selector)) as other:
            assert type(other) is Derived
            assert dict(other.get_map()) == dict(selector.get_map())


def test_classes_as_keys_are_replaced_and_put_back(monkeypatch):
    """What is installed has another metaclass."""
    library = types.ModuleType("library")
    library.table, library.names = {selectors.PollSelector: 1}, {selectors.SelectSelector}
    before = dict(library.table), set(library.names)
    monkeypatch.setitem(sys.modules, "library", library)
    coopselectors.install()
    library.more = {selectors.PollSelector: next(iter(before[0]))}
    coopselectors.install()
    assert library.table == {coopselectors.PollSelector: 1}
    assert library.more == {coopselectors.PollSelector: coopselectors.PollSelector}
    assert library.names == {coopselectors.SelectSelector}
    assert coopselectors.uninstall() == []
    assert (library.table, library.names) == before


def test_what_a_derived_class_holds_is_its_authors(run_python):
    """Its metaclass is ours."""
    run_python(
        """
        import select, coopselectors
        before = [select.poll()]
        coopselectors.install(select=True)
        import selectors
        class Mine(selectors.SelectSelector):
            made = before.pop()
        found = [str(each) for each in coopselectors.audit()]
        assert found == ["__main__.Mine.made: a select.poll object "
                         "(install() does not reach what exists already)"], found
        """
    )
