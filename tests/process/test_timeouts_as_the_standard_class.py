"""Does select() accept and refuse the same time-outs as the standard class?"""

from __future__ import annotations

import decimal
import fractions
import math

import pytest

from coopselectors import EVENT_READ, SelectSelector
from support.runtimes import standard

numpy = pytest.importorskip("numpy")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")


class Float:
    def __float__(self):
        return 0.001


class Index:
    def __index__(self):
        return 1


VALUES = {
    "int": 5,
    "float": 5.5,
    "bool": True,
    "Fraction": fractions.Fraction(5, 2),
    "Decimal": decimal.Decimal("2.5"),
    "float16": numpy.float16(2.5),
    "float32": numpy.float32(2.5),
    "float64": numpy.float64(2.5),
    "longdouble": numpy.longdouble(2.5),
    "int64": numpy.int64(2),
    "0-d array": numpy.array(2.5),
    "__float__": Float(),
    "__index__": Index(),
    "inf": math.inf,
    "-inf": -math.inf,
    "nan": math.nan,
    "-0.0": -0.0,
    "1e308": 1e308,
    "10**30": 10**30,
    "-10**30": -(10**30),
    "False": False,
    "Fraction 0": fractions.Fraction(0),
    "Decimal 0": decimal.Decimal(0),
    "Decimal -1": decimal.Decimal(-1),
    "float64 0": numpy.float64(0),
    "int64 0": numpy.int64(0),
    "bool_ 0": numpy.bool_(False),
    "str": "1",
    "None": None,
    "complex": 1j,
}


def outcome(selector, value):
    """What select() does for a file that is ready: the error, or how many there are."""
    try:
        return len(selector.select(value))
    except Exception as error:
        return type(error).__name__


@pytest.mark.parametrize("name", VALUES)
def test_as_the_standard_class(runtime, Selector, connect, name):
    reader, writer = connect()
    writer.send(b"x")
    with Selector() as ours:
        theirs = getattr(standard, type(ours).__name__, None)
        if theirs is None:
            pytest.skip("the standard module has no such class here")
        expected = theirs()
        ours.register(reader, EVENT_READ)
        expected.register(reader, EVENT_READ)
        assert outcome(ours, VALUES[name]) == outcome(expected, VALUES[name])
        expected.close()


def test_a_wait_may_be_longer_than_other_primitives_allow(runtime, connect):
    reader, writer = connect()
    with SelectSelector() as selector:
        selector.register(reader, EVENT_READ)
        task = runtime.spawn(lambda: (runtime.sleep(0.05), writer.send(b"x")))
        assert len(selector.select(1e8)) == 1
        runtime.join(task)
