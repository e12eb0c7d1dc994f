"""Is every number for a file taken or refused as the standard class of this interpreter does?

Some are refused by register() and some by select(): what counts is that one of the two does, and
that nothing is left behind once the number is gone again.
"""

from __future__ import annotations

import pytest

from coopselectors import EVENT_READ
from support.runtimes import standard

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")


class Index:
    def __index__(self):
        return 1


class File:
    def __init__(self, number):
        self._number = number

    def fileno(self):
        return self._number


NUMBERS = {
    "-1": -1,
    "-2**31": -(2**31),
    "-2**63 - 1": -(2**63) - 1,
    "not open": 2**20 - 1,
    "2**31 - 1": 2**31 - 1,
    "2**31": 2**31,
    "2**32": 2**32,
    "2**63": 2**63,
    "2**70": 2**70,
    "float": 1.0,
    "str": "1",
    "None": None,
    "__index__": Index(),
}
FILES = {**NUMBERS, **{f"file {name}": File(number) for name, number in NUMBERS.items()}}


def story(selector, file, reader, writer):
    """[what the file's own calls raise, and what the other file's next wait finds]"""
    selector.register(reader, EVENT_READ)
    said = []
    try:
        selector.register(file, EVENT_READ)
    except Exception as error:
        said.append(type(error).__name__)
    else:
        try:
            # A closed file is an event to one class, and none to another.
            selector.select(0)
        except Exception as error:
            said.append(type(error).__name__)
        selector.unregister(file)
    writer.send(b"x")
    said.append([key.fileobj is reader for key, _ in selector.select(5)])
    said.append(len(selector.get_map()))
    reader.recv(1)
    return said


@pytest.mark.parametrize("name", FILES)
def test_as_the_standard_class(runtime, Selector, connect, name):
    with Selector() as ours:
        theirs = getattr(standard, type(ours).__name__, None)
        if theirs is None:
            pytest.skip("the standard module has no such class here")
        with theirs() as expected:
            assert story(ours, FILES[name], *connect()) == story(expected, FILES[name], *connect())
