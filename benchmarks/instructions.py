"""How many instructions does each piece of work take, ours divided by the peer's?

    python benchmarks/instructions.py                       all rows, some minutes
    python benchmarks/instructions.py native/life hop       rows whose names contain one of these
    python benchmarks/instructions.py --list                the names
    python benchmarks/instructions.py --package-path DIR    of another checkout
    python benchmarks/instructions.py --json FILE           and write all figures there

valgrind's callgrind counts the instructions in user space of a run of N repetitions and of one of
2 N; the difference is N repetitions without start and set-up.  It is the same on every machine and
under any load, to some tenths of a per cent.  strace counts system calls in the same way.  Ends
with 1 if a bound is not held.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from threading import Lock
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional

_WORKLOADS = Path(__file__).with_name("workloads.py")
_COLLECTED = re.compile(r"Collected : (\d+)")
#: strace -c: % time, seconds, usecs/call, calls, maybe errors, name.
_SYSTEM_CALLS = re.compile(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) (?:[ \d]*) (\w+)$", re.MULTILINE)


class Row(NamedTuple):
    """A figure: what is done, by whom, and how much of the peer's cost is too much."""

    name: str  # runtime/what
    title: str
    #: "instructions" and "system calls" are ratios, "epoll_wait" is a number for each hop; the
    #: others are of `import`.
    unit: str
    workload: str
    ours: str
    peer: str
    #: The most that may come out, if there is a limit.
    at_most: Optional[float]
    repetitions: int = 300

    @property
    def runtime(self) -> str:
        return self.name.partition("/")[0]


def rows() -> List[Row]:
    """All of them, in the order of the page."""
    return [*_native(), *_gevent(), *_elsewhere(), *_start()]


def _instructions(
    name: str, title: str, workload: str, peer: str, at_most: Optional[float], **options: Any
) -> Row:
    ours = options.pop("ours", "ours")
    return Row(name, title, "instructions", workload, ours, peer, at_most, **options)


def _native() -> Iterator[Row]:
    life, communicate = "make, register, select, close", "two files, as communicate"
    standard, default = "standard.DefaultSelector", "ours.DefaultSelector"
    for name, title, workload, at_most, repetitions in (
        ("life", life, "life", 1.15, 300),
        ("communicate", communicate, "communicate", 0.95, 300),
    ):
        yield _instructions(
            f"native/{name}", title, workload, standard, at_most, repetitions=repetitions
        )
    yield _instructions(
        "native/communicate-poll",
        f"{communicate}, PollSelector",
        "communicate",
        "standard.PollSelector",
        1.2,
        ours="ours.PollSelector",
    )
    yield _instructions(
        "native/1-of-1000", "1 ready of 1000", "1-of-1000", standard, 0.85, repetitions=2000
    )
    title = "1000 ready of 1000"
    yield _instructions(
        "native/1000-of-1000", title, "1000-of-1000", standard, 0.35, repetitions=20
    )
    yield _instructions(
        "native/1000-of-1000-bare", title, "1000-of-1000", "bare", 1.9, repetitions=20
    )
    for name, title, at_most in (
        ("register", "register and unregister", 0.85),
        ("modify", "modify", 0.65),
        ("modify-data", "modify of data only", 0.7),
    ):
        yield _instructions(f"native/{name}", title, name, standard, at_most, ours=default)


def _gevent() -> Iterator[Row]:
    life, communicate = "make, register, select, close", "two files, as communicate"
    for name, title, at_most, repetitions in (
        ("life", life, 0.42, 200),
        ("communicate", communicate, 0.40, 200),
    ):
        yield _instructions(
            f"gevent-libev/{name}", title, name, "hub", at_most, repetitions=repetitions
        )
    yield _instructions(
        "gevent-libev/communicate-poll",
        f"{communicate}, PollSelector",
        "communicate",
        "hub.PollSelector",
        0.45,
        ours="ours.PollSelector",
        repetitions=200,
    )
    for idle in (10, 1000):
        title = f"blocked hop, {idle} idle"
        yield _instructions(f"gevent-libev/hop-{idle}", title, f"hop-{idle}", "hub", 0.75)
    for idle in (10, 1000):
        yield Row(
            f"gevent-libev/hop-{idle}-epoll_wait",
            f"epoll_wait for each blocked hop, {idle} idle",
            "epoll_wait",
            f"hop-{idle}",
            "ours",
            "hub",
            2,
            2000,
        )
    title = "blocked hop with time-out, 1000 idle"
    yield _instructions("gevent-libev/hop-timeout", title, "hop-1000-timeout", "hub", 0.63)
    title = "blocked hop, 10 idle, against a bare recv"
    yield _instructions("gevent-libev/hop-recv", title, "hop-10", "recv", 1.08)
    yield _instructions(
        "gevent-libev/1-of-1000", "1 ready of 1000", "1-of-1000", "hub", 0.22, repetitions=1000
    )


#: How blocked hops compared before the core was rebuilt: (without a time-out, with one).
_HOPS_BEFORE = {"gevent-libuv": (9.9, 9.9), "eventlet": (9.9, 9.9)}


def _elsewhere() -> Iterator[Row]:
    for runtime, (plain, timed) in _HOPS_BEFORE.items():
        yield _instructions(
            f"{runtime}/life", "make, register, select, close", "life", "hub", 0.6, repetitions=200
        )
        title = "blocked hop, 10 idle"
        yield _instructions(f"{runtime}/hop-10", title, "hop-10", "hub", plain, repetitions=100)
        title += ", with time-out"
        yield _instructions(
            f"{runtime}/hop-10-timeout", title, "hop-10-timeout", "hub", timed, repetitions=100
        )


def _start() -> Iterator[Row]:
    ours, theirs = "import coopselectors", "import selectors"
    yield Row("native/import", ours, "instructions", "import", ours, theirs, None)
    yield Row("native/import-ms", ours, "milliseconds", "import", ours, theirs, 10)
    title = f"modules that {ours} loads besides its own and those of selectors"
    yield Row("native/import-modules", title, "modules", "import", ours, theirs, 0)
    install = "install() in a bare process"
    for name, unit, at_most in (
        ("native/install", "instructions", None),
        ("native/install-ms", "milliseconds", 15),
    ):
        yield Row(name, install, unit, "install", "coopselectors.install()", theirs, at_most)


class Bench:
    """Runs the child processes, each kind once."""

    def __init__(self, package_path: Path) -> None:
        self._environment = {
            **os.environ,
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": str(package_path),
        }
        self._lock = Lock()
        self._locks: Dict[Any, Lock] = {}
        self._known: Dict[Any, Any] = {}

    def measure(self, row: Row) -> Dict[str, Any]:
        """{"ours": figure, "peer": figure, "ratio": the one that has a bound}"""
        if row.workload in ("import", "install"):
            return self._start(row)
        found = {
            "ours": self._repeated(row, row.workload, row.ours),
            "peer": self._repeated(row, *self._of_peer(row)),
        }
        if row.unit == "epoll_wait":
            # A repetition is two hops, there and back.
            figures: Dict[str, Any] = {
                who: calls.get("epoll_wait", 0) / 2 for who, calls in found.items()
            }
            every = {who: sum(calls.values()) / 2 for who, calls in found.items()}
            return {**figures, "figure": figures["ours"], "system calls": every}
        return {**found, "figure": found["ours"] / found["peer"]}

    @staticmethod
    def _of_peer(row: Row) -> Any:
        if row.peer == "bare":
            return f"epoll-{row.workload}", "bare"
        if row.peer == "recv":
            return "recv-hop", "recv"
        return row.workload, row.peer

    def _repeated(self, row: Row, workload: str, subject: str) -> Any:
        """What a repetition takes; counted once, if several rows ask for it."""
        key = row.unit, row.runtime, workload, subject, row.repetitions
        with self._lock:
            lock = self._locks.setdefault(key, Lock())
        with lock:
            if key not in self._known:
                self._known[key] = self._count(row, workload, subject)
            return self._known[key]

    def _count(self, row: Row, workload: str, subject: str) -> Any:
        number = row.repetitions
        command = [sys.executable, str(_WORKLOADS), row.runtime, workload, subject]
        count = self._system_calls if row.unit == "epoll_wait" else self._instructions
        once, twice = (count([*command, str(times * number)]) for times in (1, 2))
        if row.unit == "epoll_wait":
            return {name: (twice[name] - once.get(name, 0)) / number for name in twice}
        return (twice - once) / number

    def _instructions(self, command: List[str]) -> int:
        with tempfile.TemporaryDirectory() as folder:
            valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
            log = Path(folder, "log")
            self._run([*valgrind, f"--log-file={log}", *command])
            return int(_COLLECTED.findall(log.read_text())[-1])

    def _system_calls(self, command: List[str]) -> Dict[str, int]:
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder, "log")
            self._run(["strace", "-c", "-f", "-o", str(log), *command])
            found = _SYSTEM_CALLS.findall(log.read_text())
            return {name: int(calls) for calls, name in found if name != "total"}

    def _start(self, row: Row) -> Dict[str, Any]:
        # Without `site`: what an environment's .pth files import is not ours.
        python = [sys.executable, "-S", "-c"]
        nothing, ours, theirs = "pass", "import coopselectors", "import selectors"
        for code in (ours + "; coopselectors.install()", theirs):
            self._run([*python, code])  # the byte code is there from now on
        if row.unit == "modules":
            return self._foreign_modules(python)
        if row.unit == "milliseconds":
            return self._milliseconds(python, row)
        before = self._instructions([*python, nothing])
        peer = self._instructions([*python, theirs]) - before
        count = self._instructions([*python, ours])
        if row.workload == "install":
            install = self._instructions([*python, f"{ours}; coopselectors.install()"])
            return {"ours": install - count, "peer": peer, "figure": (install - count) / peer}
        return {"ours": count - before, "peer": peer, "figure": (count - before) / peer}

    def _foreign_modules(self, python: List[str]) -> Dict[str, Any]:
        def loaded(module: str) -> List[str]:
            code = f"import sys; import {module}; print(*sys.modules)"
            return self._run([*python, code]).split()

        ours, theirs = loaded("coopselectors"), loaded("selectors")
        own = [name for name in ours if name.partition(".")[0] == "coopselectors"]
        foreign = sorted({*ours} - {*own} - {*theirs})
        return {"ours": len(ours), "peer": len(theirs), "figure": len(foreign), "foreign": foreign}

    def _milliseconds(self, python: List[str], row: Row) -> Dict[str, Any]:
        timed = "import time; t = time.process_time(); {}; print(time.process_time() - t)"
        code = {"ours": timed.format(row.ours), "peer": timed.format(row.peer)}
        if row.workload == "install":
            code["ours"] = f"import coopselectors; {code['ours']}"
        seconds: Dict[str, List[float]] = {"ours": [], "peer": []}
        for _ in range(15):
            for who, text in code.items():
                seconds[who].append(float(self._run([*python, text])))
        figures = {who: 1000 * statistics.median(series) for who, series in seconds.items()}
        return {**figures, "figure": figures["ours"]}

    def _run(self, command: List[str]) -> str:
        done = subprocess.run(
            command,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: status {done.returncode}\n{done.stderr}")
        return done.stdout


def measure(chosen: Iterable[Row], package_path: Path, jobs: int) -> Iterator[Dict[str, Any]]:
    """All figures of these rows, each as soon as it and those before it are there."""
    bench = Bench(package_path)
    chosen = list(chosen)
    with ThreadPoolExecutor(jobs) as pool:
        # Instructions may be counted side by side; times are measured when nothing else runs.
        counted = [
            None if row.unit == "milliseconds" else pool.submit(bench.measure, row)
            for row in chosen
        ]
        for row, future in zip(chosen, counted):
            if future is None:
                wait(each for each in counted if each)
            found = future.result() if future else bench.measure(row)
            yield {
                **row._asdict(),
                **found,
                "subject": row.ours,
                "against": row.peer,
                "held": row.at_most is None or round(found["figure"], 2) <= row.at_most,
            }


def line(result: Dict[str, Any]) -> str:
    """A result as text."""
    at_most = "" if result["at_most"] is None else f"{result['at_most']:.4g}"
    verdict = "" if result["at_most"] is None else "ok" if result["held"] else "MISSED"
    ours, peer = (f"{result[who]:14,.1f}" for who in ("ours", "peer"))
    return (
        f"{result['name']:32} {result['unit']:12} {ours} {peer} {result['figure']:8.2f} "
        f"{at_most:>6} {verdict}"
    )


def package_path() -> Path:
    """The folder that holds the package which this interpreter finds, or this checkout's."""
    found = importlib.util.find_spec("coopselectors")
    if found is None or found.origin is None:
        return Path(__file__).resolve().parent.parent
    return Path(found.origin).parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python benchmarks/instructions.py", description="How many instructions?"
    )
    parser.add_argument("names", nargs="*", help="rows whose names contain one of these")
    parser.add_argument("--list", action="store_true", help="print the names of the rows")
    parser.add_argument("--package-path", type=Path, metavar="DIR", help="where the package is")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--jobs", "-j", type=int, default=os.cpu_count() or 1, metavar="NUMBER")
    options = parser.parse_args()
    chosen = [
        row
        for row in rows()
        if not options.names or any(name in row.name for name in options.names)
    ]
    if options.list:
        print(*(f"{row.name:32} {row.title}" for row in chosen), sep="\n")
        return 0
    for tool in ("valgrind", "strace"):
        if shutil.which(tool) is None:
            parser.error(f"{tool} is not installed")
    where = (options.package_path or package_path()).resolve()
    if not (where / "coopselectors" / "__init__.py").is_file():
        parser.error(f"there is no package coopselectors in {where}")
    print(f"{'':32} {'unit':12} {'ours':>14} {'peer':>14} {'figure':>8} {'most':>6}", flush=True)
    results = []
    for result in measure(chosen, where, options.jobs):
        print(line(result), flush=True)
        results.append(result)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    return 0 if all(result["held"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
