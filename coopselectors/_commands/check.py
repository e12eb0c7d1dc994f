"""``python -m coopselectors``: see with one command that it works here."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import List, Sequence, Tuple

from .._check import RUNTIMES, Row, check

#: The other commands.
COMMANDS = ("info", "audit", "run")

_HEADINGS = ("runtime", "selector", "clients", "echoed, checked", "ticker held up", "verdict")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m coopselectors",
        description="Serve real clients in each runtime at hand; see whether anybody is blocked.",
        epilog="Other commands, each with its own --help: info, how selectors wait here, and why; "
        "audit, what in a program would block a hub; run, any program with install() done first.",
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument("--clients", type=_positive, default=300, help="how many (default: 300)")
    parser.add_argument(
        "--messages", type=_positive, default=20, help="of each client (default: 20)"
    )
    parser.add_argument(
        "--limit", type=float, default=120.0, help="seconds for each runtime (default: 120)"
    )
    parser.add_argument("runtimes", nargs="*", metavar="RUNTIME", help=", ".join(RUNTIMES))
    options = parser.parse_args(arguments)
    unknown = set(options.runtimes) - set(RUNTIMES)
    if unknown:
        choice = f"choose from {', '.join(RUNTIMES)}, or a command: {', '.join(COMMANDS)}"
        parser.error(f"unknown runtime {min(unknown)!r}: {choice}")

    rows: List[Row] = []
    for runtime in options.runtimes or RUNTIMES:
        progress = _Progress(runtime)
        row = check(runtime, options.clients, options.messages, options.limit, progress)
        progress.end(row.verdict)
        rows.append(row)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print(_table([row for row in rows if row.verdict != "not installed"]))
        for row in rows:
            if row.detail:
                print(f"\n{row.runtime}: {row.verdict}: {row.detail}")
        for library in sorted({RUNTIMES[row.runtime] for row in rows if not row.version} - {""}):
            print(f"\nTo have {library} too: python -m pip install 'coopselectors[{library}]'")
    return 0 if all(row.good for row in rows) else 1


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


class _Progress:
    """What is going on, on the error stream: a line that counts up, or just a line."""

    def __init__(self, runtime: str) -> None:
        self._label = runtime
        self._live = sys.stderr.isatty()
        print(f"{runtime} ...", end="", file=sys.stderr, flush=True)

    def __call__(self, percent: int) -> None:
        if self._live:
            print(f"\r{self._label} ... {percent} %", end="", file=sys.stderr, flush=True)

    def end(self, verdict: str) -> None:
        print(f" {verdict}", file=sys.stderr, flush=True)


def _table(rows: Sequence[Row]) -> str:
    cells: List[Tuple[str, ...]] = [_HEADINGS]
    for row in rows:
        loop = row.runtime.partition("-")[2]
        cells.append(
            (
                f"{row.version or row.runtime}{f' ({loop})' if loop else ''}",
                row.selector,
                str(row.clients),
                f"{row.echoed - row.corrupted} of {row.expected}",
                f"{row.held_up * 1e3:.1f} ms at most",
                row.verdict,
            )
        )
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)
