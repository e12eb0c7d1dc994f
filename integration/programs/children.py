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
from signal import SIGTERM

import watch

PIPE = subprocess.PIPE

_VARIABLE = "COOPSELECTORS_PROGRAM"  # {"kind": ..., "runtime": ..., "order": ..., "reports": ...}
_OFTEN = 0.1  # seconds between two reports
_PATIENCE = 30  # seconds for the end
_HERE = Path(__file__).parent


@contextmanager
def started(here, *arguments, command=None, env=None, **options):
    """A process that runs Python with these arguments, or `command`; it is told to end afterwards.

    The program patches by itself; see `module` for one that does not.
    """
    launcher = ["-m", "coopselectors", "run"] if here.kind == "run" else []
    with tempfile.TemporaryDirectory() as reports:
        told = {"kind": here.kind, "runtime": here.runtime, "order": here.order, "reports": reports}
        child = subprocess.Popen(
            command or [sys.executable, *launcher, *arguments],
            stdin=subprocess.DEVNULL,
            env={**os.environ, _VARIABLE: json.dumps(told), **(env or {})},
            cwd=_HERE,  # what lies there is imported first
            **options,
        )
        try:
            yield child
            _ask_to_end(child)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
            if child.stdout:
                child.stdout.close()
            for report in Path(reports).glob("*.json"):
                found = json.loads(report.read_text())
                here.stood = max(here.stood, found["stood"])
                here.asked = here.asked or found["asked"]


def module(here, name, *others):
    """The arguments that run a module, patched before it is imported or after.

    `others` are imported with it, where it would import them too late.
    """
    if here.kind == "run" and here.order == "patched first" and not here.unpatched:
        return [f"--{here.runtime}", "-m", name]
    order, names = here.order.partition(" ")[0], ",".join([name, *others])
    if order == "patched":
        names = name
    return [str(_HERE / "launcher.py"), order, here.kind, here.runtime, here.unpatched, names]


def ordinary(here, script, *arguments):
    """Run a script in a process that nobody patches; it has to end well."""
    child = subprocess.Popen([sys.executable, script, *arguments], cwd=_HERE)
    try:
        here.until(lambda: child.poll() is not None)
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    assert child.returncode == 0, child.returncode


def _ask_to_end(child) -> None:
    if child.poll() is None:
        child.terminate()
    try:
        status = child.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        raise AssertionError("it does not end when it is told to") from None
    assert status in (0, -SIGTERM), f"it ended with status {status}"


def told() -> dict[str, str]:
    """What the scenario has told this process of itself: kind, runtime, order."""
    return json.loads(os.environ[_VARIABLE])


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
