"""Does every file import only from the layers below its own?"""

from __future__ import annotations

import ast
import os
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import coopselectors
from support import ROOT

PACKAGE = Path(coopselectors.__file__).parent

#: Lines in a file, at most.
LONGEST = 400

#: The layers, the lowest first: the modules and subpackages of the package.  One may import those
#: before it, and from itself; `_check`, which has programs of its own, also what users import.
LAYERS = [
    "_version",
    "_unpatched",
    "_runtime",
    "_threads",
    "_lock",
    "_fork",
    "_owned",
    "_wakeup",
    "_backends",
    "_pollers",
    "_hubs",
    "_pickling",
    "select",
    "_keys",
    "_extra_events",
    "_ready",
    "_base_selector",
    "_selectors",
    "_followers",
    "_default",
    "_info",
    "_references",
    "_install",
    "_audit",
    "_watchdog",
    "_check",
    "_commands",
    "pytest_plugin",
    "__main__",
]


def imports_of(path):
    """The layers of this package that a file imports, type checkers' imports left out.

    What it imports by the package's full name is no layer, and thereby refused: see `LAYERS`.
    """
    tree = ast.parse(path.read_text())
    depth = len(path.relative_to(PACKAGE).parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from (name.partition(".")[0] for name in names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if PACKAGE.name in alias.name)
        elif isinstance(node, ast.ImportFrom) and PACKAGE.name in (node.module or ""):
            yield node.module


def neighbours_of(path):
    """The files of its own subpackage that a file imports when it is imported itself."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from (name.partition(".")[0] for name in names)


def first_line(file):
    docstring = ast.get_docstring(ast.parse(file.read_text()))
    assert docstring, file
    return docstring.splitlines()[0]


def test_every_layer_has_its_place():
    files = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert sorted(LAYERS) == sorted(files | packages)


def test_the_page_about_the_layers_has_them_in_this_order_and_says_what_they_say():
    page = (ROOT / "docs" / "architecture.rst").read_text()
    rows = re.findall(r"^   \* - ``(\w+)/?``\n     - (.+)$", page, re.MULTILINE)
    assert [name for name, _ in rows] == LAYERS
    for name, text in rows:
        path = PACKAGE / name
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        assert text == first_line(file)


def test_every_layer_imports_only_layers_before_it():
    for index, layer in enumerate(LAYERS):
        path = PACKAGE / layer
        files = list(path.glob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
        assert files
        for file in files:
            allowed = {*LAYERS[:index], layer} | ({PACKAGE.name} if layer == "_check" else set())
            assert set(imports_of(file)) <= allowed, file


@pytest.mark.parametrize("layer", [name for name in LAYERS if (PACKAGE / name).is_dir()])
def test_no_files_of_a_subpackage_import_each_other(layer):
    files = {path.stem: [*neighbours_of(path)] for path in (PACKAGE / layer).glob("*.py")}
    assert [*TopologicalSorter(files).static_order()]


def test_every_module_says_first_what_it_answers():
    for file in PACKAGE.rglob("*.py"):
        assert first_line(file)[-1] in "?.:", file
        assert len(file.read_text().splitlines()) <= LONGEST, file


def test_no_file_names_a_hub_but_its_adapter():
    for file in PACKAGE.rglob("*.py"):
        if {"_check", "_commands"} & {*file.parts} or file.name in ("_gevent.py", "_eventlet.py"):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, (ast.Import, ast.ImportFrom)) and not getattr(node, "level", 0):
                assert "gevent" not in ast.unparse(node), file
                assert "eventlet" not in ast.unparse(node), file


def test_the_installed_package_is_the_one_under_test():
    expected = os.environ.get("COOPSELECTORS_INSTALLED_IN")
    if expected:
        assert Path(expected) in PACKAGE.parents
    assert (PACKAGE / "py.typed").exists()
