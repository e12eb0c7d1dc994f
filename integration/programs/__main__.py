"""Do the programs that people run let the other greenlets run?  Each, with ours and without.

    python integration/programs                           run everything, print the table
    python integration/programs --ours                    the quick rows, only with coopselectors
    python integration/programs psycopg_wait              one program
    python integration/programs --page docs/programs.rst  make that page anew

Ends with 1 if a program does not work with ours.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # for common.py

import overlays
import page
import runs
from runs import KINDS, ORDERS, RUNTIMES, Row
from servers import Servers


def main() -> int:
    programs = runs.programs()
    names = [each.name for each in programs]
    parser = argparse.ArgumentParser(
        prog="python integration/programs",
        description="Do the programs that people run let the other greenlets run?",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    parser.add_argument("--runtime", choices=RUNTIMES, help="only this one")
    parser.add_argument("--order", choices=ORDERS, help="only this one")
    parser.add_argument("--kind", choices=KINDS, help="only this one")
    parser.add_argument(
        "--ours",
        action="store_true",
        help="the quick rows: imported first, with the least that has to make the program work",
    )
    parser.add_argument("--page", metavar="FILE", type=Path, help="write the page to this file")
    parser.add_argument("--jobs", type=int, default=3, help="interpreters at a time (default: 3)")
    options = parser.parse_args()
    limited = options.names or options.runtime or options.order or options.kind or options.ours
    if options.page and limited:
        parser.error("--page needs everything: leave out the names and what else limits it")
    if unknown := {*options.names} - {*names}:
        parser.error(f"no such program: {', '.join(sorted(unknown))}")

    started = time.monotonic()
    programs = [each for each in programs if not options.names or each.name in options.names]
    if options.ours and not options.names:
        programs = [each for each in programs if not each.slow]
    runtimes = [options.runtime] if options.runtime else RUNTIMES
    orders = [options.order] if options.order else ORDERS[1:] if options.ours else ORDERS
    rows = [
        Row(program, runtime, order)
        for program in programs
        for runtime in runtimes
        if program.only in ("", runtime)
        for order in orders
    ]
    if options.ours:
        rows = [row for row in rows if not row.known]
    print(page.versions(programs), flush=True)
    with Runs(programs, options.jobs) as all_of_them:
        kinds = [kind for kind in KINDS if kind != "run" or all_of_them.can_run_others]
        if options.kind:
            kinds = [options.kind]
        all_of_them.run(rows, tuple(kinds), least=options.ours)
        print(f"\n{page.summary(rows, tuple(kinds))}\n{time.monotonic() - started:.0f} s")
        if options.page:
            text = page.render(programs, rows, all_of_them.versions, all_of_them.overlays)
            options.page.write_text(text, encoding="utf-8")
    bad = [(row, cell) for row in rows for cell in row.bad]
    again = [(row, cell) for row in rows for cell in row.cells.values() if cell.again]
    for row, cell in [*again, *bad]:
        print(f"\n{row.program.name}, {row.runtime}, {row.order}: {cell.text}\n{cell.complaint}")
    return 1 if bad else 0


class Runs(ExitStack):
    """The servers and folders that the programs need, and the interpreters; leaving ends them."""

    def __init__(self, programs: list[runs.Program], jobs: int) -> None:
        super().__init__()
        place = Path(self.enter_context(tempfile.TemporaryDirectory(prefix="programs-")))
        self.overlays = overlays.install((each.overlay for each in programs), place)
        modules = [each.hidden.values() for each in programs]
        self._hides = overlays.hide(
            (name for each in modules for names in each for name in names), place
        )
        self.can_run_others = runs.can_run_others()
        servers = self.enter_context(Servers())
        said = servers.start({each.server for each in programs} - {""})
        lines = {name: line.partition("\t") for name, line in said.items()}
        self.addresses = {"": ""} | {name: line[0] for name, line in lines.items()}
        self.versions = {name: line[2] for name, line in lines.items()}
        self._pool = self.enter_context(ThreadPoolExecutor(jobs))
        self.callback(self._pool.shutdown, wait=False, cancel_futures=True)

    def run(self, rows: list[Row], kinds: tuple[str, ...], *, least: bool) -> None:
        """Run each program in each place, and tell of each when it is known."""
        pending = []
        for row in rows:
            chosen = [row.program.kind] if least else kinds
            pending.append({kind: self._submit(row, kind) for kind in chosen})
        print(page.line("", "program", "runtime", "order", " | ".join(kinds)))
        for number, (row, futures) in enumerate(zip(rows, pending), 1):
            row.cells = {kind: future.result() for kind, future in futures.items()}
            texts = " | ".join(cell.text for cell in row.cells.values())
            texts += f" (known: {row.known})" if row.known else ""
            count = f"{number}/{len(rows)}"
            print(page.line(count, row.program.name, row.runtime, row.order, texts), flush=True)

    def _submit(self, row: Row, kind: str):
        address = self.addresses[row.program.server]
        overlay = self.overlays[row.program.overlay]
        return self._pool.submit(runs.judge, row, kind, address, overlay, self._hides)


if __name__ == "__main__":
    sys.exit(main())
