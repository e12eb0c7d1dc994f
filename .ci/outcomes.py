"""What came of each test, on which interpreter and in which runtime?  A plugin that notes it.

``pytest -p outcomes --outcomes=FILE``, with this folder on PYTHONPATH, writes FILE.  platforms.py
makes the page out of such files.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import sysconfig
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any, Dict, List, Tuple

LIBRARIES = ("gevent", "eventlet", "greenlet")

_CLASSES = ("Kqueue", "Devpoll", "Epoll", "Poll", "Select")
_RUNTIMES = ("native", "gevent-libev", "gevent-libuv", "eventlet")

_NOT_INSTALLED = "not installed: "


def interpreter() -> str:
    """Name and version; a free-threaded build has a "t" after it, as its command has."""
    threaded = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    return f"{platform.python_implementation()} {platform.python_version()}{threaded}"


def place_of(nodeid: str) -> Tuple[str, str]:
    """The runtime and the class of selector that a test was for; empty if for none."""
    wanted = os.environ.get("COOPSELECTORS_TEST_RUNTIMES")
    parameters = nodeid.partition("[")[2].rstrip("]") + "-"
    for runtime in wanted.split(",") if wanted else _RUNTIMES:
        if parameters.startswith(f"{runtime}-"):
            classes = (name for name in _CLASSES if f"-{name}Selector-" in parameters)
            return runtime, next(classes, "")
    return "", ""


class Outcomes:
    """One outcome per test: the worst that a phase of it had."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._found: Dict[str, str] = {}
        self._reasons: Dict[str, str] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        outcome = report.outcome
        if report.skipped and hasattr(report, "wasxfail"):
            outcome = "known"
            self._reasons[report.nodeid] = report.wasxfail.removeprefix("reason: ")
        elif report.skipped:
            self._reasons[report.nodeid] = _reason(report)
        if outcome == "passed" and (report.when != "call" or report.nodeid in self._found):
            return
        if self._found.get(report.nodeid) != "failed":
            self._found[report.nodeid] = outcome

    def pytest_sessionfinish(self) -> None:
        counts = Counter((*place_of(test), outcome) for test, outcome in self._found.items())
        lacking, known = {}, Counter()
        for test, reason in self._reasons.items():
            runtime = place_of(test)[0]
            if self._found[test] == "known":
                known[reason] += 1
            elif runtime and reason.startswith(_NOT_INSTALLED):
                lacking[runtime] = reason
        note(
            self._path,
            interpreter=interpreter(),
            platform=os.environ.get("COOPSELECTORS_TEST_PLATFORM") or sys.platform,
            libraries=[f"{name} {found}" for name in LIBRARIES if (found := _version(name))],
            found=[[*key, number] for key, number in sorted(counts.items())],
            failures=sorted(test for test, outcome in self._found.items() if outcome == "failed"),
            known=dict(sorted(known.items())),
            lacking=lacking,
        )


def note(path: Path, **facts: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts, indent=1) + "\n")


def read(folder: Path) -> List[Dict[str, Any]]:
    """What all runs have noted in a folder."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("outcomes-*.json"))]


def _reason(report: Any) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, (tuple, list)) else ""
    return str(text).removeprefix("Skipped: ")


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return ""


def pytest_addoption(parser: Any) -> None:
    parser.addoption("--outcomes", metavar="FILE", help="note there what came of each test")


def pytest_configure(config: Any) -> None:
    path = config.getoption("--outcomes")
    if path and not hasattr(config, "workerinput"):  # pytest-xdist's controller hears of all
        config.pluginmanager.register(Outcomes(path))
