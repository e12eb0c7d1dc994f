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
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Tuple

from _rows import NOT, Row, rows
from _turns import Work

_WORKLOADS = Path(__file__).with_name("workloads.py")
_COLLECTED = re.compile(r"Collected : (\d+)")
#: strace -c: % time, seconds, usecs/call, calls, maybe errors, name.
_SYSTEM_CALLS = re.compile(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) (?:[ \d]*) (\w+)$", re.MULTILINE)


#: A figure: its name, what it is of, ours, the peer, in which unit, the most that it may be, and
#: how it is measured.
Figure = Tuple[str, str, str, str, str, Optional[float], Callable[[], Dict[str, Any]]]


class Bench:
    """Runs the child processes, each kind once."""

    def __init__(self, package_path: Path) -> None:
        # Byte code as an installed package has it, whatever the caller's environment says.
        self._byte_code = tempfile.TemporaryDirectory(prefix="byte-code-")
        self._environment = {
            **os.environ,
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": str(package_path),
            "PYTHONPYCACHEPREFIX": self._byte_code.name,
        }
        self._environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self._lock = Lock()
        self._locks: Dict[Any, Lock] = {}
        self._known: Dict[Any, Any] = {}

    def figures(self) -> Iterator[Figure]:
        """All of them, none measured yet."""
        for row in rows():
            title = f"{row.title}"
            if row.instructions != NOT:
                yield (
                    row.name,
                    title,
                    row.ours,
                    row.against(),
                    "instructions",
                    row.instructions,
                    partial(self._ratio, row),
                )
            if row.epoll_waits != NOT:
                yield (
                    f"{row.name}-epoll_wait",
                    f"epoll_wait calls, {title}",
                    row.ours,
                    row.against(),
                    "calls",
                    row.epoll_waits,
                    partial(self._epoll_waits, row),
                )
        yield from self._of_start()

    def _of_start(self) -> Iterator[Figure]:
        ours, theirs = "import coopselectors", "import selectors"
        install = "coopselectors.install()"
        others = f"modules that {ours} loads, but for its own and those of selectors"
        for name, title, work, unit, at_most, measure in (
            ("import", ours, ours, "instructions", None, self._import),
            ("import-modules", others, ours, "modules", 0, self._foreign_modules),
            ("import-ms", ours, ours, "milliseconds", 10, self._import_milliseconds),
            ("install", install, install, "instructions", None, self._install),
            ("install-ms", install, install, "milliseconds", 15, self._install_milliseconds),
        ):
            yield f"native/{name}", title, work, theirs, unit, at_most, measure

    # Each returns {"ours": cost, "peer": cost, "figure": what is held against the limit}.

    def _ratio(self, row: Row) -> Dict[str, Any]:
        ours, peer = (self._repeated(work, row.repetitions) for work in row.works())
        return {"ours": ours, "peer": peer, "figure": ours / peer}

    def _epoll_waits(self, row: Row) -> Dict[str, Any]:
        # A repetition is two hops, there and back.
        ours, peer = (self._repeated(work, 2000, calls=True) for work in row.works())
        return {
            "ours": ours["epoll_wait"] / 2,
            "peer": peer["epoll_wait"] / 2,
            "figure": round(ours["epoll_wait"] / 2, 1),
            "all system calls": [sum(calls.values()) / 2 for calls in (ours, peer)],
        }

    def _repeated(self, work: Work, number: int, calls: bool = False) -> Any:
        """What a repetition takes; counted once, if several rows ask for it."""
        key = (work, number, calls)
        with self._lock:
            lock = self._locks.setdefault(key, Lock())
        with lock:
            if key not in self._known:
                self._known[key] = self._count(work, number, calls)
            return self._known[key]

    def _count(self, work: Work, number: int, calls: bool) -> Any:
        command = [sys.executable, str(_WORKLOADS), *work]
        self._run([*command, "1"])  # the byte code is there from now on
        count = self._system_calls if calls else self._instructions
        once, twice = (count([*command, str(times * number)]) for times in (1, 2))
        if calls:
            return {name: (twice[name] - once.get(name, 0)) / number for name in twice}
        return (twice - once) / number

    def _instructions(self, command: List[str]) -> int:
        with tempfile.TemporaryDirectory() as folder:
            valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
            _, pid = self._run([*valgrind, f"--log-file={folder}/%p", *command])
            # Forked children have logs of their own.
            return int(_COLLECTED.findall(Path(folder, str(pid)).read_text())[-1])

    def _system_calls(self, command: List[str]) -> Dict[str, int]:
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder, "log")
            self._run(["strace", "-c", "-f", "-o", str(log), *command])
            found = _SYSTEM_CALLS.findall(log.read_text())
            return {name: int(calls) for calls, name in found if name != "total"}

    def _import(self) -> Dict[str, Any]:
        nothing, peer = (self._start(code) for code in ("pass", "import selectors"))
        ours = self._start("import coopselectors") - nothing
        return {"ours": ours, "peer": peer - nothing, "figure": ours / (peer - nothing)}

    def _install(self) -> Dict[str, Any]:
        nothing, peer = (self._start(code) for code in ("pass", "import selectors"))
        code = "import coopselectors"
        ours = self._start(f"{code}; coopselectors.install()") - self._start(code)
        return {"ours": ours, "peer": peer - nothing, "figure": ours / (peer - nothing)}

    def _start(self, code: str) -> int:
        command = self._python(code)
        self._run(command)  # the byte code is there from now on
        return self._instructions(command)

    @staticmethod
    def _python(code: str) -> List[str]:
        # Without `site`: what the .pth files of an environment import is not ours.
        return [sys.executable, "-S", "-c", code]

    def _foreign_modules(self) -> Dict[str, Any]:
        ours, theirs = (
            self._run(self._python(f"import sys, {module}; print(*sys.modules)"))[0].split()
            for module in ("coopselectors", "selectors")
        )
        own = [name for name in ours if name.partition(".")[0] == "coopselectors"]
        foreign = sorted({*ours} - {*own} - {*theirs})
        return {"ours": len(ours), "peer": len(theirs), "figure": len(foreign), "names": foreign}

    def _import_milliseconds(self) -> Dict[str, Any]:
        return self._milliseconds("", "import coopselectors")

    def _install_milliseconds(self) -> Dict[str, Any]:
        return self._milliseconds("import coopselectors", "coopselectors.install()")

    def _milliseconds(self, before: str, code: str) -> Dict[str, Any]:
        """Of processor time, in fresh interpreters that take turns."""
        timed = "{}\nimport time; t = time.process_time(); {}; print(time.process_time() - t)"
        commands = {
            "ours": self._python(timed.format(before, code)),
            "peer": self._python(timed.format("", "import selectors")),
        }
        seconds: Dict[str, List[float]] = {who: [] for who in commands}
        for number in range(16):
            for who, command in commands.items():
                found = float(self._run(command)[0])
                if number:  # the first time, there may be no byte code yet
                    seconds[who].append(found)
        figures = {who: 1000 * statistics.median(series) for who, series in seconds.items()}
        return {**figures, "figure": round(figures["ours"], 1)}

    def _run(self, command: List[str]) -> Tuple[str, int]:
        """What it prints, and its process id."""
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, env=self._environment, stdout=pipe, stderr=pipe, text=True
        ) as process:
            out, errors = process.communicate()
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)}: status {process.returncode}\n{errors}")
        return out, process.pid


def measure(
    where: Path, names: Iterable[str] = (), jobs: int = 1, unwanted: Iterable[str] = ()
) -> Iterator[Dict[str, Any]]:
    """The figures whose names contain one of `names`, if there are any, and none of `unwanted`.

    Each comes as soon as those before it are there.
    """
    chosen = [
        figure
        for figure in Bench(where).figures()
        if (not names or any(name in figure[0] for name in names))
        and not any(name in figure[0] for name in unwanted)
    ]
    with ThreadPoolExecutor(jobs) as pool:
        # Instructions may be counted side by side; times are measured when nothing else runs.
        futures = [
            None if figure[4] == "milliseconds" else pool.submit(figure[-1]) for figure in chosen
        ]
        try:
            for (name, title, ours, peer, unit, at_most, count), future in zip(chosen, futures):
                if future is None:
                    wait(each for each in futures if each)
                found = future.result() if future else count()
                yield {
                    "name": name,
                    "title": title,
                    "subject": ours,
                    "against": peer,
                    "unit": unit,
                    "at most": at_most,
                    "held": at_most is None or round(found["figure"], 2) <= at_most,
                    **found,
                }
        finally:
            for future in futures:
                if future:
                    future.cancel()  # if one has failed, the others are not waited for


def line(result: Dict[str, Any]) -> str:
    """A result as text."""
    at_most = "" if result["at most"] is None else f"{result['at most']:.4g}"
    verdict = "" if result["at most"] is None else "ok" if result["held"] else "MISSED"
    ours, peer = (f"{result[who]:14,.1f}" for who in ("ours", "peer"))
    return (
        f"{result['name']:36} {result['unit']:12} {ours} {peer} {result['figure']:8.2f} "
        f"{at_most:>6} {verdict}"
    )


HEAD = f"{'':36} {'unit':12} {'ours':>14} {'peer':>14} {'figure':>8} {'most':>6}"


def package_path() -> Path:
    """The folder that holds the package which this interpreter finds, or this checkout's."""
    found = importlib.util.find_spec("coopselectors")
    if found is None or found.origin is None:
        return Path(__file__).resolve().parent.parent
    return Path(found.origin).resolve().parent.parent


def missing_tools() -> List[str]:
    """What would have to be installed."""
    return [tool for tool in ("valgrind", "strace") if shutil.which(tool) is None]


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
    where = (options.package_path or package_path()).resolve()
    if not (where / "coopselectors" / "__init__.py").is_file():
        parser.error(f"there is no package coopselectors in {where}")
    if options.list:
        print(*(f"{name:36} {title}" for name, title, *_ in Bench(where).figures()), sep="\n")
        return 0
    if missing_tools():
        parser.error(f"not installed: {', '.join(missing_tools())}")
    print(HEAD, flush=True)
    results = []
    for result in measure(where, options.names, options.jobs):
        print(line(result), flush=True)
        results.append(result)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    return 0 if all(result["held"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
