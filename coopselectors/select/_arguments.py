"""Which number does C take an argument for?

The primitives are written in C, which converts numbers and files by its own rules.
"""

from __future__ import annotations

import operator
import sys
from typing import Any, Callable

#: Every primitive accepts a plain time-out between this and its negative.
LONGEST = 2_000_000

#: The types that need no conversion.
PLAIN = frozenset((int, float))


def number_of(timeout: Any, validate: Callable[[Any], Any]) -> Any:
    """Return a time-out as a plain number, in its own unit; None if there is none.

    `validate` is called for values of other types, and raises what the primitive raises for them.
    """
    if timeout is None or (type(timeout) in PLAIN and -LONGEST <= timeout <= LONGEST):
        return timeout
    validate(timeout)
    # The value that C sees, whatever the class does in Python.
    if isinstance(timeout, float):
        return float.__add__(timeout, 0.0)
    number = integer_of(timeout)
    return number if isinstance(number, int) else float(number)


# Since 3.10, CPython accepts no object that has `__int__` alone.
_TAKES_INT = sys.version_info < (3, 10) or sys.implementation.name == "pypy"


def integer_of(number: Any) -> Any:
    """Return the integer that C takes `number` for, or `number` itself if it is none."""
    try:
        return int.__add__(operator.index(number), 0)
    except TypeError:
        pass
    takes_int = _TAKES_INT and not isinstance(number, float)
    return number.__int__() if takes_int and hasattr(number, "__int__") else number


def descriptor_of(file: Any) -> Any:
    """The descriptor of a file, asked for once; `file` itself if the native object must refuse."""
    if isinstance(file, int):
        return file
    fileno = getattr(file, "fileno", None)
    if fileno is None:
        return file
    number = fileno()
    return number if isinstance(number, int) else file
