"""How fast is it?  Measures all there is, and makes docs/speed.rst and its plots of it.

    python benchmarks                   all figures, then the page: half an hour
    python benchmarks --quick           few rounds, and no programs counted: a look, not a figure
    python benchmarks --read FILE       make the page from figures that are there already
    python benchmarks --into DIR        put the page, its plots and speed.json there

instructions.py and times.py measure, and show single rows; this puts them together.  Ends with 1
if a bound is not held.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List

import _page
import instructions
import times
from _report import versions

LIBRARIES = ("gevent", "eventlet", "greenlet")
_ROOT = Path(__file__).resolve().parent.parent


def measure(where: Path, quick: bool) -> Dict[str, Any]:
    """All figures of the package in this folder."""
    found: Dict[str, Any] = {"versions": versions(*LIBRARIES), "processors": os.cpu_count()}
    print(found["versions"], instructions.HEAD, sep="\n", flush=True)
    found["instructions"] = []
    if instructions.missing_tools():
        print(f"not counted, not installed: {', '.join(instructions.missing_tools())}")
    else:
        # What takes seconds in an interpreter that is slowed down fifty times.
        unwanted = ("/program-", "gevent-libuv/", "eventlet/") if quick else ()
        counted = instructions.measure(where, jobs=os.cpu_count() or 1, unwanted=unwanted)
        found["instructions"] = _shown(counted, instructions.line)
    print(times.HEAD, flush=True)
    found["times"] = _shown(times.measure_rows(where, (), quick), times.line)
    found["others"] = _shown(times.measure_others(where, (), quick), times.line)
    found["curves"] = times.measure_curves(where, quick)
    return found


def _shown(results: Iterable[Dict[str, Any]], line: Any) -> List[Dict[str, Any]]:
    def each() -> Iterator[Dict[str, Any]]:
        for result in results:
            print(line(result), flush=True)
            yield result

    return list(each())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python benchmarks", description="How fast is it?")
    parser.add_argument("--quick", action="store_true", help="few rounds")
    parser.add_argument("--package-path", type=Path, metavar="DIR", help="where the package is")
    parser.add_argument("--read", type=Path, metavar="FILE", help="take the figures from there")
    parser.add_argument(
        "--into", type=Path, metavar="DIR", help="where the page goes: docs, or build if --quick"
    )
    options = parser.parse_args()
    into = options.into or _ROOT / ("build/speed" if options.quick else "docs")
    if options.read:
        figures = json.loads(options.read.read_text())
    else:
        where = (options.package_path or instructions.package_path()).resolve()
        figures = measure(where, options.quick)
    into.mkdir(parents=True, exist_ok=True)
    (into / "speed.json").write_text(json.dumps(figures, indent=1) + "\n")
    _page.write(figures, into)
    print(f"The page is {into / 'speed.rst'}")
    missed = [
        result["name"]
        for part in ("instructions", "times", "others")
        for result in figures[part]
        if not result["held"]
    ]
    print(f"missed: {', '.join(missed) or 'none'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
