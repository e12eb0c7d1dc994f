"""Is a greenlet known as one, and nothing else?

Private, because only CPython 3.15 asks: there a greenlet refers to the variables of its functions.
"""

from __future__ import annotations

import pytest

from coopselectors._references import _frames


def test_a_greenlet():
    greenlet = pytest.importorskip("greenlet")

    class Own(greenlet.greenlet):
        pass

    assert _frames.is_greenlet(greenlet.getcurrent())
    assert _frames.is_greenlet(Own())
    assert not _frames.is_greenlet(greenlet.greenlet)
    assert not _frames.is_greenlet(object())
