"""Is everybody told of a fork who is still there to hear it?

Private, because which object is told first, and what it lets go of by that, nobody can arrange.
"""

from __future__ import annotations

import gc
import sys

import pytest

from coopselectors import _fork


@pytest.mark.runtimes("native")
def test_one_that_goes_while_others_are_told(in_child, monkeypatch):
    class Owner:
        def forked(self):
            told.append(self)
            holders.clear()
            gc.collect()  # PyPy counts no references

    told, holders = [], [Owner(), Owner()]
    for each in holders:
        _fork.tell(each)
    del each
    complaints = []
    monkeypatch.setattr(sys, "excepthook", lambda *how: complaints.append(how))
    assert in_child(lambda: (len(told), len(complaints)))() == (1, 0)
    assert not told
