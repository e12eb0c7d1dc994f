"""``python -m coopselectors``: see with one command that it works here.

For the ordinary process, for each loop of gevent that is installed and for eventlet, a fresh
interpreter makes its selector *before* it patches, and then serves a few hundred TCP clients while
a ticker measures how long it is kept waiting.  Ends with 0 if every runtime that is there served
all of them, byte for byte, and blocked nobody; else with 1.

``python -m coopselectors info`` prints what `coopselectors.info` says.  ``python -m coopselectors
audit -m PACKAGE``, or ``audit SCRIPT``, prints what `coopselectors.audit` finds after that import.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import traceback
from dataclasses import asdict
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, List, Optional, Sequence, Tuple

from ._audit import audit
from ._info import info
from ._runtime import current_runtime

if TYPE_CHECKING:
    from ._check import Row

_HEADINGS = ("runtime", "selector", "clients", "echoed, checked", "ticker held up", "verdict")


def main(arguments: Optional[Sequence[str]] = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] in _COMMANDS:
        return _COMMANDS[arguments[0]](arguments[1:])
    # It imports all sorts of things, which `audit` would find.
    from ._check import RUNTIMES, check

    parser = argparse.ArgumentParser(
        prog="python -m coopselectors",
        description="Serve real clients in each runtime at hand; see whether anybody is blocked.",
        epilog="Other commands, each with its own --help: info, how selectors wait here, and why; "
        "audit, what in a program would block a hub.",
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
        choice = f"choose from {', '.join(RUNTIMES)}, or a command: {', '.join(_COMMANDS)}"
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


def _print_info(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m coopselectors info", description="How do selectors wait here, and why?"
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    options = parser.parse_args(arguments)
    found = info()
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    for name, value in found.items():
        if isinstance(value, dict):
            lines = [f"{key}: {each or 'not installed'}" for key, each in value.items()]
        else:
            lines = value if isinstance(value, list) else [str(value)]
        print(f"{name.replace('_', ' ')}:", *lines, sep="\n    ")
    return 0


#: {library: where its patch is, and what it is called}
_PATCHES = {"gevent": ("gevent.monkey", "patch_all"), "eventlet": ("eventlet", "monkey_patch")}


def _audit(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m coopselectors audit",
        description="Import a program, not as __main__, and say what in it would block a hub.  "
        "Ends with 0 if there is nothing, with 1 if there is, and with 2 if it cannot be imported.",
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.add_argument("--patch", choices=_PATCHES, help="patch all before the import")
    parser.add_argument("-m", dest="module", metavar="PACKAGE", help="what to import")
    parser.add_argument("script", nargs="?", help="or the file to import, not as __main__")
    options = parser.parse_args(arguments)
    if (options.module is None) == (options.script is None):
        parser.error("one of them: -m PACKAGE, or a script")
    try:
        if options.patch:
            library, function = _PATCHES[options.patch]
            getattr(importlib.import_module(library), function)()
        imported = _import(options.module, options.script)
    except BaseException as error:  # a program may do anything, such as sys.exit()
        reason = traceback.format_exception_only(type(error), error)[-1].strip()
        print(f"cannot import {options.module or options.script}: {reason}", file=sys.stderr)
        return 2
    found = audit()
    rows = [{"where": each.where, "what": each.what, "advice": each.advice} for each in found]
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        for each in found:
            print(each)
        runtime = current_runtime()
        patched = "nothing is patched" if runtime == "native" else f"{runtime} has patched select"
        print(f"{imported.__name__}: {len(found) or 'nothing'} would block a hub ({patched})")
    return 1 if found else 0


def _import(module: Optional[str], script: Optional[str]) -> ModuleType:
    if script is None:
        sys.path.insert(0, "")  # as `python -m` does
        return importlib.import_module(str(module))
    path = Path(script)
    sys.path.insert(0, str(path.parent))
    sys.argv[:] = [script]
    loader = SourceFileLoader(path.stem, script)
    made = ModuleType(path.stem)
    made.__file__ = script
    sys.modules[path.stem] = made
    loader.exec_module(made)
    return made


_COMMANDS = {"info": _print_info, "audit": _audit}


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


if __name__ == "__main__":
    sys.exit(main())
