"""Is the interpreter's own `select` found, whatever was done to the module of that name?

Private, because in a process that works nobody sees the difference: what is asked for here is only
needed where a patcher has deleted or replaced something before coopselectors was imported, and in
an interpreter that has no such module at all.
"""

from __future__ import annotations

import platform
import select
from unittest import mock

import pytest

from coopselectors import _unpatched


@pytest.mark.skipif(
    platform.python_implementation() == "PyPy", reason="PyPy has one select module and no other"
)
def test_the_pristine_select_is_not_the_patched_one():
    replaced = mock.Mock(side_effect=AssertionError)
    with mock.patch.object(select, "select", replaced):
        found = _unpatched.find("select")
    assert found is not replaced
    assert found([], [], [], 0) == ([], [], [])
    assert _unpatched.find("no such thing") is None


def test_without_a_select_module_of_the_interpreter():
    with (
        mock.patch.multiple(
            _unpatched,
            BuiltinImporter=mock.Mock(find_spec=lambda _: None),
            PathFinder=mock.Mock(find_spec=lambda _: None),
        ),
        pytest.raises(ImportError, match="no built-in 'select'"),
    ):
        _unpatched._pristine("select")
