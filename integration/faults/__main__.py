"""What breaks selectors under greenlet hubs?  Each fault, tried on each selector.

    python integration/faults                           run everything, print the table
    python integration/faults --ours                    only ours: what continuous integration runs
    python integration/faults --write docs/faults.rst   make that page anew

Ends with 1 if any cell of ours is not fine.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # for common.py

import page
from runs import SCENARIOS, Cell, Fault, judge, read
from scenarios._support import OURS, PEERS

# In the order of the page.
NAMES = (
    "closed_before_first_select",
    "ready_and_nobody_selects",
    "data_that_was_drained",
    "hundred_ready_files",
    "two_ready_files",
    "second_waiter",
    "used_in_another_thread",
    "sleep_after_select",
    "refused_file_and_its_number",
    "saved_before_the_patch",
    "every_class",
    "forked_child",
    "many_selectors_on_one_pipe",
    "ready_file_unregistered",
    "registered_during_select",
    "number_reused_during_select",
    "selector_closed_during_select",
    "waiter_killed",
    "duplicate_outlives_its_original",
    "failed_register",
    "dropped_without_close",
    "descriptor_zero",
    "idle_files",
    "everything_closed",
    "thread_of_a_c_library",
)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python integration/faults",
        description="What breaks selectors under greenlet hubs?  Each fault, on each selector.",
    )
    parser.add_argument("--ours", action="store_true", help="only coopselectors")
    parser.add_argument("--write", metavar="PAGE", type=Path, help="write the page to this file")
    parser.add_argument("-k", metavar="TEXT", default="", help="only faults with this in the name")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (default: 2)")
    options = parser.parse_args()
    if options.write and (options.ours or options.k):
        parser.error("--write needs everything: leave out --ours and -k")
    unlisted = {path.stem for path in SCENARIOS.glob("[!_]*.py")} ^ set(NAMES)
    if unlisted:
        parser.error(f"listed here and not a script, or the other way: {', '.join(unlisted)}")

    faults = [read(name) for name in NAMES if options.k in name]
    if not faults:
        parser.error(f"no fault has {options.k!r} in its name")
    kinds = OURS if options.ours else PEERS + OURS
    started = time.monotonic()
    print(page.versions(), flush=True)
    rows = run_all(faults, kinds, options.jobs)
    print(f"\n{table(rows, kinds)}\n\n{time.monotonic() - started:.0f} s")
    if options.write:
        options.write.write_text(page.render(rows), encoding="utf-8")
    bad = [
        (fault, kind, cells[kind])
        for fault, cells in rows
        for kind in kinds
        if kind in OURS and not cells[kind].good
    ]
    for fault, kind, cell in bad:
        print(f"\n{fault.name}, {kind}: {cell.text}\n{cell.complaint}")
    return 1 if bad else 0


def run_all(
    faults: list[Fault], kinds: tuple[str, ...], jobs: int
) -> list[tuple[Fault, dict[str, Cell]]]:
    """Try every fault on every kind, and tell of each when it is known."""
    rows: list[tuple[Fault, dict[str, Cell]]] = []
    with ThreadPoolExecutor(jobs) as pool, ExitStack() as interrupted:
        interrupted.callback(pool.shutdown, wait=False, cancel_futures=True)
        futures = [
            (fault, {kind: pool.submit(judge, fault, kind) for kind in kinds}) for fault in faults
        ]
        for fault, pending in futures:
            print(f"\n{fault.title} ({fault.name})", flush=True)
            cells = {}
            for kind, future in pending.items():
                cells[kind] = future.result()
                print(f"    {kind:18} {cells[kind].text}", flush=True)
            rows.append((fault, cells))
    return rows


def table(rows: list[tuple[Fault, dict[str, Cell]]], kinds: tuple[str, ...]) -> str:
    """All at a glance, each cell by its one word."""
    lines = [("", *kinds)]
    lines += [(fault.name, *(cells[kind].word for kind in kinds)) for fault, cells in rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


if __name__ == "__main__":
    sys.exit(main())
