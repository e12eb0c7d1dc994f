"""How many workers does one connection wake?  All that share the listening socket, or one.

    python benchmarks/herd.py                  1 to 16 workers, half a minute
    python benchmarks/herd.py --quick          4 workers only, few connections
    python benchmarks/herd.py --json FILE      and write all figures there
    python benchmarks/herd.py --read FILE --page docs    make docs/herd.rst and its plot from them

The herd thunders when each of the processes that wait for one socket is woken by each connection,
and all but one have nothing to do.  EPOLLEXCLUSIVE has the kernel wake one.  All kinds of workers
are up at the same time, and get their connections in turn: what the machine does to one kind, it
does to the others.  Each connection is made when nobody runs.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import re
import select
import socket
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Dict, List, Tuple

import _herd_page
from _report import versions

_WORKERS = Path(__file__).with_name("_herd_workers.py")

#: (runtime, whose selector, way).  The others have no means to ask for an exclusive wake-up.
CASES = (
    ("native", "stdlib", "plain"),
    ("native", "ours", "plain"),
    ("native", "ours", "exclusive"),
    ("gevent-libev", "gevent", "plain"),
    ("gevent-libev", "ours", "plain"),
    ("gevent-libev", "ours", "exclusive"),
)

#: For each worker, the state of each of its threads, and how often that gave up the processor.  All
#: threads count: under gevent, it is not the main one that waits for an exclusive file.
Look = List[List[Tuple[str, str]]]

#: Seconds after which something has gone wrong.
_LIMIT = 20

_STATUS = re.compile(r"^State:\s+(\w).*^voluntary_ctxt_switches:\s+(\d+)", re.MULTILINE | re.DOTALL)


class Herd:
    """The workers of one case."""

    def __init__(self, case: Tuple[str, str, str], number: int) -> None:
        command = [sys.executable, str(_WORKERS), *case, str(number)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.case = case
        self.seconds: List[float] = []
        self.accepted = [0] * number
        #: Context switches, of all workers and of those that did not get the connection.
        self.switches = self.idle_switches = 0

    def __enter__(self) -> Herd:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.stdin.close()  # has the workers end
        with self._process:
            try:
                self._process.wait(_LIMIT)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def settle(self) -> None:
        """Wait until all workers are there, and wait."""
        port, self._workers = json.loads(self._process.stdout.readline())
        self._address = "127.0.0.1", port
        self._counts = self._counts_when_idle()

    def connect(self) -> None:
        """Make one connection, and wait until its last consequence is over."""
        with socket.socket() as client:
            client.settimeout(_LIMIT)
            started = time.perf_counter()
            client.connect(self._address)
            answer = client.recv(1)
            self.seconds.append(time.perf_counter() - started)
        if not answer:
            raise RuntimeError(f"{', '.join(self.case)}: a connection had no answer")
        place = answer[0]
        self.accepted[place] += 1
        before, self._counts = self._counts, self._counts_when_idle()
        switches = [now - then for now, then in zip(self._counts, before)]
        self.switches += sum(switches)
        self.idle_switches += sum(switches) - switches[place]

    def result(self) -> Dict[str, Any]:
        """What has been counted, each for one connection; the workers end."""
        connections = len(self.seconds)
        self._process.stdin.close()
        in_vain = [int(line) for line in self._process.stdout]
        if len(in_vain) != len(self.accepted):
            raise RuntimeError(f"{', '.join(self.case)}: a worker has died")
        return {
            "connections": connections,
            "accepted": self.accepted,
            "in vain": sum(in_vain) / connections,
            "switches": self.switches / connections,
            "idle switches": self.idle_switches / connections,
            "busiest": max(self.accepted) / connections,
            "seconds": statistics.median(self.seconds),
        }

    def _counts_when_idle(self) -> List[int]:
        """Each worker's context switches, once all threads sleep and none ran between two looks."""
        until = time.monotonic() + _LIMIT
        before: Look = []
        while time.monotonic() < until:
            now = self._look()
            if now == before and all(state == "S" for worker in now for state, _ in worker):
                return [sum(int(count) for _, count in worker) for worker in now]
            before = now
            time.sleep(0.001)
        raise RuntimeError(f"{', '.join(self.case)}: no rest after {_LIMIT} s: {before}")

    def _look(self) -> Look:
        found: Look = []
        for pid in self._workers:
            found.append([])
            for thread in os.listdir(f"/proc/{pid}/task"):
                status = Path(f"/proc/{pid}/task/{thread}/status").read_text()
                found[-1].append(_STATUS.search(status).groups())
        return found


def measure(number: int, connections: int) -> List[Dict[str, Any]]:
    """All cases with so many workers."""
    with ExitStack() as stack:
        herds = [stack.enter_context(Herd(case, number)) for case in cases()]
        for herd in herds:
            herd.settle()
        order = random.Random(number)
        for _ in range(connections):
            # Whoever always came soon after its like would find the processor's caches warm.
            for herd in order.sample(herds, len(herds)):
                herd.connect()
        results = [{"case": herd.case, "workers": number, **herd.result()} for herd in herds]
    for result in results:
        runtime = result["case"][0]
        plain = next(other for other in results if other["case"] == (runtime, "ours", "plain"))
        result["ratio"] = result["seconds"] / plain["seconds"]
    return results


def cases() -> List[Tuple[str, str, str]]:
    """Those that are possible here."""
    has_gevent = importlib.util.find_spec("gevent") is not None
    return [case for case in CASES if has_gevent or case[0] == "native"]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python benchmarks/herd.py", description="How many workers does one connection wake?"
    )
    parser.add_argument("--quick", action="store_true", help="4 workers only, few connections")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--read", type=Path, metavar="FILE", help="take them from there instead")
    parser.add_argument(
        "--page", type=Path, metavar="DIR", help="write the page and its plot there"
    )
    options = parser.parse_args()
    figures: Dict[str, Any]
    if options.read:
        figures = json.loads(options.read.read_text())
    elif not hasattr(select, "EPOLLEXCLUSIVE"):
        parser.error("this platform has no EPOLLEXCLUSIVE; it takes Linux 4.5 or later")
    else:
        libraries = ("gevent", "greenlet") if len(cases()) == len(CASES) else ()
        if not libraries:
            print("gevent is not installed, its workers are left out", file=sys.stderr)
        numbers, connections = ((4,), 80) if options.quick else ((1, 2, 4, 8, 16), 200)
        figures = {
            "versions": versions(*libraries),
            "processors": os.cpu_count(),
            "results": [found for number in numbers for found in measure(number, connections)],
        }
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    if options.page:
        _herd_page.write(figures, options.page)
    print(f"{figures['versions']}; {figures['processors']} processors")
    print(_herd_page.text(figures["results"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
