"""Do the README, and the pages about the code, tell the truth?"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

import coopselectors
from support import ROOT, TESTS, quick, runtimes

pytestmark = pytest.mark.once

PACKAGE = Path(coopselectors.__file__).parent
README = (ROOT / "README.rst").read_text()
ABOUT_THE_CODE = ["CONTRIBUTING.rst", "docs/architecture.rst"]


def test_the_example_runs(run_python):
    if runtimes.missing("gevent-libev"):
        pytest.skip(runtimes.missing("gevent-libev"))
    [example] = re.findall(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)", README)[:1]
    output = run_python(textwrap.dedent(example))
    assert output.count("others run on") >= 3  # nine where nothing else runs
    assert "EVENT" not in output
    assert output.count("[(SelectorKey(") == 1
    # and the standard module hangs, as it is said there
    example = example.replace("from coopselectors import", "from selectors import")
    output = run_python(textwrap.dedent(example.replace("select()", "select(2)")))
    assert output == "[]\n"


PATCHES = {
    "nobody": "import time as hub",
    "gevent": "import gevent.monkey; gevent.monkey.patch_all(); import gevent as hub",
    "eventlet": "import eventlet; eventlet.monkey_patch(); import eventlet as hub",
}


def blocks_about_select():
    """The example of how the primitives are used, and that of how they get into all programs."""
    page = (ROOT / "docs" / "select.rst").read_text()
    [use, install] = re.findall(r"::(?: python)?\n\n((?:    .*\n|\n)+)", page)
    return textwrap.dedent(use), textwrap.dedent(install)


@pytest.mark.parametrize("patched", ["before", "after"])
@pytest.mark.parametrize("name", PATCHES)
def test_the_example_of_the_primitives_runs(run_python, name, patched):
    lack = runtimes.missing({"nobody": "native", "gevent": "gevent-libev"}.get(name, name))
    if lack:
        pytest.skip(lack)
    use, _install = blocks_about_select()
    assert "epoll.poll(0.5)" in use
    output = run_python(
        f"""
import os, time
reader, writer = os.pipe()
os.dup2(reader, 0)  # what the example waits for
{"import coopselectors.select" if patched == "after" else ""}
{PATCHES[name]}
turns = []
def tick():
    while True:
        turns.append(time.monotonic())
        hub.sleep(0.001)
if {name != "nobody"}:
    hub.spawn(tick)
    hub.sleep(0.01)
turns.clear()
started = time.monotonic()
{use}
assert time.monotonic() - started >= 0.5
print(len(turns) > 3)
os.write(writer, b"x")
print(epoll.poll(20) == [(0, select.EPOLLIN)], epoll.poll(0))  # told once: it is edge-triggered
epoll.close()
"""
    )
    assert output == f"{name != 'nobody'}\nTrue []\n"


@pytest.mark.parametrize("name", PATCHES)
def test_the_example_of_installing_the_primitives_runs(run_python, name):
    lack = runtimes.missing({"nobody": "native", "gevent": "gevent-libev"}.get(name, name))
    if lack:
        pytest.skip(lack)
    _use, install = blocks_about_select()
    output = run_python(
        f"""
from select import epoll as taken
raw = taken()
{PATCHES[name]}
{install}
import coopselectors.select as ours, select
assert select.epoll is taken is ours.epoll
assert select.poll is ours.poll
with select.epoll() as made:
    assert isinstance(made, select.epoll)
assert not isinstance(raw, select.epoll)  # "and for native ones no more"
raw.close()
print(coopselectors.current_runtime(), coopselectors.uninstall())
"""
    )
    owner = "native" if name == "nobody" else name
    assert output == f"{owner} []\n"


def test_the_two_commands():
    commands = [
        'python -m pip install ".[gevent,eventlet]" && python -m coopselectors',
        "python -m pip install tox tox-uv && tox",
    ]
    for command in commands:
        assert f"\n    {command}\n" in README
    script = (ROOT / ".ci" / "run").read_text()
    assert commands[1] in script


LINKS = [
    (page, link)
    for page in ("README.rst", "CHANGES.rst", "CONTRIBUTING.rst")
    for link in re.findall(
        r"<((?!https?:)[\w./-]+)>`_|:: ([\w/-]+\.svg)", (ROOT / page).read_text()
    )
]


def test_its_links_lead_somewhere():
    targets = [(page, link or picture) for page, (link, picture) in LINKS]
    assert sum(page == "README.rst" for page, _ in targets) > 20
    assert [(page, target) for page, target in targets if not (ROOT / target).is_file()] == []


def test_each_guarantee_has_a_test():
    section = README.partition("What is guaranteed")[2].partition("\n---")[2].partition("\n---")[0]
    rows = re.findall(r"   \* - (.+(?:\n {7}.+)*)\n     - (.+)\n", section)[1:]
    assert len(rows) > 8
    for guarantee, shown_by in rows:
        [path] = re.findall(r"<(tests/.+\.py)>`__", shown_by)
        assert "def test_" in (ROOT / path).read_text(), guarantee


def test_it_fits_150_lines():
    assert len(README.splitlines()) <= 150


def test_what_it_names_exists():
    for name in re.findall(r"coopselectors\.(\w+)\(", README):
        assert hasattr(coopselectors, name), name


@pytest.mark.parametrize("page", ABOUT_THE_CODE)
def test_the_files_that_a_page_names_exist(page):
    names = re.findall(r"``((?:\w+/)*\w+\.(?:py|rst))``", (ROOT / page).read_text())
    assert len(names) > 8
    tests = [path for path in (ROOT / "tests").iterdir() if path.is_dir()]
    places = [ROOT, PACKAGE, *tests, ROOT / "docs", PACKAGE / "_hubs", PACKAGE / "_check"]
    made_up = {"_NAME.py"}
    for name in names:
        if Path(name).name not in made_up:
            assert any((place / name).exists() for place in places), name


def test_the_functions_that_the_page_about_the_code_names_exist():
    page = (ROOT / "docs" / "architecture.rst").read_text()
    source = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    names = re.findall(r"``(?:\w+\.)*(\w+)\(", page)
    assert len(names) > 8
    for name in names:
        assert f"def {name}(" in source, name


def test_what_is_quick_exists():
    for each in quick.QUICK:
        path, _, name = each.partition("::")
        assert (TESTS / path).exists(), each
        if name:
            function = name.partition("[")[0].rpartition("::")[2]
            assert f"def {function}" in (TESTS / path).read_text(), each
