"""Does each workload of the benchmarks still run, and can its figures be compared?"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import runtimes

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"

pytestmark = [
    pytest.mark.once,
    pytest.mark.epoll,
    pytest.mark.skipif(sys.platform != "linux", reason="they are measured on Linux"),
    pytest.mark.skipif(not BENCHMARKS.is_dir(), reason=f"there is no {BENCHMARKS}"),
]


def _rows():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import _rows
    finally:
        sys.path.remove(str(BENCHMARKS))
    return _rows.rows()


#: Where a fresh interpreter finds the workloads, and what this one finds.
PATH = os.pathsep.join([str(BENCHMARKS), *sys.path])
ROWS = _rows() if BENCHMARKS.is_dir() else []
WORKS = list(dict.fromkeys(work for row in ROWS for work in row.works()))


#: Runs the workloads that follow as WORKLOAD SUBJECT, each in a child that is forked for it.
ALL_IN_ONE = """
import os, sys
import coopselectors
from workloads import WORKLOADS, subjects
runtime, *works = sys.argv[1:]
if runtime != "native":
    import gevent.monkey  # once for all; it patches nothing yet
for workload, subject in zip(works[::2], works[1::2]):
    pid = os.fork()
    if pid == 0:
        hub, kind = subjects(runtime, subject)
        WORKLOADS[workload](hub, kind)(2)
        os._exit(0)
    if os.waitpid(pid, 0)[1]:
        raise SystemExit(f"{workload} {subject} failed")
    print(workload, subject)
"""


def _run(*arguments, **options):
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        **options,
    )
    assert done.returncode == 0, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("hub", ["native", "gevent-libev"])
def test_every_workload_runs(hub):
    lack = runtimes.missing(hub)
    if lack:
        pytest.skip(lack)
    has_urllib3 = importlib.util.find_spec("urllib3") is not None
    works = [
        f"{work.workload} {work.subject}"
        for work in WORKS
        if work.runtime == hub
        and (has_urllib3 or work.workload != "urllib3")
        and (hub == "native" or "hop" in work.workload)  # the others run natively
    ]
    assert len(works) > 10
    words = " ".join(works).split()
    done = _run("-c", ALL_IN_ONE, hub, *words, env={**os.environ, "PYTHONPATH": PATH})
    assert done.splitlines() == works


def test_a_process_that_takes_turns_says_how_long_each_took():
    command = [str(BENCHMARKS / "workloads.py"), "native", "life", "ours", "turns"]
    lines = _run(*command, input="10\n1000\n").splitlines()
    assert lines[0] == "ready"
    (few, _), (many, _) = (map(float, line.split()) for line in lines[1:])
    assert many > 5 * few > 0


def test_no_two_rows_have_one_name():
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names) > 50
