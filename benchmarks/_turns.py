"""How are times compared?  By processes that take turns, in processor time, by the median.

What the machine does to one of them in a round, it does to the others, too.  Processor time leaves
out what other programs took; the time by the clock is kept beside it.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

_GENERATIONS = 5

_WORKLOADS = Path(__file__).with_name("workloads.py")


class Work(NamedTuple):
    """What one process does."""

    runtime: str
    workload: str
    subject: str


class Seconds(NamedTuple):
    """For one repetition."""

    processor: float
    clock: float


class _Process:
    """A process that does its work when it is asked to."""

    def __init__(self, work: Work, package_path: Path) -> None:
        self._work = work
        self._process = subprocess.Popen(
            [sys.executable, str(_WORKLOADS), *work, "turns"],
            env={**os.environ, "PYTHONPATH": str(package_path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.stdin.close()  # it ends by that
        self._process.stdout.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def set_up(self) -> None:
        if self._process.stdout.readline() != "ready\n":
            raise RuntimeError(f"{' '.join(self._work)}: did not start")

    def repeat(self, repetitions: int) -> Seconds:
        self._process.stdin.write(f"{repetitions}\n")
        self._process.stdin.flush()
        processor, clock = self._process.stdout.readline().split()
        return Seconds(float(processor) / repetitions, float(clock) / repetitions)

    def calibrate(self, seconds: float) -> int:
        """The number of repetitions that take about so long."""
        repetitions = 1
        while True:
            once = self.repeat(repetitions)
            # What waits for others, or for a processor, must not take forever.
            if repetitions * max(once.processor, once.clock / 8) > seconds / 4:
                return max(1, int(seconds / max(once.processor, once.clock / 8)))
            repetitions *= 4


def take_turns(
    works: Dict[str, Work], package_path: Path, rounds: int, seconds: float = 0.02
) -> Dict[str, Dict[str, float]]:
    """Run all of them round by round, each for about `seconds` at a time.

    A process may be slower than another one of the same work, for where its memory happens to lie.
    So new processes take over several times.

    Returns for each the medians of its seconds a repetition, and of the ratios of "ours" to it,
    each within its round.
    """
    times: Dict[str, List[Seconds]] = {name: [] for name in works}
    for _ in range(_GENERATIONS):
        with ExitStack() as stack:
            processes = {
                name: stack.enter_context(_Process(work, package_path))
                for name, work in works.items()
            }
            for process in processes.values():
                process.set_up()
            repetitions = {name: each.calibrate(seconds) for name, each in processes.items()}
            for number in range(math.ceil(rounds / _GENERATIONS)):
                names = list(works)
                for name in names if number % 2 else reversed(names):
                    times[name].append(processes[name].repeat(repetitions[name]))
    return {name: _medians(times["ours"], series) for name, series in times.items()}


def _medians(ours: List[Seconds], theirs: List[Seconds]) -> Dict[str, Any]:
    found = {}
    for field in Seconds._fields:
        mine, others = ([getattr(each, field) for each in series] for series in (ours, theirs))
        found[field] = statistics.median(others)
        found[f"{field} ratio"] = statistics.median(a / b for a, b in zip(mine, others))
    return found
