"""Does each class accept and refuse the same time-outs and masks as the standard class?

What an interpreter takes for a number changes from version to version, so nothing here says what is
right: each call is made on the standard class, too.
"""

from __future__ import annotations

import enum
from decimal import Decimal
from fractions import Fraction

import pytest

from coopselectors import EVENT_READ, EVENT_WRITE
from support.runtimes import standard


class Index:
    """Something with ``__index__()``, and with nothing else of a number."""

    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value


class Real:
    def __float__(self):
        return 0.0


class Whole:
    def __int__(self):
        return 0


class Large(int):
    pass


class Events(enum.IntFlag):
    READ = EVENT_READ
    WRITE = EVENT_WRITE


#: Those that do not wait long, if they are taken.
SHORT = {
    "zero": 0,
    "minus zero": -0.0,
    "below zero": -1,
    "far below zero": -1e9,
    "a little": 0.001,
    "False": False,
    "a Fraction": Fraction(1, 1000),
    "a negative Fraction": Fraction(-1, 1000),
    "a Decimal": Decimal("0.001"),
    "a negative Decimal": Decimal(-1),
    "with __index__": Index(0),
    "with __float__": Real(),
    "with __int__": Whole(),
    "a large int": Large(0),
    "text": "0",
    "bytes": b"0",
    "a list": [],
    "an object": object(),
    "complex": 0j,
}

#: Those with which a file has to be ready.
LONG = {
    "None": None,
    "True": True,
    "one": 1,
    "not a number": float("nan"),
    "infinite": float("inf"),
    "below all": -float("inf"),
    "most that C takes": 2**31 / 1000 - 1,
    "huge": 1e300,
    "a huge int": 2**100,
    "a Fraction above one": Fraction(3, 2),
    "a Decimal above one": Decimal("1.5"),
    "Decimal NaN": Decimal("nan"),
    "index one": Index(1),
}

MASKS = {
    "none": 0,
    "read": EVENT_READ,
    "write": EVENT_WRITE,
    "both": EVENT_READ | EVENT_WRITE,
    "unknown": 4,
    "one unknown": 5,
    "below zero": -1,
    "True": True,
    "a float": 1.0,
    "text": "r",
    "None": None,
    "with __index__": Index(EVENT_READ),
    "a subclass": Large(EVENT_WRITE),
    "an IntFlag": Events.READ | Events.WRITE,
    "an empty IntFlag": Events(0),
    "a Fraction": Fraction(1),
}


def outcome(call, *arguments):
    """What is returned, or the type of what is raised: the words depend on what is asked first."""
    try:
        return call(*arguments)
    except Exception as error:
        return type(error)


@pytest.fixture
def theirs(selector):
    kind = getattr(standard, type(selector).__name__, None)
    if kind is None:
        pytest.skip("the standard module has no such class here")
    with kind() as made:
        yield made


def test_a_time_out_while_a_file_is_ready(runtime, selector, theirs, connect):
    reader, writer = connect()
    writer.send(b"x")
    for each in (theirs, selector):
        each.register(reader, EVENT_READ)
    given = {**SHORT, **LONG}
    expected = {name: outcome(theirs.select, timeout) for name, timeout in given.items()}
    assert {name: outcome(selector.select, given[name]) for name in given} == expected
    assert len(selector.select(0)) == 1


def test_a_time_out_while_no_file_is_ready(runtime, selector, theirs, connect):
    reader, _ = connect()
    for each in (theirs, selector):
        each.register(reader, EVENT_READ)
    expected = {name: outcome(theirs.select, timeout) for name, timeout in SHORT.items()}
    assert {name: outcome(selector.select, SHORT[name]) for name in SHORT} == expected


def test_a_mask(runtime, selector, theirs, connect):
    reader, writer = connect()
    writer.send(b"x")

    def registered(selector, mask):
        found = outcome(selector.register, reader, mask)
        if isinstance(found, type):
            assert len(selector.get_map()) == 0
            return found
        ready = selector.select(0)
        selector.unregister(reader)
        return found, type(found.events), ready

    expected = {name: registered(theirs, mask) for name, mask in MASKS.items()}
    assert {name: registered(selector, mask) for name, mask in MASKS.items()} == expected
