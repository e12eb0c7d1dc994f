"""Do the examples do what they say, in each runtime, while other greenlets run?"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys

import pytest

from support import ROOT, runtimes

EXAMPLES = ROOT / "examples"

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(sys.platform != "linux", reason="the descriptors are those of Linux"),
    pytest.mark.skipif(not EXAMPLES.is_dir(), reason=f"there is no {EXAMPLES}"),
]

#: Ticks in waits that have time for some 24.  A hub that is blocked in them gets to the first, and
#: to one after each wait if anything else switches: there are three waits at most.
ENOUGH = 5

#: {example: (the function that it prefers, what it calls that, what it calls its fall-back)}
FALL_BACKS = {
    "process_end": ("pidfd_open", "a pidfd", "a pipe"),
    "timers": ("timerfd_create", "os.timerfd_create", "ctypes"),
    "thread_wakeup": ("eventfd", "an eventfd", "a pipe"),
}

#: Runs an example after other statements.  Its arguments are those of the interpreter.
AFTER = """
{before}
import os, runpy, sys
del sys.argv[0]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def start():
    """Starts an example as users do, or after the statements `before`; none outlives the test."""
    started = []

    def start(example, name, before=""):
        command = [sys.executable]
        if before:
            command += ["-c", AFTER.format(before=before)]
        library, _, loop = name.partition("-")
        command += [str(EXAMPLES / f"{example}.py"), library]
        environment = dict(os.environ)
        if loop:
            environment["GEVENT_LOOP"] = {"libev": "libev-cext", "libuv": "libuv-cffi"}[loop]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)
        started.append(process)
        return process

    yield start
    for process in started:
        with process:
            process.kill()


def skip_without(name):
    if runtimes.missing(name):
        pytest.skip(runtimes.missing(name))


def outcome(process):
    """What an example said that ended well, and how often the ticker ran."""
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, f"status {process.returncode}\n{output}\n{errors}"
    [ticks] = re.findall(r"^Meanwhile the ticker ran (\d+) times\.$", output, re.MULTILINE)
    return output, int(ticks)


def check_process_end(output):
    assert output.endswith("The child has ended, with status 3.\n")


def check_signals(output):
    came = re.findall(r"^(\w+) came\.$", output, re.MULTILINE)
    assert sorted(came) == ["SIGTERM", "SIGUSR1", "SIGUSR2"]


def check_timers(output):
    lines = re.findall(r"^Periods over: (\d+), after (\S+) s\.$", output, re.MULTILINE)
    counts = [int(count) for count, _ in lines]
    assert counts == sorted(set(counts))
    assert counts[-1] >= 3
    for count, seconds in lines:
        assert float(seconds) >= 0.08 * int(count) - 0.001  # it is rounded


def check_file_changes(output):
    assert re.findall(r"^(\w+): (\w+)$", output, re.MULTILINE) == [
        ("draft", "CREATE"),
        ("draft", "CLOSE_WRITE"),
        ("draft", "MOVED_FROM"),
        ("letter", "MOVED_TO"),
        ("letter", "DELETE"),
    ]


def check_thread_wakeup(output):
    waiting = re.findall(r"^Waiting in thread (\d+) ", output)
    working, squares = zip(*re.findall(r"^Thread (\d+) says (\d+)\.$", output, re.MULTILINE))
    assert squares == ("1", "4", "9")
    assert len(set(working)) == 1
    assert set(working).isdisjoint(waiting), "the thread is a greenlet"


CHECKS = {
    "process_end": check_process_end,
    "signals": check_signals,
    "timers": check_timers,
    "file_changes": check_file_changes,
    "thread_wakeup": check_thread_wakeup,
}


def test_each_example_has_a_check():
    assert {path.stem for path in EXAMPLES.glob("[!_]*.py")} == set(CHECKS)


@pytest.mark.parametrize("name", runtimes.RUNTIMES)
@pytest.mark.parametrize("example", CHECKS)
def test_an_example_and_its_fall_back(start, example, name):
    skip_without(name)
    if example == "file_changes" and importlib.util.find_spec("inotify_simple") is None:
        pytest.skip("not installed: inotify_simple")
    function, preferred, fall_back = FALL_BACKS.get(example, ("", "", ""))
    runs = []  # of (process, the way that it has to say it waits), side by side to save time
    if function and hasattr(os, function):
        runs.append((start(example, name), preferred))
        runs.append((start(example, name, f"import os; del os.{function}"), fall_back))
    else:
        runs.append((start(example, name), fall_back))
    for process, way in runs:
        output, ticks = outcome(process)
        CHECKS[example](output)
        assert ticks >= ENOUGH
        if way:
            assert output.splitlines()[0].endswith(f", by {way}.")


def test_a_kernel_that_has_no_pidfd(start):
    refuse = """
import errno, os
def refuse(pid, flags=0): raise OSError(errno.ENOSYS, "Function not implemented")
os.pidfd_open = refuse
"""
    output, _ = outcome(start("process_end", "native", refuse))
    check_process_end(output)
    assert ", by a pipe.\n" in output


@pytest.mark.parametrize("name", ["gevent-libev", "eventlet"])
def test_a_ticker_stands_still_while_its_hub_is_blocked(start, name):
    skip_without(name)
    block = """
import coopselectors, selectors
coopselectors.DefaultSelector = selectors.DefaultSelector
"""
    runs = {each: start(each, name, block) for each in ("process_end", "timers")}
    for example, process in runs.items():
        output, ticks = outcome(process)
        CHECKS[example](output)
        assert ticks < ENOUGH


def test_what_is_not_installed_is_named(start):
    runs = {}
    for library in ("gevent", "eventlet"):
        runs[library] = start(
            "process_end", library, f"import sys; sys.modules[{library!r}] = None"
        )
    without = "import sys; sys.modules['inotify_simple'] = None"
    runs["inotify_simple"] = start("file_changes", "native", without)
    for package, process in runs.items():
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 1
        assert errors.endswith(f"; install it with: python -m pip install {package}\n")
