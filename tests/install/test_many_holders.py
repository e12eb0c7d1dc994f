"""Is everything named and replaced where thousands of objects hold a class?"""

from __future__ import annotations

import collections
import functools
import selectors
import types

import pytest

import coopselectors
from coopselectors._references import _holders, _paths, _steps

pytestmark = pytest.mark.epoll


class Client:
    def __init__(self):
        self.kind = selectors.DefaultSelector


def table(clients):
    return dict(enumerate(clients))


def namespace(clients):
    return types.SimpleNamespace(**{f"c{number}": each for number, each in enumerate(clients)})


@pytest.mark.parametrize("kind", [list, collections.deque, set, table, namespace])
def test_more_objects_than_are_followed_otherwise(library, monkeypatch, kind):
    monkeypatch.setattr(_paths, "_MOST", 50)
    clients = [Client() for _ in range(300)]
    for client in clients:
        vars(client)  # on some versions, this makes it one step more to the object
    library.pool = kind(clients)
    places = [each.where for each in coopselectors.audit() if each.where.startswith("library.pool")]
    done = coopselectors.install().replaced
    assert {each.kind for each in clients} == {coopselectors.EpollSelector}
    assert sorted(each for each in done if each.startswith("library.pool")) == sorted(places)
    assert len(set(places)) == (1 if kind is set else 300)  # the elements of a set have no names
    assert coopselectors.uninstall() == []
    assert {each.kind for each in clients} == {selectors.EpollSelector}


def test_one_that_many_hold_does_not_crowd_out_the_others(library, monkeypatch):
    monkeypatch.setattr(_paths, "_MOST", 20)
    library.clients = [[Client()] for _ in range(20)]
    library.lists = [[each] for [each] in library.clients[:10] for _ in range(100)]
    coopselectors.install()
    assert {each.kind for [each] in library.clients} == {coopselectors.EpollSelector}


def test_a_container_is_read_once(library, monkeypatch):
    read, usual = [], _steps.Keys._note

    def note(keys, container, items):
        read.append(id(container))
        return usual(keys, container, items)

    monkeypatch.setattr(_steps.Keys, "_note", note)
    library.pool = [Client() for _ in range(300)]
    library.names = dict(enumerate(library.pool))
    coopselectors.audit()
    assert read.count(id(library.pool)) == read.count(id(library.names)) == 1


class Pool(collections.deque):
    """A sequence with attributes of its own."""


def test_a_sequence_of_ones_own(library):
    library.pool = Pool([Client()])
    library.pool.spare = Client()
    coopselectors.install()
    places = [each for each in coopselectors.install().replaced if each.startswith("library")]
    assert places == ["library.pool.spare.kind", "library.pool[0].kind"]


def in_lists(thing):
    return [[thing]]


def in_object(thing):
    found = types.SimpleNamespace(inner=thing)
    vars(found)  # on some versions, this makes it one step more to the object
    return found


def in_table_and_partial(thing):
    return {"inner": (functools.partial(print, thing),)}


def far_inside(wrap, count):
    """A dictionary that holds a class, so many times wrapped; and a list that is not its holder."""
    thing = {"far": selectors.DefaultSelector}
    table = _holders.Kept([thing])
    for _ in range(count):
        thing = wrap(thing)
    return thing, table


@pytest.mark.parametrize("wrap", [in_lists, in_object, in_table_and_partial])
def test_what_is_far_from_its_module(library, wrap):
    library.outermost, table = far_inside(wrap, 4)
    [place] = [each for each in coopselectors.audit() if each.where.endswith("['far']")]
    assert place.advice == "install() replaces it"
    coopselectors.install()
    assert table[0]["far"] is coopselectors.EpollSelector


def test_what_is_too_far_from_its_module_is_found_all_the_same(library, monkeypatch):
    monkeypatch.setattr(_paths, "_ROUNDS", 1)
    library.outermost, table = far_inside(in_lists, 4)
    [place] = [each for each in coopselectors.audit() if each.where.endswith("['far']")]
    assert place.advice.startswith("its owner is unknown")
    coopselectors.install()
    assert table[0]["far"] is not coopselectors.EpollSelector


def test_one_of_whose_many_holders_only_the_last_one_has_a_name(library):
    config = {"kind": selectors.DefaultSelector}
    crowd = [[config] for _ in range(3 * _paths._WAYS)]
    library.config = [config]
    assert "library.config[0]['kind']" in coopselectors.install().replaced
    assert config == {"kind": coopselectors.EpollSelector} == crowd[0][0]


def test_what_nothing_with_a_name_holds(library):
    nobodys = {"kind": (kind := selectors.DefaultSelector)}
    nobodys["itself"] = [nobodys]
    coopselectors.install()
    assert nobodys["kind"] is kind


def test_many_that_are_far_from_their_module(library, monkeypatch):
    monkeypatch.setattr(_paths, "_MOST", 50)
    made = [far_inside(in_lists, 4) for _ in range(300)]
    tables = _holders.Kept(table[0] for _, table in made)
    library.pool = [thing for thing, _ in made]
    del made
    coopselectors.install()
    assert {table["far"] for table in tables} == {coopselectors.EpollSelector}
