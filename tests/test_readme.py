"""Does the README tell the truth?"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

import coopselectors
import runtimes

README = (Path(__file__).parent.parent / "README.rst").read_text()


def test_the_example_runs(run_python):
    if runtimes.missing("gevent-libev"):
        pytest.skip(runtimes.missing("gevent-libev"))
    [example] = re.findall(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)", README)[:1]
    output = run_python(textwrap.dedent(example))
    assert output.count("others run on") >= 8
    assert "EVENT" not in output
    assert output.count("[(SelectorKey(") == 1


PATCHES = {
    "nobody": "import time as hub",
    "gevent": "import gevent.monkey; gevent.monkey.patch_all(); import gevent as hub",
    "eventlet": "import eventlet; eventlet.monkey_patch(); import eventlet as hub",
}


def blocks_about_select():
    """The example of how the primitives are used, and that of how they get into all programs."""
    page = (Path(__file__).parent.parent / "docs" / "select.rst").read_text()
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
{PATCHES[name]}
{install}
import coopselectors.select as ours, select
assert select.epoll is taken is ours.epoll
assert select.poll is ours.poll
with select.epoll() as made:
    assert isinstance(made, select.epoll)
with coopselectors._originals.epoll() as raw:
    assert not isinstance(raw, select.epoll)  # "and for native ones no more"
print(coopselectors.current_runtime(), coopselectors.uninstall())
"""
    )
    owner = "native" if name == "nobody" else name
    assert output == f"{owner} []\n"


def test_the_two_commands():
    commands = [
        'python -m pip install ".[gevent,eventlet]" && python -m coopselectors',
        "python -m pip install tox && tox",
    ]
    for command in commands:
        assert f"\n    {command}\n" in README
    script = (Path(__file__).parent.parent / ".ci" / "run").read_text()
    assert commands[1] in script


def test_what_it_names_exists():
    for name in re.findall(r"coopselectors\.(\w+)\(", README):
        assert hasattr(coopselectors, name), name
