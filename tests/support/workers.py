"""How does one test session run tests in several runtimes?

Patching cannot be undone, so each runtime has an interpreter of its own: a worker, which is a
pytest session over the same tests that runs what it is told to.  The main session sends it the
ids of the tests that belong to it, one by one, and shows the reports that come back as its own.
A worker that dies or hangs fails the test that it was at, and the next test gets a new one.

Tests that look through the whole process have a worker that knows their own file only: to look
through the several thousand tests of the main session takes half of all the time.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from typing import Any, Iterator

import pytest

from . import standins
from .runtimes import BACKENDS, RUNTIMES

_OWN_RUNTIME = "COOPSELECTORS_TEST_RUNTIME"

#: The runtime of this very process.
OWN = os.environ.get(_OWN_RUNTIME, "native")

_wanted = os.environ.get("COOPSELECTORS_TEST_RUNTIMES")

#: What the stand-ins imitate, if anything.
PLATFORM = os.environ.get("COOPSELECTORS_TEST_PLATFORM", "")

#: Whether this is Linux, stand-in or not.
HAS_EPOLL = standins.real_epoll is not None

#: The runtimes that the tests are for.
UNDER_TEST = _wanted.split(",") if _wanted else list(RUNTIMES)

#: The files of tests that look through the whole process, or their folders.
LOOK_EVERYWHERE = ("tests/install/", "tests/selectors/test_the_surface_is_the_standard_one.py")

#: Whether this process is a worker, which needs to know its own tests only.
IS_WORKER = _OWN_RUNTIME in os.environ


class Worker:
    """One runtime's interpreter, for the tests below `only`, or for all of them."""

    def __init__(self, runtime: str, config: pytest.Config, only: str = "") -> None:
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        self._log = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115 - closed in `close`
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--capture=sys"]
        command += ["-c", str(config.inipath), "--rootdir", str(config.rootpath)]
        # A test that hangs shall say where, so the worker's own limit comes first.
        command += ["--timeout", str(float(config.getini("timeout")) / 2)]
        command += ["--worker", f"{orders},{answers}", *([only] if only else config.args)]
        self._process = subprocess.Popen(
            command,
            env={**os.environ, _OWN_RUNTIME: runtime},
            pass_fds=(orders, answers),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        os.close(orders)
        os.close(answers)
        self._lines = os.fdopen(self._answers, "r")

    def run(self, item: pytest.Item) -> Iterator[pytest.TestReport]:
        """Have the worker run `item`."""
        try:
            os.write(self._orders, f"{item.nodeid}\n".encode())
            for line in self._lines:
                if line == "done\n":
                    return
                report = item.config.hook.pytest_report_from_serializable(
                    config=item.config, data=json.loads(line)
                )
                report.nodeid = item.nodeid
                if isinstance(report.longrepr, list):  # a skip's: JSON has no tuples
                    report.longrepr = tuple(report.longrepr)
                yield report
        except BrokenPipeError:
            pass
        except pytest.fail.Exception:  # the time limit of this very process: the worker is stuck
            self._process.kill()
        self._wait()
        self._log.seek(0)
        status = self._process.returncode
        text = f"the worker died with status {status}; it said last:\n{self._log.read()[-4000:]}"
        yield pytest.TestReport(
            item.nodeid, item.location, {}, "failed", text, "call", sections=[], duration=0
        )

    def _wait(self) -> None:
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:  # stuck on its way out
            self._process.kill()
            self._process.wait()

    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        os.close(self._orders)
        self._wait()
        self._lines.close()
        self._log.close()


class MainSession:
    """Hands every test of another runtime to that runtime's worker."""

    def __init__(self) -> None:
        #: {(runtime, file that it is for or ""): the worker}
        self._workers: dict[tuple[str, str], Worker] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if _wanted or PLATFORM or not HAS_EPOLL:
            items[:] = [item for item in items if _is_elsewhere(item)]
        items.sort(key=lambda item: ORDER.index(runtime_of(item)))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        _freeze()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        runtime = runtime_of(item)
        only = str(item.path) if item.nodeid.startswith(LOOK_EVERYWHERE) else ""
        if (runtime == OWN and not only) or any(item.iter_markers("skip")):
            return None
        for key in [key for key in self._workers if only and key[1] not in ("", only)]:
            self._workers.pop(key).close()
        worker = self._workers.get((runtime, only))
        if worker is not None and not worker.alive():
            worker.close()
            worker = None
        if worker is None:
            worker = self._workers[runtime, only] = Worker(runtime, item.config, only)
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in worker.run(item):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_sessionfinish(self) -> None:
        for worker in self._workers.values():
            worker.close()


class WorkerSession:
    """Runs what the main session orders, and sends the reports back."""

    def __init__(self, orders: int, answers: int) -> None:
        self._orders = os.fdopen(orders, "r")
        self._answers = os.fdopen(answers, "w")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        for order in self._orders:
            item = items[order.rstrip("\n")]
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            self._send("done")
        return True

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        # What is frozen takes longer to look through.
        if not session.items[0].nodeid.startswith(LOOK_EVERYWHERE):
            _freeze()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._send(json.dumps(data))

    def pytest_configure(self, config: Any) -> None:
        self._config = config

    def _send(self, line: str) -> None:
        self._answers.write(f"{line}\n")
        self._answers.flush()


def _freeze() -> None:
    """Tests that collect the garbage, or count objects, need not look at some thousand tests."""
    gc.collect()
    if hasattr(gc, "freeze"):  # PyPy has no need of it
        gc.freeze()


ORDER = [*RUNTIMES, *BACKENDS]


def runtime_of(item: pytest.Item) -> str:
    """The runtime that a test was made for; tests that name none run in the main session."""
    return _parameters(item).get("runtime", "native")


def _is_elsewhere(item: pytest.Item) -> bool:
    """Whether a test is one for the runtimes and the platform under test."""
    if item.get_closest_marker("epoll") and (PLATFORM or not HAS_EPOLL):
        return False
    if item.get_closest_marker("any_platform") and PLATFORM:
        return False
    if PLATFORM in ("devpoll", "select"):
        if item.get_closest_marker("pollable"):
            return False
        if item.get_closest_marker("wakes_threads") and "[gevent-" not in item.nodeid:
            return False
    parameters = _parameters(item)
    # pytest has its own sign for "there are none"
    there = all(isinstance(parameters.get(each, ""), str) for each in ("Selector", "Primitive"))
    return parameters.get("runtime") in UNDER_TEST and there


def _parameters(item: pytest.Item) -> dict[str, Any]:
    callspec = getattr(item, "callspec", None)
    return callspec.params if callspec is not None else {}
