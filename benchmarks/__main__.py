"""How fast is it?  Against the standard module, gevent, eventlet and the bare system call.

    python benchmarks                        all runtimes, three minutes
    python benchmarks --quick                the same with few rounds: a look, not a figure
    python benchmarks --json FILE            and write all figures there
    python benchmarks --read FILE --page docs/speed.rst    make the page and its plots from them

Each runtime is measured in an interpreter of its own; whatever is compared, is so within it, in
turn.  Ends with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import _page
from _report import versions
from _targets import rows

RUNTIMES = ("native", "gevent-libev", "gevent-libuv", "eventlet")
LIBRARIES = ("gevent", "eventlet", "greenlet")
_MEASURE = Path(__file__).with_name("measure.py")


def measure(runtime: str, quick: bool) -> Any:
    """All figures of one runtime."""
    command = [sys.executable, str(_MEASURE), runtime, *["--quick"] * quick]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python benchmarks", description="How fast is it?")
    parser.add_argument("--quick", action="store_true", help="few rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--read", type=Path, metavar="FILE", help="take them from there instead")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the page, plots beside it")
    parser.add_argument("runtimes", nargs="*", metavar="RUNTIME", help=", ".join(RUNTIMES))
    options = parser.parse_args()
    figures: Dict[str, Any]
    if options.read:
        figures = json.loads(options.read.read_text())
    else:
        names = options.runtimes or RUNTIMES
        results = {name: measure(name, options.quick) for name in names}
        figures = {"versions": versions(*LIBRARIES), "runtimes": results}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    if options.page:
        _page.write(figures, options.page)
    table = rows(figures["runtimes"])
    print(figures["versions"])
    for row in table:
        if row.measured is not None:
            verdict = "  MISSED" if row.missed else ""
            work, against, at_most, runtime, _ = row.target
            print(
                f"{work:34} {against:21} {runtime:13} {at_most:6.3g} {row.measured:8.3g}{verdict}"
            )
    return 1 if any(row.missed for row in table) else 0


if __name__ == "__main__":
    sys.exit(main())
