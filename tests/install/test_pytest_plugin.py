"""Does the pytest plug-in name the tests that block a hub, and no others?"""

from __future__ import annotations

import pytest

from support.runtimes import missing

pytest_plugins = ["pytester"]

TESTS = """
import {patch}
{call}
from coopselectors import DefaultSelector
from {library} import sleep
import pytest

def block(seconds=0.6):
    with DefaultSelector(runtime="native") as selector:
        selector.select(seconds)

@pytest.fixture
def blocking():
    block()
    yield
    block()

def test_blocks():
    block()

def test_waits(record_property):
    record_property("colour", "blue")  # of which nothing is said
    sleep(0.4)

def test_blocks_for_a_moment():
    block(0.001)

def test_with_a_fixture(blocking):
    pass

def test_fails_by_itself():
    block()
    assert False, "its own reason"
"""

LIBRARIES = {
    "gevent": ("gevent.monkey", "gevent.monkey.patch_all()"),
    "eventlet": ("eventlet", "eventlet.monkey_patch()"),
}


@pytest.fixture(params=LIBRARIES)
def run(request, pytester, monkeypatch):
    library = request.param
    lack = missing({"gevent": "gevent-libev"}.get(library, library))
    if lack:
        pytest.skip(lack)
    patch, call = LIBRARIES[library]
    pytester.makepyfile(TESTS.format(patch=patch, call=call, library=library))

    def run(*options):
        return pytester.runpytest_subprocess(
            *("-p", "coopselectors.pytest_plugin", "-p", "no:randomly", "-p", "no:xdist"),
            *("-W", "ignore", "--hub-blocked-after=0.2", *options),
        )

    return run


def test_they_are_reported(run):
    result = run()
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*calls that blocked the hub*",
            "*::test_blocks: a select call has blocked the hub for *",
            "*test_they_are_reported.py*in block",
            "*::test_with_a_fixture: a select call *",
            "*::test_fails_by_itself: a select call *",
        ]
    )
    told = [line for line in result.outlines if "blocked the hub for" in line]
    assert len(told) == 4  # that of the fixture at its beginning and its end
    assert not [line for line in told if "waits" in line or "moment" in line]
    assert not [line for line in result.outlines if "blue" in line]
    assert not [line for line in result.outlines if "_multicall" in line]  # it begins at the test


def test_blocking_tests_fail_on_request(run):
    result = run("--hub-blocked=fail")
    result.assert_outcomes(passed=2, failed=2, errors=2)
    result.stdout.fnmatch_lines(["FAILED *::test_blocks - Failed: *"])
    result.stdout.fnmatch_lines(["FAILED *::test_fails_by_itself - *"])


def test_an_unpatched_process(pytester):
    pytester.makepyfile("import select\ndef test(): select.select([], [], [], 0.4)")
    result = pytester.runpytest_subprocess(
        "-p", "coopselectors.pytest_plugin", "--hub-blocked=fail", "--hub-blocked-after=0.1"
    )
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*blocked the hub*")


def test_it_is_not_loaded_by_itself(pytester):
    result = pytester.runpytest_subprocess("--hub-blocked=fail")
    result.stderr.fnmatch_lines(["*unrecognized arguments: --hub-blocked=fail*"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "1e+300"])
def test_bad_options(pytester, seconds):
    plugin = ("-p", "coopselectors.pytest_plugin")
    result = pytester.runpytest_subprocess(*plugin, f"--hub-blocked-after={seconds}")
    said = f"--hub-blocked-after must be above 0 and at most 2000000 seconds, not {seconds}"
    assert f"ERROR: {said}" in result.errlines
    assert result.ret == pytest.ExitCode.USAGE_ERROR
