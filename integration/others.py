"""Do the tests of those who came before pass with ours: selectors2's, gevent's and eventlet's own?

`suites` runs these.  selectors2's and eventlet's come with their source distributions, which pip
downloads; gevent's are installed with it.  A test that expects a fault of its own library, or what
only that library can do, is in `EXPECTED`, with the reason; so is one of the interpreter's.
"""

from __future__ import annotations

import importlib
import os
import runpy
import subprocess
import sys
import tarfile
import unittest
from pathlib import Path
from typing import Any, Callable, Dict, NamedTuple
from unittest import mock

from common import version

#: Its tests; selectors2 itself cannot be imported since Python 3.10.
SELECTORS2 = "tests.test_selectors2"


class Suite(NamedTuple):
    """A module of somebody else's tests."""

    module: str
    runtime: str
    #: The distribution whose source has it; nothing if it is installed.
    source: str = ""


SUITES = (
    Suite(SELECTORS2, "native", "selectors2==2.0.2"),
    Suite("gevent.tests.test__selectors", "gevent"),
    Suite("gevent.tests.test__select", "gevent"),
    Suite("gevent.tests.test__monkey_selectors", "gevent"),
    Suite("gevent.tests.test__monkey_select", "gevent"),
    Suite("tests.green_select_test", "eventlet", "eventlet"),
    Suite("tests.greenio_test", "eventlet", "eventlet"),
    Suite("tests.hub_test", "eventlet", "eventlet"),
    Suite("tests.isolated.patcher_socketserver_selectors", "eventlet", "eventlet"),
    Suite("tests.isolated.patcher_blocking_select_methods_are_deleted", "eventlet", "eventlet"),
)

CLOSED_BY_ANOTHER = (
    "if the other greenlet has closed the file before ours looks, ours raises EBADF, as the"
    " interpreter's select() does"
)

#: {the end of a test's id: why it may fail with ours}
EXPECTED: Dict[str, str] = {
    "test_events.EPollEventLoopTests.test_read_pipe": (
        "with libev, gevent's os.close() closes a pipe once the hub has had something else to do:"
        " who waits for its end by gevent's own nb_read() waits in vain, too.  Without ours this"
        " loop blocks the hub; those on poll and select wait in vain"
    ),
    "TestUniqueSelectScenarios.test_long_filenos_instead_of_int": (
        "it registers 2**64, a long of Python 2; with epoll the standard class raises"
        " OverflowError, and so does ours"
    ),
    "test__selectors.TestPossibleCrashes.test_closing_fd_while_selecting": (
        "the test before it, which fails either way in a patched process, has left the same number"
        " to gevent's os.close(), which closes it later; by itself it passes"
    ),
    "test__select.TestPossibleCrashes.test_closing_fd_before_selecting": (
        "it silences the check for closed files with a private function of gevent's; ours raises"
        " EBADF, as the interpreter's select() does"
    ),
    "test__select.TestPossibleCrashes.test_closing_fd_while_selecting": CLOSED_BY_ANOTHER,
    "test__select.TestPossibleCrashes.test_closing_object_while_selecting": CLOSED_BY_ANOTHER,
    "test__select.TestPossibleCrashes.test_closing_object_while_polling": (
        "the socket is ready (POLLHUP), and its close() comes a turn of the hub later: two polls in"
        " a row may both come before it, and say the same"
    ),
    "TestSelectors.test_selectors_select_is_patched": (
        "it looks for gevent's private mark on the standard class"
    ),
    "TestSelectors.test_selector_GeventSelector": (
        "named after a class that is not there: DefaultSelector stands in its place"
    ),
    "TestSelect.test_epoll_removed": "it expects that there is no select.epoll; ours is there",
    "isolated.patcher_blocking_select_methods_are_deleted": (
        "it expects that monkey_patch() deletes select.epoll and the like; ours stay there"
    ),
    "patcher_test.py::test_blocking_select_methods_are_deleted": (
        "the same, where `patcher` runs it as eventlet does"
    ),
    "green_select_test.test_select_mark_file_as_reopened": (
        "it tells the hub that a number has a new file, so that whoever watches it there gets"
        " IOClosed; the hub is never given the files of ours, which are checked by number"
    ),
}


def expectation(test: str) -> str:
    """Why a test may fail with ours, or nothing."""
    return next((why for name, why in EXPECTED.items() if test.endswith(name)), "")


def source_of(suite: Suite, folder: Path) -> str:
    """Where the unpacked source distribution of a suite is; "" if it needs none."""
    if not suite.source:
        return ""
    name, _, wanted = suite.source.partition("==")
    wanted = wanted or version(name)
    unpacked = folder / f"{name}-{wanted}"
    if not unpacked.exists():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command = [*pip, "--no-binary", name, "--dest", str(folder), f"{name}=={wanted}"]
        subprocess.run(command, check=True, stdout=sys.stderr)
        with tarfile.open(folder / f"{name}-{wanted}.tar.gz") as archive:
            # The archive is that of a published version; extractall(filter=) came with 3.12.
            archive.extractall(folder)
    return str(unpacked)


def load(module: str) -> unittest.TestSuite:
    """The tests of a module: its TestCases, its functions, or the module itself as a script."""
    if ".isolated." in module:
        return unittest.TestSuite([_Script(module)])
    suite = unittest.defaultTestLoader.loadTestsFromName(module)
    for name, thing in vars(sys.modules[module]).items():
        if name.startswith("test_") and callable(thing) and not isinstance(thing, type):
            suite.addTest(_Function(module, name, thing))
    return suite


class _Function(unittest.TestCase):
    """A test that is a function, as for pytest."""

    def __init__(self, module: str, name: str, function: Callable[[], Any]) -> None:
        super().__init__()
        self._id = f"{module}.{name}"
        self._function = function

    def id(self) -> str:
        return self._id

    def runTest(self) -> None:
        self._function()


class _Script(unittest.TestCase):
    """A test that is a program, which prints "pass"."""

    def __init__(self, module: str) -> None:
        super().__init__()
        self._module = module

    def id(self) -> str:
        return self._module

    def runTest(self) -> None:
        with mock.patch("builtins.print") as printed:
            runpy.run_path(str(Path(*self._module.split(".")).with_suffix(".py")), None, "__main__")
        assert printed.mock_calls == [mock.call("pass")]


def find(module: str, source: str, install: bool) -> None:
    """Have these tests be found, and find ours, if `install`, where they look for their own."""
    import coopselectors

    if source:
        sys.path.insert(0, source)
        os.chdir(source)
    if module == SELECTORS2:
        sys.modules["selectors2"] = coopselectors
        sys.modules["mock"] = mock
    elif install and module.startswith("gevent."):
        theirs = importlib.import_module("gevent.selectors")
        theirs.GeventSelector = theirs.DefaultSelector = coopselectors.DefaultSelector
        green = importlib.import_module("gevent.select")
        green.select, green.poll = coopselectors.select.select, coopselectors.select.poll
    elif install and ".isolated." not in module:
        green = importlib.import_module("eventlet.green.select")
        green.select = coopselectors.select.select
