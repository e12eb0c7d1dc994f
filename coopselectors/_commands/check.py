"""``python -m coopselectors``: see with one command that it works here."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import List, Sequence, Tuple

from .._check import RUNTIMES, Row, check
from .._watchdog import LONGEST
from ._terminal import Output, parser_of

#: The other commands.
COMMANDS = ("info", "audit", "run")

_DESCRIPTION = """
See whether coopselectors works on this machine.  In each runtime, a server
serves a few hundred clients, and every answer is checked.  Meanwhile another
greenlet, or thread, shows whether anything blocks it.
"""

_EPILOG = """
commands:
  info    print how selectors wait here, and why
  audit   find what in a program would block a hub
  run     run a program with coopselectors in place of the standard selectors

Each command has its own --help.  The exit status is 0 if every installed
runtime served all clients and blocked nothing, and 1 otherwise.
"""

_HEADINGS = ("runtime", "selector", "echoed", "longest delay", "verdict")


def main(arguments: Sequence[str]) -> int:
    parser = parser_of("", "[OPTION ...] [RUNTIME ...]\nCOMMAND ...", _DESCRIPTION, _EPILOG)
    parser.add_argument(
        "runtimes",
        nargs="*",
        metavar="RUNTIME",
        help="native, gevent-libev, gevent-libuv or eventlet (default: all)",
    )
    parser.add_argument(
        "--clients",
        type=_positive,
        default=300,
        metavar="N",
        help="clients (default: 300)",
    )
    parser.add_argument(
        "--messages",
        type=_positive,
        default=20,
        metavar="N",
        help="messages of each client (default: 20)",
    )
    parser.add_argument(
        "--limit",
        type=_seconds,
        default=120.0,
        metavar="SECONDS",
        help="time for each runtime (default: 120)",
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
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
    output = Output("stdout")
    bad = [row.runtime for row in rows if not row.good]
    if options.json:
        output.print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        output.print(_table([row for row in rows if row.verdict != "not installed"]))
        for row in rows:
            if row.detail:
                output.print(f"\n{row.runtime}: {row.verdict}: {row.detail}")
        output.print("")
        if bad:
            output.print(f"Something is wrong with: {', '.join(bad)}.", "red")
        else:
            output.print("Every client was served, and nothing was blocked.", "green")
        for library in sorted({RUNTIMES[row.runtime] for row in rows if not row.version} - {""}):
            output.print(
                f"\nTo have {library} too: python -m pip install 'coopselectors[{library}]'"
            )
    return 1 if bad else 0


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most {LONGEST} seconds")
    return seconds


class _Progress:
    """What is going on, on the error stream: a line that counts up, or just a line."""

    def __init__(self, runtime: str) -> None:
        self._label = runtime
        self._errors = Output("stderr")
        self._errors.print(f"{runtime} ...", end="")

    def __call__(self, percent: int) -> None:
        if self._errors.is_a_terminal:
            self._errors.print(f"\r{self._label} ... {percent} %", end="")

    def end(self, verdict: str) -> None:
        self._errors.print(f" {verdict}")


def _table(rows: Sequence[Row]) -> str:
    cells: List[Tuple[str, ...]] = [_HEADINGS]
    for row in rows:
        loop = row.runtime.partition("-")[2]
        cells.append(
            (
                f"{row.version or row.runtime}{f' ({loop})' if loop else ''}",
                row.selector,
                f"{row.echoed - row.corrupted} of {row.expected}",
                f"{row.held_up * 1e3:.1f} ms",
                row.verdict,
            )
        )
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)
