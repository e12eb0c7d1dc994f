"""Where was what shown to work?  A table of platforms, runtimes and classes, out of test runs.

``pytest --matrix=FILE`` notes in FILE what a run has found, and ``python docs/platforms.py FOLDER``
prints the table of all such files there.  Nothing in it is written by hand.
"""

from __future__ import annotations

import json
import platform
import sys
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any

from support import workers
from support.runtimes import BACKENDS, RUNTIMES

#: Longest first, for one may begin with another.
_RUNTIMES = sorted([*RUNTIMES, *BACKENDS], key=len, reverse=True)

#: {what is imitated: what the table calls it}
_PLATFORMS = {
    "kqueue": "macOS and the BSDs (stand-in)",
    "devpoll": "Solaris (stand-in)",
    "select": "nothing but select, as on Windows (stand-in)",
}
LIBRARIES = ("gevent", "eventlet")
_CLASSES = ("Kqueue", "Devpoll", "Epoll", "Poll", "Select")

_TITLE = "Where it was run"
_HEAD = """\
Made by the tests: ``tox`` has each of its runs note what it did, and ``python docs/platforms.py
.tox`` makes this page of it.  The number is that of the tests that passed, those of all
interpreters together.  *Not run* is what no run had, *none* what that platform does not have.  A
*stand-in* is an imitation, on Linux, of what the platform's manual page says
(``tests/support/standins.py``).
"""


class Matrix:
    """Counts the outcomes of one run."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._found: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.skipped or (report.passed and report.when != "call"):
            return
        place = _place_of(report.nodeid)
        if place is not None:
            self._found[json.dumps([*place, "passed" if report.passed else "failed"])] += 1

    def pytest_sessionfinish(self) -> None:
        run = {
            "platform": workers.PLATFORM or sys.platform,
            "python": f"{platform.python_implementation()} {platform.python_version()}",
            "libraries": [f"{name} {version}" for name in LIBRARIES if (version := _version(name))],
            "found": [[*json.loads(place), number] for place, number in self._found.items()],
        }
        self._path.write_text(json.dumps(run, indent=1))


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return ""


def _place_of(nodeid: str) -> tuple[str, str] | None:
    """The runtime and the class that a test was for, if it was for any."""
    parameters = nodeid.partition("[")[2]
    runtime = next((name for name in _RUNTIMES if parameters.startswith(name)), None)
    for name in _CLASSES:
        if runtime and f"-{name}Selector" in parameters:
            return runtime, name
    return None


def table(runs: list[dict[str, Any]]) -> str:
    """The page, as reStructuredText."""
    cells: dict[tuple[str, str, str], Counter[str]] = {}
    pythons: dict[str, set[str]] = {}
    for run in runs:
        label = ", ".join([run["python"], *run["libraries"]])
        pythons.setdefault(run["platform"], set()).add(label)
        for runtime, name, outcome, number in run["found"]:
            cell = cells.setdefault((run["platform"], runtime, name), Counter())
            cell[outcome] += number
    lines = [_TITLE, "=" * len(_TITLE), "", _HEAD, ".. list-table::", "   :header-rows: 1", ""]
    rows = [["platform", "runtime", *(f"{name}Selector" for name in _CLASSES)]]
    for system in ["linux", "darwin", "win32", *_PLATFORMS]:
        shown = [name for name in workers.ORDER if any(key[:2] == (system, name) for key in cells)]
        has = {name for place, _, name in cells if place == system}
        label = _PLATFORMS.get(system, {"darwin": "macOS", "win32": "Windows"}.get(system, "Linux"))
        for runtime in shown or ["all"]:
            row = [label, runtime]
            for name in _CLASSES:
                cell = cells.get((system, runtime, name))
                missing = "none" if shown and name not in has else "not run"
                row.append(_cell(cell, system in _PLATFORMS) if cell else missing)
            rows.append(row)
    for row in rows:
        lines += [("   * - " if not index else "     - ") + cell for index, cell in enumerate(row)]
    for system, versions in sorted(pythons.items()):
        lines += ["", f"{_PLATFORMS.get(system, system.capitalize())}:", ""]
        lines += [f"* {version}" for version in sorted(versions, key=_number)]
    return "\n".join(lines) + "\n"


def _cell(found: Counter[str], imitated: bool) -> str:
    failed = f", {found['failed']} FAILED" if found["failed"] else ""
    return f"{'stand-in' if imitated else 'run here'} ({found['passed']}{failed})"


def _number(version: str) -> tuple[str, list[int], str]:
    name, number = version.partition(",")[0].split(" ")
    return name, [int(part) for part in number.split(".") if part.isdigit()], version
