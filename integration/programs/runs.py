"""What does one program do in one kind of process?  Runs it in a fresh interpreter.

Patching cannot be undone, and a program that blocks its hub may never end: each run has a time
limit, and all that it has started goes with it.
"""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent
SCENARIOS = HERE / "scenarios"

KINDS = ("ours", "theirs")
RUNTIMES = ("gevent", "eventlet")
ORDERS = ("patched first", "imported first")

#: Seconds.  Ours is given time on a busy machine; whoever hangs would do so for ever.
LIMITS = {"ours": 25, "theirs": 10}


@dataclass(frozen=True)
class Program:
    """A scenario: what it says of itself, and what it needs."""

    name: str
    title: str
    text: str
    needs: tuple[str, ...] = ()  # distributions
    server: str = ""  # the script under servers/ that runs beside it
    only: str = ""  # the runtime that it is made for, if not for all
    select: bool = False  # whether it waits in the `select` module itself
    unpatched: dict[str, str] = field(default_factory=dict)  # {runtime: a module that is left out}


@dataclass(frozen=True)
class Cell:
    """What came out of one run."""

    text: str
    complaint: str = ""

    @property
    def good(self) -> bool:
        return self.text == "works" or self.text.startswith("skipped: ")


@dataclass
class Row:
    """A program in one runtime, with one order of imports."""

    program: Program
    runtime: str
    order: str
    cells: dict[str, Cell] = field(default_factory=dict)  # {kind: cell}

    def reason_to_skip(self) -> str:
        """Why it cannot be run here, if so."""
        if self.program.only not in ("", self.runtime):
            return f"it is {self.program.only}'s"
        missing = [each for each in (self.runtime, *self.program.needs) if not version(each)]
        return f"python -m pip install {' '.join(missing)}" if missing else ""


def read(name: str) -> Program:
    """The program of that name; its constants are read without running it."""
    tree = ast.parse((SCENARIOS / f"{name}.py").read_text(encoding="utf-8"))
    title, _, text = (ast.get_docstring(tree) or "").partition("\n\n")
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            constant = node.targets[0].id
            if constant in ("NEEDS", "SERVER", "ONLY", "SELECT", "UNPATCHED"):
                found[constant.lower()] = ast.literal_eval(node.value)
    return Program(name, title, text, **found)


def version(distribution: str) -> str:
    """The version that is installed, or nothing."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def judge(row: Row, kind: str, address: str) -> Cell:
    """Run it once.  `address` is what its server has said, which may be why there is none."""
    if reason := row.reason_to_skip():
        return Cell(f"skipped: {reason}")
    if address.startswith(("skipped: ", "fails: ")):
        return Cell(address)
    limit = LIMITS[kind]
    unpatched = row.program.unpatched.get(row.runtime, "")
    command = [sys.executable, str(HERE / "interpreter.py"), row.program.name]
    process = subprocess.Popen(
        [*command, kind, row.runtime, row.order, str(limit), unpatched, address],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment(),
        start_new_session=True,  # so that what it starts goes with it
    )
    try:
        said, complaint = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        put_down(process)
        return Cell("hangs", process.communicate()[1])
    put_down(process)
    verdicts = [line for line in said.splitlines() if line.startswith("verdict: ")]
    if not verdicts:
        return Cell(f"fails: exit status {process.returncode}", complaint)
    return Cell(verdicts[-1][len("verdict: ") :], complaint)


def put_down(process: subprocess.Popen[str]) -> None:
    """End all that is left of a session that was started here."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def environment() -> dict[str, str]:
    """Where an interpreter finds coopselectors: if it is not installed, in this checkout."""
    found = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
    for name in ("GEVENT_LOOP", "EVENTLET_HUB"):
        found.pop(name, None)
    if not version("coopselectors"):
        path = found.get("PYTHONPATH")
        found["PYTHONPATH"] = os.pathsep.join([str(HERE.parents[1]), *([path] if path else [])])
    return found
