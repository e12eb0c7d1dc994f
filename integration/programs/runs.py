"""What does one program do in one kind of process?  Runs it in a fresh interpreter.

Patching cannot be undone, and a program that blocks its hub may never end: each run has a time
limit, and all that it has started goes with it.
"""

from __future__ import annotations

import ast
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import common
from interpreter import OVERWRITTEN, shortened
from overlays import Overlay

HERE = Path(__file__).parent
SCENARIOS = HERE / "scenarios"

GROUPS = {
    "servers": "Servers",
    "clients": "Clients",
    "library": "The standard library and its friends",
}
#: How coopselectors comes into the process.
KINDS = ("without", "install()", "install(select=True)", "run")
RUNTIMES = ("gevent", "eventlet")
ORDERS = ("patched first", "imported first")

#: Seconds.  With ours it is given time on a busy machine; without, many hang.
LIMITS = {"without": 10, "install()": 40, "install(select=True)": 40, "run": 40}

_CONSTANTS = (
    "NEEDS",
    "SERVER",
    "ONLY",
    "SELECT",
    "HIDDEN",
    "UNPATCHED",
    "OVERLAY",
    "KNOWN",
    "SLOW",
    "LIMIT",
)
#: The machine may have been too busy at first.
AGAIN = ", at the second try"

# What a log says of an error, at the beginning of a line.
_ERROR = re.compile(r"^(?:Traceback \(most|ERROR|CRITICAL|Exception ignored|Fatal)", re.MULTILINE)


@dataclass(frozen=True)
class Program:
    """A scenario: what it says of itself, and what it needs."""

    group: str
    name: str
    title: str
    text: str
    needs: tuple[str, ...] = ()  # distributions
    server: str = ""  # the script under servers/ that runs beside it
    only: str = ""  # the runtime that it is made for, if not for all
    select: bool = False  # whether it waits in the `select` module itself
    hidden: dict[str, tuple[str, ...]] = field(default_factory=dict)  # {runtime: modules}
    unpatched: dict[str, str] = field(default_factory=dict)  # {runtime: a module that is left out}
    overlay: tuple[str, ...] = ()  # requirements that differ from those of the other programs
    known: dict[str, str] = field(default_factory=dict)  # {place: why it cannot work there}
    slow: bool = False  # left out of the quick run
    limit: float = 0  # seconds, if it takes longer than the others

    @property
    def path(self) -> Path:
        return SCENARIOS / self.group / f"{self.name}.py"

    @property
    def kind(self) -> str:
        """The least that has to make it work."""
        return "install(select=True)" if self.select else "install()"

    def covered_by(self, kind: str) -> bool:
        """Whether it has to work with that."""
        return KINDS.index(kind) >= KINDS.index(self.kind)


@dataclass(frozen=True)
class Cell:
    """What came out of one run."""

    text: str
    complaint: str = ""

    @property
    def good(self) -> bool:
        return self.works or self.text.startswith("not run: ")

    @property
    def again(self) -> bool:
        return self.text.endswith(AGAIN)

    @property
    def works(self) -> bool:
        return self.text.removesuffix(AGAIN) in ("works", OVERWRITTEN)


@dataclass
class Row:
    """A program in one runtime, with one order of imports."""

    program: Program
    runtime: str
    order: str
    cells: dict[str, Cell] = field(default_factory=dict)  # {kind: cell}

    @property
    def known(self) -> str:
        """Why it cannot work here, if that is known."""
        keys = (self.runtime, self.order, f"{self.runtime}, {self.order}")
        return next((self.program.known[key] for key in keys if key in self.program.known), "")

    @property
    def bad(self) -> list[Cell]:
        """What should have worked, and did not."""
        if self.known:
            return []
        found = self.cells.items()
        return [cell for kind, cell in found if self.program.covered_by(kind) and not cell.good]


def programs() -> list[Program]:
    """All of them, in the order of the page."""
    return [
        _read(group, path) for group in GROUPS for path in sorted((SCENARIOS / group).glob("[!_]*"))
    ]


def _read(group: str, path: Path) -> Program:
    """The program in that file; its constants are read without running it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    title, _, text = (ast.get_docstring(tree) or "").partition("\n\n")
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            constant = node.targets[0].id
            if constant in _CONSTANTS:
                found[constant.lower()] = ast.literal_eval(node.value)
    return Program(group, path.stem, title, text, **found)


def busy() -> float:
    """How much longer everything takes here than on an idle machine, at a guess."""
    return min(max(os.getloadavg()[0] / (os.cpu_count() or 1) / 3, 1), 3)


def can_run_others() -> bool:
    """Whether this coopselectors has a command that runs a program with it."""
    outcome = common.run(HERE / "has_run.py", limit=20)
    return outcome.verdict == "yes"


def judge(row: Row, kind: str, *where) -> Cell:
    """Run it; what should have worked and did not is tried again, and the cell says so."""
    cell = _judge_once(row, kind, *where)
    if cell.good or row.known or not row.program.covered_by(kind):
        return cell
    again = _judge_once(row, kind, *where)
    if not again.works:
        return cell
    return Cell(again.text + AGAIN, f"at the first try: {cell.text}\n{cell.complaint}")


def _judge_once(
    row: Row, kind: str, address: str, overlay: Overlay, hides: dict[str, Path]
) -> Cell:
    """Run it once.  `address` is what its server has said, which may be why there is none."""
    program = row.program
    reason = overlay.reason or _reason_to_skip(row, overlay)
    if reason:
        return Cell(f"not run: {reason}")
    if address.startswith(("not run: ", "fails: ")):
        return Cell(address)
    limit = max(program.limit, LIMITS[kind]) * busy()
    launcher: list[str] = []
    hidden = program.hidden.get(row.runtime, ())
    unpatched = program.unpatched.get(row.runtime, "")
    if kind == "run":
        launcher = ["-m", "coopselectors", "run"]
        if row.order == "patched first" and not unpatched:
            launcher.append(f"--{row.runtime}")
    outcome = common.run(
        HERE / "interpreter.py",
        *(f"{program.group}.{program.name}", kind, row.runtime, row.order),
        *(str(limit), unpatched, address),
        limit=limit,
        launcher=launcher,
        path=[*(hides[each] for each in hidden), *overlay.path, HERE],
    )
    return Cell(_verdict(outcome), outcome.complaint)


def _verdict(outcome: common.Outcome) -> str:
    worked = outcome.verdict in ("works", OVERWRITTEN)
    if outcome.status is None:
        return "does not end" if worked else outcome.verdict or "hangs"
    if outcome.status:
        return f"fails: exit status {outcome.status}"
    if worked and (found := _ERROR.search(outcome.complaint)):
        lines = [line for line in outcome.complaint[found.start() :].splitlines() if line.strip()]
        last = next((line for line in lines[1:] if line[0] not in " \t"), lines[0])
        return f"works, with an error in the log: {shortened(last)}"
    return outcome.verdict or "fails: it ended early"


def _reason_to_skip(row: Row, overlay: Overlay) -> str:
    """Why it cannot be run here, if so."""
    needed = (row.runtime, *row.program.needs)
    missing = [each for each in needed if not common.version(each, overlay.path)]
    return f"python -m pip install {' '.join(missing)}" if missing else ""
