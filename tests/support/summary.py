"""What ran, in which runtime, and how long did it take?  A table at the end of a run of pytest.

``pytest --summary=FILE`` writes it to FILE as well, and ``python .ci/summary.py FOLDER`` prints all
of those in a folder, with the slowest tests of them all.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from . import workers

#: Longest first, for one may begin with another.  Only those under test: "gevent-libev-poll"
#: is the name of a backend, and also how the id of a test begins that is of poll() under gevent.
_RUNTIMES = sorted([*workers.UNDER_TEST, "gevent", "eventlet"], key=len, reverse=True)

#: Tests without a parameter for the runtime: pages, scripts in interpreters of their own.
_NONE = "(no runtime)"

_SLOWEST = 20


class Summary:
    """Counts the outcomes of one run, per runtime."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._rows: dict[str, Counter[str]] = {}
        self._reasons: Counter[tuple[str, str]] = Counter()
        self._seconds: Counter[str] = Counter()
        self._deselected = 0

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self._deselected += len(items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        runtime = _runtime_of(report.nodeid)
        row = self._rows.setdefault(runtime, Counter())
        row["seconds"] += report.duration
        self._seconds[report.nodeid] += report.duration
        if report.failed:
            row["failed"] += 1
        elif report.skipped:
            row["skipped"] += 1
            self._reasons[runtime, _reason(report)] += 1
        elif report.when == "call":
            row["passed"] += 1

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not self._rows:
            return
        found = self._as_json()
        if self._path:
            Path(self._path).write_text(json.dumps(found, indent=1))
        terminalreporter.section("what ran")
        for line in lines(found):
            terminalreporter.write_line(line)
        deselected = self._deselected
        if deselected:
            terminalreporter.write_line(
                f"Left out here: {deselected} long tests that the interpreter changes nothing in; "
                "`tox -e once` runs them, and .ci/run everything on all interpreters."
            )

    def _as_json(self) -> dict[str, Any]:
        return {
            "rows": {name: dict(row) for name, row in self._rows.items()},
            "skipped": [[*key, number] for key, number in self._reasons.items()],
            "slowest": self._seconds.most_common(_SLOWEST),
            "deselected": self._deselected,
        }


def lines(found: dict[str, Any]) -> list[str]:
    """The table, and why what was skipped."""
    rows = found["rows"]
    order = [name for name in [*workers.ORDER, "gevent"] if name in rows]
    form = "{:22}{:>7}{:>8}{:>8}{:>9}{:>9}"
    table = [form.format("runtime", "tests", "passed", "failed", "skipped", "seconds")]
    total: Counter[str] = Counter()
    for name in [*order, *(name for name in rows if name not in order)]:
        row = Counter(rows[name])
        total.update(row)
        table.append(_line(form, name, row))
    table.append(_line(form, "together", total))
    for runtime, reason, number in sorted(found["skipped"]):
        table.append(f"skipped, {runtime}: {number} x {reason}")
    return table


def _line(form: str, name: str, row: Counter[str]) -> str:
    tests = row["passed"] + row["failed"] + row["skipped"]
    seconds = f"{row['seconds']:.1f}"
    return form.format(name, tests, row["passed"], row["failed"], row["skipped"], seconds)


def _runtime_of(nodeid: str) -> str:
    parameters = nodeid.partition("[")[2].rstrip("]")
    for name in _RUNTIMES:
        if re.search(rf"(^|-){name}(-|$)", parameters):
            return name
    return _NONE


def _reason(report: pytest.TestReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason.removeprefix("Skipped: ").split("\n")[0]
