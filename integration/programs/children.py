"""How does a scenario start a program that is a process of its own?

With coopselectors as the kind of the run says, and in the program's normal way otherwise.  Its code
calls `begin`, and keeps a report from then on: for how long the hub stood still, and whether a
greenlet waited in ours.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import watch

PIPE = subprocess.PIPE

_VARIABLE = "COOPSELECTORS_PROGRAM"  # {"kind": ..., "runtime": ..., "order": ..., "reports": ...}
_OFTEN = 0.1  # seconds between two reports
_PATIENCE = 10  # seconds for the end


@contextmanager
def started(here, *arguments, patched=False, command=None, env=None, **options):
    """A process that runs Python with these arguments, or `command`; it is told to end afterwards.

    `patched`: by ``coopselectors run``, if that is what starts it, and not by the program itself.
    """
    launcher = ["-m", "coopselectors", "run"] if here.kind == "run" else []
    if launcher and patched:
        launcher.append(f"--{here.runtime}")
    with tempfile.TemporaryDirectory() as reports:
        told = {"kind": here.kind, "runtime": here.runtime, "order": here.order, "reports": reports}
        child = subprocess.Popen(
            command or [sys.executable, *launcher, *arguments],
            stdin=subprocess.DEVNULL,
            env={**os.environ, _VARIABLE: json.dumps(told), **(env or {})},
            cwd=Path(__file__).parent,  # what lies there is imported first
            **options,
        )
        try:
            yield child
            _ask_to_end(child)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
            for report in Path(reports).glob("*.json"):
                found = json.loads(report.read_text())
                here.stood = max(here.stood, found["stood"])
                here.asked = here.asked or found["asked"]


def _ask_to_end(child) -> None:
    if child.poll() is None:
        child.terminate()
    try:
        child.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        raise AssertionError("it does not end when it is told to") from None


def told() -> dict[str, str]:
    """What the scenario has told this process of itself: kind, runtime, order."""
    return json.loads(os.environ[_VARIABLE])


def patch() -> None:
    """Patch all, as a program does that patches by itself."""
    from interpreter import patch

    patch(told()["runtime"], "")


def begin() -> None:
    """Called in the process, when all is imported and patched."""
    here = told()
    library = importlib.import_module(here["runtime"])
    watch.install(here["kind"])
    observer = watch.Observer() if here["kind"] != "without" else None
    ticker = watch.Ticker(library.spawn, library.sleep)
    report = Path(here["reports"], f"{os.getpid()}.json")

    def keep_report() -> None:
        while True:
            found = {"stood": ticker.longest(), "asked": observer is not None and observer.seen}
            draft = report.with_suffix(".draft")
            draft.write_text(json.dumps(found))
            draft.rename(report)
            library.sleep(_OFTEN)

    library.spawn(keep_report)
