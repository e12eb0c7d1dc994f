"""Does what holds a class keep its order, its other contents and its lifetime?"""

from __future__ import annotations

import collections
import gc
import os
import selectors
import sys
import tempfile
import threading
import weakref

import pytest

import coopselectors
from coopselectors import _install
from coopselectors._references import _places

pytestmark = pytest.mark.epoll

NAMES = ("EpollSelector", "PollSelector", "SelectSelector")
# Where the kernel has no epoll, this file is read, too.
STANDARD = tuple(getattr(selectors, name, None) for name in NAMES)
OURS = tuple(getattr(coopselectors, name, None) for name in NAMES)


@pytest.mark.parametrize("kind", [dict, collections.OrderedDict])
def test_the_keys_of_a_dictionary(library, kind):
    library.cost = kind([("first", 0), *zip(STANDARD, range(1, 4)), ("last", 4)])
    before = library.cost.copy()
    coopselectors.install()
    assert list(library.cost) == ["first", *OURS, "last"]
    assert list(reversed(library.cost.values())) == [4, 3, 2, 1, 0]
    coopselectors.install()
    assert coopselectors.uninstall() == []
    assert list(library.cost.items()) == list(before.items())
    library.cost.popitem()  # an OrderedDict knows its order twice
    assert list(library.cost) == ["first", *STANDARD]


def test_both_its_keys_and_its_values(library):
    library.instead = dict(zip(STANDARD, STANDARD[1:]))
    coopselectors.install()
    assert library.instead == dict(zip(OURS, OURS[1:]))
    assert coopselectors.uninstall() == []
    assert library.instead == dict(zip(STANDARD, STANDARD[1:]))


def test_what_holds_ours_as_well_loses_neither(library):
    library.table = {STANDARD[0]: "theirs", OURS[0]: "ours"}
    library.group = {STANDARD[0], OURS[0]}
    done = coopselectors.install().replaced
    assert not [place for place in done if "library" in place]
    assert library.table == {STANDARD[0]: "theirs", OURS[0]: "ours"}
    assert library.group == {STANDARD[0], OURS[0]}


@pytest.mark.skipif(
    sys.implementation.name != "cpython",
    reason="elsewhere, nothing is done at once for all threads",
)
def test_the_keys_that_other_threads_look_up(library):
    library.table = table = {selectors.DefaultSelector: 1, **{n: n for n in range(20000)}}
    errors = []
    over = threading.Event()

    def look():
        while not over.is_set():
            try:
                assert sum(table[n] == n for n in range(20000)) == 20000
                assert len([*table]) == 20001
            except Exception as error:
                errors.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    for _ in range(3):
        coopselectors.install()
        coopselectors.uninstall()
    over.set()
    thread.join()
    assert errors == []


def test_another_class_called_the_default_selector(library):
    library.DefaultSelector = selectors.PollSelector  # it takes regular files, which epoll refuses
    library.kinds = {"DefaultSelector": selectors.SelectSelector}
    coopselectors.install()
    assert library.DefaultSelector is coopselectors.PollSelector
    assert library.kinds["DefaultSelector"] is coopselectors.SelectSelector
    with tempfile.TemporaryFile() as file, library.DefaultSelector() as selector:
        selector.register(file, selectors.EVENT_READ)
        assert len(selector.select(5)) == 1


@pytest.mark.parametrize("own", [False, True])
def test_the_default_selector_that_a_program_has_chosen(library, monkeypatch, own):
    kind = type("Own", (selectors.PollSelector,), {}) if own else selectors.PollSelector
    monkeypatch.setattr(selectors, "DefaultSelector", kind)
    coopselectors.install()
    there = selectors.DefaultSelector
    assert there is (kind if own else coopselectors.PollSelector)
    assert selectors.EpollSelector is coopselectors.EpollSelector
    assert coopselectors.uninstall() == []
    assert selectors.DefaultSelector is kind


class Client:
    def __init__(self):
        self.kind = selectors.DefaultSelector


class Slotted:
    __slots__ = ("__weakref__", "kind")

    def __init__(self):
        self.kind = selectors.DefaultSelector


def with_default():
    def wait(kind=selectors.DefaultSelector):
        return kind

    wait.kind = selectors.DefaultSelector
    return wait


@pytest.mark.parametrize(
    "make",
    [
        Client,
        Slotted,
        with_default,
        lambda: {selectors.DefaultSelector},
        lambda: collections.deque([selectors.DefaultSelector]),
        lambda: collections.OrderedDict(kind=selectors.DefaultSelector),
    ],
)
def test_it_is_freed_as_ever(library, make):
    library.thing = make()
    done = coopselectors.install().replaced
    assert [place for place in done if "library" in place or "with_default" in place]
    alive = weakref.ref(library.thing)
    del library.thing
    gc.collect()
    assert alive() is None
    assert not [place for place in coopselectors.install().replaced if "library" in place]
    assert coopselectors.uninstall() == []


def test_what_a_staticmethod_says_of_itself(library):
    library.made = made = staticmethod(selectors.PollSelector)
    vars(made).update(__doc__="Mine.", __name__="made", own=1)
    before = dict(vars(made))
    coopselectors.install()
    assert made.__func__ is coopselectors.PollSelector
    coopselectors.uninstall()
    assert made.__func__ is selectors.PollSelector
    assert vars(made) == before


def test_an_attribute_that_is_the_metaclasss(library):
    called = []

    class Meta(type):
        kind = property(lambda cls: None, lambda cls, value: called.append(value))

    library.Made = Meta("Made", (), {"kind": STANDARD[1]})
    coopselectors.install()
    assert called == []
    assert vars(library.Made)["kind"] is STANDARD[1]
    [found] = [each for each in coopselectors.audit() if "Made.kind" in each.where]
    assert "its metaclass" in found.advice


def test_what_another_thread_puts_there_meanwhile(library, monkeypatch):
    library.config = {"kind": selectors.DefaultSelector}
    library.ring = collections.deque([selectors.DefaultSelector, "a", "b"])
    library.queue = [selectors.DefaultSelector]
    usual = _install._put

    def put(*how):
        monkeypatch.setattr(_install, "_put", usual)
        library.config["kind"] = "chosen"
        library.ring.rotate(1)
        library.queue.clear()
        usual(*how)

    monkeypatch.setattr(_install, "_put", put)
    done = coopselectors.install().replaced
    assert library.config == {"kind": "chosen"}
    assert list(library.ring) == ["b", STANDARD[0], "a"]
    assert library.queue == []
    assert not [place for place in done if "library" in place]


def test_an_uninstall_that_was_interrupted_is_finished_by_the_next(library):
    class Stop(BaseException):
        """What a signal handler raises."""

    library.kinds = list(STANDARD)
    coopselectors.install()
    index = len(_install._changes) // 2
    change = _install._changes[index]

    def put(value):
        _install._changes[index] = change
        raise Stop

    _install._changes[index] = change._replace(place=change.place._replace(set=put))
    with pytest.raises(Stop):
        coopselectors.uninstall()
    assert coopselectors.is_installed()
    assert coopselectors.uninstall() == []
    assert not coopselectors.is_installed()
    assert library.kinds == list(STANDARD)
    assert (selectors.EpollSelector, selectors.DefaultSelector) == (STANDARD[0], STANDARD[0])


def test_what_another_thread_frees_meanwhile():
    thing = Client()
    get, put = _places.attribute(thing, "kind")
    del thing
    assert get() is _places.GONE
    put(int)


def test_what_another_thread_changes_while_it_is_put_back(library):
    library.config = {"kind": selectors.DefaultSelector}
    coopselectors.install()
    [index] = [
        index
        for index, each in enumerate(_install._changes)
        if each.place.label == "library.config['kind']"
    ]

    def put(value):
        raise RuntimeError("dictionary changed size during iteration")

    place = _install._changes[index].place._replace(set=put)
    _install._changes[index] = _install._changes[index]._replace(place=place)
    assert coopselectors.uninstall() == ["library.config['kind']"]
    assert selectors.EpollSelector is STANDARD[0]


def test_the_data_of_a_selector_of_ours(library):
    reader, writer = os.pipe()
    with coopselectors.DefaultSelector() as selector:
        client, table = Client(), {"kind": STANDARD[0]}
        selector.register(reader, selectors.EVENT_READ, client)
        selector.register(writer, selectors.EVENT_WRITE, [table])
        weak = weakref.ref(client)
        library.kept = selector
        del client, table
        gc.collect()
        coopselectors.install()
        assert weak().kind is coopselectors.EpollSelector
        [found] = [each for each in coopselectors.audit() if each.where.endswith("[3][0]['kind']")]
        assert "its owner is unknown" in found.advice
    os.close(reader)
    os.close(writer)
