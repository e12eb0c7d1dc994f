"""Do the programs that people run let the other greenlets run?  Each, with ours and without.

    python integration/programs                           run everything, print the table
    python integration/programs psycopg_wait --ours       one program, only with coopselectors
    python integration/programs --page docs/programs.rst  make that page anew

Ends with 1 if a program does not work with ours.
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
from runs import KINDS, ORDERS, RUNTIMES, SCENARIOS, Cell, Row, judge, read
from servers import Servers

# In the order of the page.
NAMES = (
    "gunicorn_flask",
    "gevent_pywsgi",
    "cheroot_wsgi",
    "werkzeug_server",
    "requests_pool",
    "urllib3_pool",
    "kafka_consumer",
    "websocket_client",
    "psycopg_wait",
    "subprocess_communicate",
    "socketserver_tcp",
    "http_server",
    "multiprocessing_wait",
    "aiohttp_in_greenlet",
    "asyncio_in_greenlet",
    "pyftpdlib_server",
    "rpyc_server",
    "pexpect_spawn",
    "pika_select",
    "pika_blocking",
    "clustershell_task",
    "urllib3_wait",
)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python integration/programs",
        description="Do the programs that people run let the other greenlets run?",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--runtime", choices=RUNTIMES, help="only this one")
    parser.add_argument("--ours", action="store_true", help="only with coopselectors")
    parser.add_argument("--page", metavar="FILE", type=Path, help="write the page to this file")
    parser.add_argument("--jobs", type=int, default=3, help="interpreters at a time (default: 3)")
    options = parser.parse_args()
    if options.page and (options.names or options.runtime or options.ours):
        parser.error("--page needs everything: leave out the names, --runtime and --ours")
    unknown = {*options.names} - {*NAMES}
    unknown = unknown or {path.stem for path in SCENARIOS.glob("[!_]*.py")} ^ {*NAMES}
    if unknown:
        parser.error(f"no such program, or one that is not listed here: {', '.join(unknown)}")

    started = time.monotonic()
    programs = [read(name) for name in NAMES if not options.names or name in options.names]
    runtimes = [options.runtime] if options.runtime else RUNTIMES
    rows = [Row(program, *where) for program in programs for where in places(runtimes)]
    print(page.versions(programs), flush=True)
    run_all(rows, KINDS[:1] if options.ours else KINDS, options.jobs)
    print(f"\n{time.monotonic() - started:.0f} s")
    if options.page:
        options.page.write_text(page.render(programs, rows), encoding="utf-8")
    bad = [row for row in rows if not row.cells["ours"].good]
    for row in bad:
        cell = row.cells["ours"]
        print(f"\n{row.program.name}, {row.runtime}, {row.order}: {cell.text}\n{cell.complaint}")
    return 1 if bad else 0


def places(runtimes) -> list[tuple[str, str]]:
    return [(runtime, order) for runtime in runtimes for order in ORDERS]


def run_all(rows: list[Row], kinds: tuple[str, ...], jobs: int) -> None:
    """Run each program in each place, and tell of each when it is known."""
    with Servers() as servers, ThreadPoolExecutor(jobs) as pool, ExitStack() as interrupted:
        interrupted.callback(pool.shutdown, wait=False, cancel_futures=True)
        addresses = servers.start({row.program.server for row in rows} - {""}) | {"": ""}
        pending = [
            {kind: pool.submit(judge, row, kind, addresses[row.program.server]) for kind in kinds}
            for row in rows
        ]
        print(page.line("program", "runtime", "order", *kinds))
        for row, futures in zip(rows, pending):
            row.cells = {kind: future.result() for kind, future in futures.items()}
            texts = [row.cells.get(kind, Cell("")).text for kind in kinds]
            print(page.line(row.program.name, row.runtime, row.order, *texts), flush=True)


if __name__ == "__main__":
    sys.exit(main())
