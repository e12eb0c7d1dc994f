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


@pytest.mark.epoll
def test_the_example_of_extra_events_runs(run_python):
    page = (Path(__file__).parent.parent / "docs" / "extra-events.rst").read_text()
    [example, _kqueue] = re.findall(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)", page)
    run_python(textwrap.dedent(example))


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
