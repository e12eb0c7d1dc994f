"""What does one fault do to one kind of process?  Runs its script, and sums up the rounds.

Each round is a fresh interpreter with a time limit: patching cannot be undone, and some of these
processes do not end of their own accord.
"""

from __future__ import annotations

import ast
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from common import run

SCENARIOS = Path(__file__).with_name("scenarios")

#: What a cell can say, from bad to good.
WORDS = (
    "crash",
    "abort",
    "hang",
    "wrong",
    "leak",
    "spins",
    "error",
    "missing",
    "fine",
    "n/a",
    "not installed",
)
GOOD = ("fine", "n/a", "not installed")

_SIGNALS = {signal.SIGABRT: "abort", signal.SIGSEGV: "crash", signal.SIGBUS: "crash"}


@dataclass(frozen=True)
class Fault:
    """A scenario: the script, and what it says of itself."""

    name: str
    title: str
    text: str
    rounds: int
    limit: float

    @property
    def path(self) -> Path:
        return SCENARIOS / f"{self.name}.py"


@dataclass(frozen=True)
class Cell:
    """What came out, for one fault and one kind of process."""

    text: str
    complaint: str = ""

    @property
    def word(self) -> str:
        """The one of WORDS that it begins with."""
        return next(word for word in WORDS if self.text.startswith(word))

    @property
    def good(self) -> bool:
        return self.word in GOOD


def read(name: str) -> Fault:
    """The scenario of that name; its ROUNDS and LIMIT are read without running it."""
    tree = ast.parse((SCENARIOS / f"{name}.py").read_text(encoding="utf-8"))
    title, _, text = (ast.get_docstring(tree) or "").partition("\n\n")
    numbers = {"ROUNDS": 1, "LIMIT": 30}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for target in node.targets:
                if isinstance(target, ast.Name) and target.id in numbers:
                    numbers[target.id] = node.value.value
    return Fault(name, title, text, numbers["ROUNDS"], numbers["LIMIT"])


def judge(fault: Fault, kind: str) -> Cell:
    """Run the scenario as often as it wants to be; tell all that went wrong, the worst first."""
    cells = [_run_once(fault, kind) for _ in range(fault.rounds)]
    cells.sort(key=lambda cell: WORDS.index(cell.word))
    worst = cells[0]
    if worst.good or fault.rounds == 1:
        return worst
    bad = Counter(":".join(cell.text.split(":")[:2]) for cell in cells if not cell.good)
    counted = ", ".join(f"{text} in {times}" for text, times in bad.items())
    return Cell(f"{counted} of {fault.rounds} runs", worst.complaint)


def _run_once(fault: Fault, kind: str) -> Cell:
    outcome = run(fault.path, kind, limit=fault.limit)
    if outcome.status is None:
        return Cell("hang", outcome.complaint)
    if -outcome.status in _SIGNALS:
        number = signal.Signals(-outcome.status)
        return Cell(f"{_SIGNALS[number]} ({number.name})", outcome.complaint)
    if outcome.status or not outcome.verdict:
        return Cell(f"error: exit status {outcome.status}", outcome.complaint)
    return Cell(outcome.verdict, outcome.complaint)
