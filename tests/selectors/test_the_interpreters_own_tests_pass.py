"""Do the interpreter's own tests of `selectors` and `select` pass with ours in their place?"""

from __future__ import annotations

import importlib.util
import json
import sys

import pytest

from support import TESTS, runtimes

SCRIPT = """
import collections, importlib, json, resource, sys, unittest
tests, runtime, standard, ours, suite = sys.argv[1:]
ours = importlib.import_module(ours)
sys.path.insert(0, tests)
# One test opens as many files as there may be.  More than FD_SETSIZE, 1024, shows nothing new.
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 4096))
import coopselectors
from support import runtimes
runtimes.enter(runtime)
import test.support
test.support.verbose = 0
sys.modules[standard] = ours
suite = importlib.import_module(f"test.{suite}")
class Result(unittest.TestResult):
    started = collections.Counter()
    def startTest(self, case):
        super().startTest(case)
        self.started[type(case).__name__] += 1
result = Result()
unittest.defaultTestLoader.loadTestsFromModule(suite).run(result)
assert getattr(suite, standard) is ours
def is_late(case, text):
    # test_epoll wants its answers within 10 ms, which a busy machine does not always give.
    again = (type(case)(case._testMethodName).run() for _ in range(5))
    return "then - now > 0.01" in text and any(each.wasSuccessful() for each in again)
bad = [each for each in result.failures + result.errors if not is_late(*each)]
print(json.dumps({
    "runtime": coopselectors.current_runtime(),
    "ran": result.started,
    "bad": [(case.id(), text) for case, text in bad],
    "skipped": [(case.id(), why) for case, why in result.skipped],
}))
"""

# The platform has no such primitive here; platforms/ runs these cases on stand-ins.
ABSENT = ("KqueueSelectorTestCase", "DevpollSelectorTestCase")

SKIPS_ITSELF = {
    # The case patches `selectors.EpollSelector._selector_cls` by the class's name, and skips itself
    # where that name is neither EpollSelector nor PollSelector nor DevpollSelector.
    "test.test_selectors.DefaultSelectorTestCase.test_modify_unregister",
    "test.test_selectors.SelectSelectorTestCase.test_modify_unregister",
}
if importlib.util.find_spec("_testcapi") is None:
    SKIPS_ITSELF.add("test.test_poll.PollTests.test_poll_c_limits")

# Thread.join(timeout) of eventlet 0.41 raises its Timeout there when time is up.
FAILS_WITH_EVENTLET = (
    {
        "test.test_poll.PollTests.test_poll_blocks_with_negative_ms",
    }
    if sys.version_info >= (3, 13)
    else set()
)

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("test.test_selectors") is None,
        reason="this interpreter was installed without its test suite",
    ),
    pytest.mark.parametrize("name", runtimes.RUNTIMES),
    pytest.mark.uncounted,
]


@pytest.fixture
def run_suite(run_python, name):
    """Runs one of the interpreter's test modules in a runtime; returns how many ran of each case.

    Only those that are known to may fail or skip themselves.
    """
    if runtimes.missing(name):
        pytest.skip(runtimes.missing(name))

    def run(standard, ours, suite):
        arguments = str(TESTS), name, standard, ours, suite
        result = json.loads(run_python(SCRIPT, *arguments, limit=110))
        assert result["runtime"] == name.partition("-")[0]
        known = FAILS_WITH_EVENTLET if name == "eventlet" else ()
        assert [(case, text) for case, text in result["bad"] if case not in known] == []
        skipped = {
            case for case, _ in result["skipped"] if not any(kind in case for kind in ABSENT)
        }
        assert skipped <= SKIPS_ITSELF
        return result["ran"]

    return run


def test_selectors(run_suite):
    ran = run_suite("selectors", "coopselectors", "test_selectors")
    for kind in ("Default", "Epoll", "Poll", "Select"):
        assert ran[f"{kind}SelectorTestCase"] >= 17


@pytest.mark.parametrize(
    ("suite", "case", "count"),
    [
        pytest.param("test_epoll", "TestEPoll", 10, id="epoll"),
        # whose child takes 10 s to print ten lines
        pytest.param("test_poll", "PollTests", 7, id="poll", marks=pytest.mark.once),
        pytest.param("test_select", "SelectTestCase", 5, id="select"),
    ],
)
def test_primitives(run_suite, suite, case, count):
    ran = run_suite("select", "coopselectors.select", suite)
    assert ran.keys() == {case}
    assert ran[case] >= count
