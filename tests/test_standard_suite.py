"""Does the interpreter's own test suite for `selectors` pass with ours in its place?"""

from __future__ import annotations

import importlib.util
import json

import pytest

import runtimes

SCRIPT = """
import collections, json, sys, unittest
import coopselectors
sys.path.insert(0, sys.argv[1])
import runtimes
runtimes.enter(sys.argv[2])
import test.support
sys.modules["selectors"] = coopselectors
import test.test_selectors as suite
class Result(unittest.TestResult):
    started = collections.Counter()
    def startTest(self, case):
        super().startTest(case)
        self.started[type(case).__name__] += 1
result = Result()
unittest.defaultTestLoader.loadTestsFromModule(suite).run(result)
print(json.dumps({
    "runtime": coopselectors.current_runtime(),
    "ran": result.started,
    "bad": [(case.id(), text) for case, text in result.failures + result.errors],
    "skipped": [(case.id(), why) for case, why in result.skipped],
}))
"""

# The platform has no such primitive here; test_standins runs these cases on stand-ins.
ABSENT = ("KqueueSelectorTestCase", "DevpollSelectorTestCase")

# The case patches `selectors.EpollSelector._selector_cls` by the class's name, and skips itself
# where that name is neither EpollSelector nor PollSelector nor DevpollSelector.
SKIPS_ITSELF = {
    f"test.test_selectors.{name}TestCase.test_modify_unregister"
    for name in ("DefaultSelector", "SelectSelector")
}


@pytest.mark.skipif(
    importlib.util.find_spec("test.test_selectors") is None,
    reason="this interpreter was installed without its test suite",
)
@pytest.mark.parametrize("name", runtimes.RUNTIMES)
def test_the_interpreters_own_suite(run_python, request, name):
    if runtimes.missing(name):
        pytest.skip(runtimes.missing(name))
    result = json.loads(run_python(SCRIPT, str(request.path.parent), name, limit=110))
    assert result["runtime"] == name.partition("-")[0]
    assert result["bad"] == []
    for kind in ("Default", "Epoll", "Poll", "Select"):
        assert result["ran"][f"{kind}SelectorTestCase"] >= 17
    skipped = {case for case, _ in result["skipped"] if not any(kind in case for kind in ABSENT)}
    assert skipped <= SKIPS_ITSELF
