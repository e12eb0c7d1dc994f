"""How long does each piece of work take, ours divided by the peer's?

    python benchmarks/times.py                      all rows, some minutes
    python benchmarks/times.py hop native/life      rows whose names contain one of these
    python benchmarks/times.py --quick              few rounds: a look, not a figure
    python benchmarks/times.py --package-path DIR   of another checkout
    python benchmarks/times.py --json FILE          and write all figures there

Processor time of processes that take turns.  On a machine that does other things besides a ratio
moves by some hundredths: instructions.py tells more.  Ends with 1 if a bound is not held.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from _rows import NOT, RUNTIMES, rows, title_of
from _turns import Work, take_turns
from instructions import package_path

_SIDE_EFFECTS = Path(__file__).with_name("_side_effects.py")

#: Curves of the page: {name: (workload, numbers of files)}
CURVES: Dict[str, Tuple[str, Tuple[int, ...]]] = {
    "one-ready": ("1-of-{}", (1, 10, 100, 1000, 9000)),
    "all-ready": ("{0}-of-{0}", (1, 10, 100, 1000)),
    "hop": ("hop-{}", (1, 10, 100, 1000)),
}
#: eventlet's selector takes milliseconds for some hundred files.
_BEARABLE = 100


class _SideEffect(NamedTuple):
    """A figure of _side_effects.py."""

    runtime: str
    what: str
    figure: str
    title: str
    peer: str
    at_most: Optional[float]


def _side_effects() -> Iterator[_SideEffect]:
    for runtime in RUNTIMES[1:]:
        for what, title in (("ticker-hop", "others hop"), ("ticker-poll", "another polls")):
            for figure in ("median", "99 of 100", "longest"):
                # The hub's own selector gives way each time, and a median has no room below that.
                limit = None if figure == "median" or runtime == "eventlet" else 1.0
                text = f"delay of a 1 ms ticker while {title}, {figure}"
                yield _SideEffect(runtime, what, figure, text, "hub", limit)
    for runtime in RUNTIMES[1:]:
        text = "memory for each of 6000 greenlets that wait"
        yield _SideEffect(runtime, "memory", "bytes", text, "hub", 1.0)
    for runtime, peer, limit in (("native", "standard", 1.3), ("gevent-libev", "hub", 0.7)):
        text = "memory for each idle file"
        yield _SideEffect(runtime, "memory-idle", "bytes", text, peer, limit)
    text = "memory for each file that has been ready"
    yield _SideEffect("native", "memory-ready", "bytes", text, "standard", None)


def _rounds(quick: bool) -> Tuple[int, float]:
    """Number of rounds, and seconds of each turn."""
    return (5, 0.005) if quick else (31, 0.02)


def measure_rows(where: Path, names: Iterable[str], quick: bool) -> Iterator[Dict[str, Any]]:
    """The rows of times, as they come."""
    for row in rows():
        if row.time == NOT or (names and not any(name in row.name for name in names)):
            continue
        ours, peer = row.works()
        found = take_turns({"ours": ours, "peer": peer}, where, *_rounds(quick))
        ratio = found["peer"]["processor ratio"]
        yield {
            "name": row.name,
            "title": row.title,
            "against": row.against(),
            "unit": "microseconds",
            "ours": 1e6 * found["ours"]["processor"],
            "peer": 1e6 * found["peer"]["processor"],
            "figure": ratio,
            "clock": found["peer"]["clock ratio"],
            "at most": row.time,
            "held": row.time is None or round(ratio, 2) <= row.time,
        }


def measure_others(where: Path, names: Iterable[str], quick: bool) -> Iterator[Dict[str, Any]]:
    """What waiting costs others: a ticker's delays and memory."""
    known: Dict[Any, List[Dict[str, float]]] = {}
    for runtime, what, figure, title, peer, limit in _side_effects():
        name = f"{runtime}/{what}"
        if names and not any(each in name for each in names):
            continue
        key = (what, runtime, peer)
        if key not in known:
            known[key] = _alternate(where, runtime, what, peer, quick)
        ours, theirs = ([found[figure] for found in series] for series in known[key])
        # No ticker is late by less than a microsecond.
        ratio = statistics.median(ours) / max(1e-6, statistics.median(theirs))
        is_ticker = what.startswith("ticker")
        yield {
            "name": f"{name}-{figure.split()[0]}" if is_ticker else name,
            "title": title,
            "against": title_of(runtime, peer),
            "unit": "milliseconds" if is_ticker else "bytes",
            "ours": statistics.median(ours) * (1e3 if is_ticker else 1),
            "peer": statistics.median(theirs) * (1e3 if is_ticker else 1),
            "figure": ratio,
            "at most": limit,
            "held": limit is None or round(ratio, 2) <= limit,
        }


def _alternate(where: Path, runtime: str, what: str, peer: str, quick: bool) -> Any:
    """The figures of each round, (ours, the peer's)."""
    found: Tuple[List[Any], List[Any]] = ([], [])
    rounds = 3 if quick or what.startswith("memory") else 11
    for _ in range(rounds):
        for series, subject in zip(found, ("ours", peer)):
            done = subprocess.run(
                [sys.executable, str(_SIDE_EFFECTS), runtime, what, subject],
                env={**os.environ, "PYTHONPATH": str(where)},
                stdout=subprocess.PIPE,
                check=True,
            )
            series.append(json.loads(done.stdout))
    return found


def measure_curves(where: Path, quick: bool) -> Dict[str, Any]:
    """{curve: {runtime: {selector: [[files, seconds], ...]}}}"""
    found: Dict[str, Any] = {}
    rounds, seconds = _rounds(quick)
    for curve, (workload, numbers) in CURVES.items():
        for runtime in RUNTIMES:
            if curve == "hop" and runtime == "native":
                continue
            lines: Dict[str, List[Any]] = {}
            found.setdefault(curve, {})[runtime] = lines
            for number in numbers:
                work = workload.format(number)
                works = {"ours": "ours"}
                if runtime != "eventlet" or number <= _BEARABLE:
                    works.update({"hub": "hub"} if runtime != "native" else {})
                if curve != "hop":
                    works["standard"] = "standard"
                took = take_turns(
                    {name: Work(runtime, work, subject) for name, subject in works.items()},
                    where,
                    max(3, rounds // 3),
                    seconds,
                )
                for name, figures in took.items():
                    lines.setdefault(name, []).append([number, figures["processor"]])
            print(f"curve {curve}, {runtime}", file=sys.stderr, flush=True)
    return found


def line(result: Dict[str, Any]) -> str:
    """A result as text."""
    at_most = "" if result["at most"] is None else f"{result['at most']:.4g}"
    verdict = "" if result["at most"] is None else "ok" if result["held"] else "MISSED"
    ours, peer = (f"{result[who]:12,.2f}" for who in ("ours", "peer"))
    clock = f"{result['clock']:8.3f}" if "clock" in result else " " * 8
    return (
        f"{result['name']:40} {result['unit']:12} {ours} {peer} {result['figure']:8.3f} {clock} "
        f"{at_most:>6} {verdict}"
    )


HEAD = (
    f"{'':40} {'unit':12} {'ours':>12} {'peer':>12} {'ratio':>8} {'by clock':>8} {'most':>6}"
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python benchmarks/times.py", description="How long does it take?"
    )
    parser.add_argument("names", nargs="*", help="rows whose names contain one of these")
    parser.add_argument("--quick", action="store_true", help="few rounds")
    parser.add_argument("--package-path", type=Path, metavar="DIR", help="where the package is")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parser.parse_args()
    where = (options.package_path or package_path()).resolve()
    print(HEAD, flush=True)
    results = []
    for measure in (measure_rows, measure_others):
        for result in measure(where, options.names, options.quick):
            print(line(result), flush=True)
            results.append(result)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    return 0 if all(result["held"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
