"""Does install() go on where an object in C refuses to be written to?

Private, because what refuses is mostly known before, and which object does is up to other people.
"""

from __future__ import annotations

import pytest

from coopselectors import _install
from coopselectors._references._places import Place


@pytest.mark.parametrize("error", [AttributeError, TypeError])
def test_it_stays_as_it_is(error):
    def refuse(value):
        raise error("read-only")

    held, before = object(), list(_install._changes)
    place = Place("module", "module.name", "name", held, lambda: held, refuse)
    _install._put(place, object())
    assert _install._changes == before
