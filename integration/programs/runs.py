"""What does one program do in one kind of process?  Runs it in a fresh interpreter.

Patching cannot be undone, and a program that blocks its hub may never end: each run has a time
limit, and all that it has started goes with it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path

from common import run, version

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


def judge(row: Row, kind: str, address: str) -> Cell:
    """Run it once.  `address` is what its server has said, which may be why there is none."""
    if reason := row.reason_to_skip():
        return Cell(f"skipped: {reason}")
    if address.startswith(("skipped: ", "fails: ")):
        return Cell(address)
    limit = LIMITS[kind]
    unpatched = row.program.unpatched.get(row.runtime, "")
    names = (row.program.name, kind, row.runtime, row.order)
    outcome = run(HERE / "interpreter.py", *names, str(limit), unpatched, address, limit=limit)
    if outcome.status is None:
        return Cell("hangs", outcome.complaint)
    return Cell(outcome.verdict or f"fails: exit status {outcome.status}", outcome.complaint)
