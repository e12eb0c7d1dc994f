"""Do other people's tests of selectors pass with ours?

``python integration/suites.py`` runs the interpreter's tests of all that waits in a selector or in
``select``, in the ordinary process and under gevent, and the tests of selectors2, gevent and
eventlet (see `others`), without ``coopselectors.install(select=True)`` and with it.  What fails
without it is known to fail; it ends with 1 if anything else fails with it, but for what `others`
gives a reason for.
"""

from __future__ import annotations

import argparse
import faulthandler
import subprocess
import sys
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Dict, Iterator, List, Mapping, NamedTuple

import others

MODULES = (
    "test.test_subprocess",  # the longest first
    "test.test_asyncio.test_events",
    "test.test_selectors",
    *["test.test_asyncore"] * (sys.version_info < (3, 12)),
    "test.test_asyncio.test_selector_events",
    "test.test_socketserver",
)
RUNTIMES = ("native", "gevent")

#: Seconds for one test.  Under gevent some of them never end, whoever's selectors they use.
LIMIT = 10

#: Most tests wait most of their time.
AT_ONCE = 6

#: How often a test may fail that passes without ours: some fail now and then, and more so while
#: there is something beside them.
TRIES = 4

BAD = {"failed", "never ended"}

EMPTY: Mapping[str, str] = MappingProxyType({})


class Run(NamedTuple):
    """What came out of one module."""

    outcomes: Dict[str, str]  #: {a test: "ok", "skipped", "failed", or "never ended"}
    words: str  #: why it did not come to its end, if so

    def bad(self) -> set[str]:
        return {test for test, outcome in self.outcomes.items() if outcome in BAD}


def run(
    module: str, runtime: str, installed: bool, source: str = "", known: Mapping[str, str] = EMPTY
) -> Run:
    """Run a module's tests, in a new interpreter whenever one of them does not end.

    `source` is the folder that it is in, for what is not installed.  Tests of which the outcome is
    `known` are not run.
    """
    outcomes: Dict[str, str] = {**known}
    while True:
        before = len(outcomes)
        command = [sys.executable, "-W", "ignore", __file__, "--child", runtime, module]
        command += ["--install"] * installed + ["--source", source] * bool(source)
        done = subprocess.run(
            command,
            input="\n".join(outcomes),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        for line in done.stdout.splitlines():
            if line.startswith(_Printing.MARK):
                outcome, test = line[len(_Printing.MARK) :].split(" ", 1)
                outcomes[test] = outcome.replace("_", " ")
        if not done.returncode:
            return Run(outcomes, "")
        if "-v" in sys.argv:
            print(done.stderr, file=sys.stderr, flush=True)
        if len(outcomes) == before:
            return Run(outcomes, f"ended with {done.returncode}: {done.stderr[-400:]}")


class _Printing(unittest.TestResult):
    """Tells at once what comes out: the process may not live to tell in the end."""

    MARK = "coopselectors: "

    def _say(self, outcome: str, test: unittest.TestCase) -> None:
        # In one piece, on a line of its own: tests print, too, and fork.
        sys.__stdout__.write(f"\n{self.MARK}{outcome} {test.id()}\n")
        sys.__stdout__.flush()

    def startTest(self, test):
        super().startTest(test)
        self._say("never_ended", test)
        faulthandler.dump_traceback_later(LIMIT, exit=True)

    def addSuccess(self, test):
        self._say("ok", test)

    def addSkip(self, test, reason):
        self._say("skipped", test)

    def addExpectedFailure(self, test, error):
        self._say("ok", test)

    def addError(self, test, error):
        super().addError(test, error)
        self._say("failed", test)
        sys.stderr.write(self.errors[-1][1])

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._say("failed", test)
        sys.stderr.write(self.failures[-1][1])

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self._failed_within = test
            self.addFailure(test, error)

    def stopTest(self, test):
        super().stopTest(test)
        faulthandler.cancel_dump_traceback_later()
        if getattr(self, "_failed_within", None) is test:
            self._say("failed", test)


def child(runtime: str, module: str, install: bool, source: str) -> None:
    """Run the tests in this process, but for those that stdin names, and print what comes out."""
    done = set(sys.stdin.read().splitlines())
    if runtime == "gevent":
        import gevent.monkey

        gevent.monkey.patch_all()
    elif runtime == "eventlet" and ".isolated." not in module:
        import eventlet

        eventlet.monkey_patch(all=False, select=True)
    import coopselectors

    if install:
        for name in ("asyncio", "multiprocessing.connection", "socketserver", "subprocess"):
            __import__(name)
        coopselectors.install(select=True)
    if module not in MODULES:
        others.find(module, source, install)
    suite = others.load(module)
    if install:
        coopselectors.install(select=True)  # and in the tests themselves
    remaining = unittest.TestSuite(test for test in _all_in(suite) if test.id() not in done)
    remaining.run(_Printing())


def _all_in(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            yield from _all_in(each)
        else:
            yield each


def compared(suite: others.Suite, source: str) -> tuple[Run, Run]:
    """What comes out of one module in one runtime, without ours and with them."""
    # selectors2 itself, which is long gone, cannot be imported any more.
    is_gone = suite.module == others.SELECTORS2
    before = Run({}, "") if is_gone else run(suite.module, suite.runtime, False, source)
    return before, run(suite.module, suite.runtime, True, source)


def _once_more(
    suite: others.Suite, source: str, last: Run, tests: set[str], *, installed: bool
) -> Run:
    """Run these tests alone; what came of the others stays."""
    known = {test: said for test, said in last.outcomes.items() if test not in tests}
    return run(suite.module, suite.runtime, installed, source, known)


def new_failures(suite: others.Suite, source: str, before: Run, after: Run) -> tuple[str, set[str]]:
    """A line on one module in one runtime, and which of its tests fail with ours only."""
    module, runtime, _ = suite
    is_gone = module == others.SELECTORS2
    for _ in range(TRIES - 1):
        new = after.bad() - before.bad()
        surprising = {test for test in new if not others.expectation(test)}
        if after.words and not before.words:
            after = run(module, runtime, True, source)
        elif surprising:
            after = _once_more(suite, source, after, surprising, installed=True)
            if not is_gone:  # alone, a test may fail that needs what another one leaves running
                again = _once_more(suite, source, before, surprising, installed=False)
                bad = dict.fromkeys(before.bad(), "failed")
                before = Run({**again.outcomes, **bad}, before.words)
        else:
            break
    new = after.bad() - before.bad()
    missing = {test for test in before.outcomes if test not in after.outcomes}
    if missing and not before.words:
        new |= {f"not run any more: {test}" for test in missing}
    if after.words and not before.words:
        new.add(after.words)
    if not after.outcomes:
        new.add("no test was run")
    expected = {test for test in new if others.expectation(test)}
    new -= expected
    without = "    cannot run" if is_gone else f"{len(before.bad()):3} bad"
    line = (
        f"{module:42} {runtime:8} {len(after.outcomes):4} tests, "
        f"{without} without, {len(after.bad()):3} with ours, {len(new)} new"
    )
    reasons = [f"    expected: {test}: {others.expectation(test)}" for test in sorted(expected)]
    return "\n".join([line, *reasons]), new


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--child", nargs=2, metavar=("RUNTIME", "MODULE"), help="for its own use")
    parser.add_argument("--install", action="store_true", help="for its own use")
    parser.add_argument("--source", default="", help="for its own use")
    parser.add_argument("-v", action="store_true", help="print what failing tests say")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="these only; see --list")
    parser.add_argument("--list", action="store_true", help="print the modules, and end")
    options = parser.parse_args()
    if options.child:
        child(*options.child, options.install, options.source)
        return 0
    suites = [others.Suite(each, runtime) for each in MODULES for runtime in RUNTIMES]
    suites += others.SUITES
    if options.list:
        print(*{suite.module: None for suite in suites}, sep="\n")
        return 0
    if options.modules:
        suites = [suite for suite in suites if suite.module in options.modules]
    with tempfile.TemporaryDirectory() as folder:
        return run_all(suites, Path(folder))


def run_all(suites: List[others.Suite], folder: Path) -> int:
    sources = [others.source_of(suite, folder) for suite in suites]
    bad: List[str] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = list(pool.map(compared, suites, sources))
    for suite, source, (before, after) in zip(suites, sources, runs):
        line, new = new_failures(suite, source, before, after)
        print(line, flush=True)
        for test in sorted(new):
            print(f"    NEW: {test}", flush=True)
        bad += new
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
