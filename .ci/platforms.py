"""Where does it work?  Makes that page from the recorded outcomes of test runs.

``python .ci/platforms.py FOLDER`` reads all ``outcomes-*.json`` in the folder (see outcomes.py) and
prints docs/platforms.rst.  Nothing on that page is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Iterator

import outcomes

RUNTIMES = ("native", "gevent-libev", "gevent-libuv", "eventlet")
CLASSES = ("Kqueue", "Devpoll", "Epoll", "Poll", "Select")
STAND_INS = {
    "kqueue": "macOS and the BSDs (stand-in)",
    "devpoll": "Solaris (stand-in)",
    "select": "nothing but select, as on Windows (stand-in)",
}
SYSTEMS = {"linux": "Linux", "darwin": "macOS", "win32": "Windows", "emscripten": "WebAssembly"}

HEAD = """\
Where it has been tested
========================

Each run of the tests records its outcomes.  ``python .ci/platforms.py .tox`` makes this page from
these records.  The numbers are numbers of tests.

Interpreters
------------

Each column is a runtime.  Tests that need no particular runtime count as *native*.
"""

PLATFORMS = """\
Platforms and classes
---------------------

The table shows how many tests of each class passed, on all interpreters together.  *None* means
that the platform does not have the class.  A *stand-in* imitates the platform on Linux, as its
manual pages describe it.
"""


def page(runs: list[dict[str, Any]]) -> str:
    lines = [HEAD, *interpreters(runs), ""]
    lines += [*details(runs), PLATFORMS, *platforms(runs)]
    return "\n".join(lines).rstrip() + "\n"


def table(rows: list[list[str]]) -> Iterator[str]:
    yield from (".. list-table::", "   :header-rows: 1", "")
    for row in rows:
        for index, cell in enumerate(row):
            yield ("   * - " if not index else "     - ") + cell


def interpreters(runs: list[dict[str, Any]]) -> Iterator[str]:
    """Each interpreter with each set of libraries, and what passed in each runtime."""
    rows: dict[tuple[str, str], dict[str, Counter[str]]] = {}
    lacking: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    not_run = []
    for run in runs:
        if "not_run" in run:
            reason = f"not run: {run['not_run']}"
            not_run.append([run["interpreter"], "", *[reason] * len(RUNTIMES)])
        elif run["platform"] in SYSTEMS:
            key = name_of(run), ", ".join(run["libraries"])
            cells = rows.setdefault(key, defaultdict(Counter))
            lacking[key].update(run["lacking"])
            for runtime, _, outcome, number in run["found"]:
                cells[runtime or "native"][outcome] += number
    head = ["interpreter", "libraries", *RUNTIMES]
    body = [
        [*key, *(cell_of(rows[key].get(name), lacking[key].get(name)) for name in RUNTIMES)]
        for key in sorted(rows, key=by_number)
    ]
    return table([head, *body, *sorted(not_run)])


def cell_of(found: Counter[str] | None, lack: str | None) -> str:
    """Passed, failed, or not run and why."""
    if not found or not found["passed"] + found["failed"] + found["known"]:
        return f"not run: {lack}" if lack else "not run"
    said = [f"{found['passed']} passed"]
    if found["failed"]:
        said.append(f"{found['failed']} FAILED")
    if found["known"]:
        said.append(f"{found['known']} known to fail")
    return ", ".join(said)


def details(runs: list[dict[str, Any]]) -> Iterator[str]:
    """The names of what failed, and the reasons of what is known to."""
    for run in sorted(runs, key=lambda run: by_number((run["interpreter"], ""))):
        if run.get("failures"):
            yield from (f"Failed on {name_of(run)}:", "")
            yield from (f"* ``{test}``" for test in run["failures"])
            yield ""
        if run.get("known"):
            yield from (f"Known to fail on {name_of(run)}, for faults that are not ours:", "")
            yield from (f"* {reason} ({number})" for reason, number in run["known"].items())
            yield ""


def platforms(runs: list[dict[str, Any]]) -> Iterator[str]:
    cells: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for run in runs:
        for runtime, name, outcome, number in run.get("found", ()):
            if name and outcome != "skipped":
                cells[run["platform"], runtime, name][outcome] += number
    rows = [["platform", "runtime", *(f"{name}Selector" for name in CLASSES)]]
    for system in ("linux", "darwin", "win32", *STAND_INS):
        label = STAND_INS.get(system) or SYSTEMS[system]
        has = {name for place, _, name in cells if place == system}
        runtimes = {runtime for place, runtime, _ in cells if place == system}
        for runtime in sorted(runtimes, key=order) or ["all"]:
            row = [label, runtime]
            for name in CLASSES:
                found = cells.get((system, runtime, name))
                row.append(cell_of(found, "") if found or not has or name in has else "none")
            rows.append(row)
    return table(rows)


def order(runtime: str) -> tuple[int, str]:
    """The usual four first."""
    return (RUNTIMES.index(runtime) if runtime in RUNTIMES else len(RUNTIMES)), runtime


def name_of(run: dict[str, Any]) -> str:
    system = SYSTEMS.get(run.get("platform", "linux"), "Linux")
    return run["interpreter"] if system == "Linux" else f"{run['interpreter']}, {system}"


def by_number(key: tuple[str, str]) -> tuple[str, list[int], str]:
    name, libraries = key
    return name.partition(" ")[0], [int(part) for part in re.findall(r"\d+", name)], libraries


if __name__ == "__main__":
    print(page(outcomes.read(Path(sys.argv[1]))), end="")
