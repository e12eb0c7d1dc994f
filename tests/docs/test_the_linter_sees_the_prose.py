"""Does docs/prose.py hand the linter what people read, and nothing else?"""

from __future__ import annotations

import importlib.util

import pytest

from support import ROOT

pytestmark = pytest.mark.once

_SPEC = importlib.util.spec_from_file_location("prose", ROOT / "docs" / "prose.py")
prose = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(prose)

PAGE = """\
A title
=======

The text calls ``select()`` in
``two
lines`` and names :doc:`page`::

    some code

.. code-block:: python

    more code

    after an empty line

.. list-table:: A caption
   :header-rows: 1

   * - a cell

>>> a prompt
The end.
"""


def test_code_is_left_out_and_lines_keep_their_numbers():
    lines = prose.prose_of_page(PAGE).splitlines()
    assert [number for number, line in enumerate(lines, 1) if line] == [1, 2, 4, 5, 6, 19, 22]
    assert lines[0] == "A title"
    assert lines[5].endswith(":")
    assert lines[18] == "   * - a cell"
    assert not {"code", "select", "two", "page", "prompt"} & set(" ".join(lines).split())


def test_no_two_literals_look_like_a_word_that_is_repeated():
    first, second = prose.prose_of_page("``a`` ``b``").split()
    assert first != second


def test_of_a_module_it_reads_the_docstrings():
    module = '"""First."""\n\n\nclass C:\n    """Second."""\n\n    x = "no prose"\n'
    assert prose.prose_of_module(module).split() == ["First.", "Second."], module
    assert prose.prose_of_module(module).splitlines()[4].strip() == "Second."


def test_all_pages_and_modules_are_read():
    read = {path.relative_to(ROOT).as_posix() for path, _ in prose.all_prose()}
    for page in ("README.rst", "CHANGES.rst", "CONTRIBUTING.rst", "docs/tutorial.rst"):
        assert page in read
    assert "coopselectors/_hubs/_gevent.py" in read
