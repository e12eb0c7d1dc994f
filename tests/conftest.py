"""What every test may ask for: a runtime, a class, connected files, a fresh interpreter.

Two environment variables have the same tests run elsewhere.  COOPSELECTORS_TEST_RUNTIMES names
other runtimes than the usual ones (see runtimes.py), with commas; tests that are for none are left
out then.  COOPSELECTORS_TEST_PLATFORM is one that standins.py can imitate.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import pickle
import signal
import socket
import subprocess
import sys
import textwrap
import traceback
from posix import waitpid as posix_waitpid

import pytest

from support import alike, quick, runtimes, standins, summary, workers
from support import fresh as fresh_interpreters

if workers.PLATFORM:
    standins.install(workers.PLATFORM)

# Before anything is patched: the order in which most programs get it wrong.
import coopselectors
from support import native, primitives, seams

if workers.IS_WORKER:  # no test there is for a runtime, and to read all pages takes long
    collect_ignore = ["docs/test_code_blocks_do_what_they_say.py"]

CLASSES = [name for name in coopselectors.__all__ if name.endswith("Selector")]
CLASSES.remove("BaseSelector")

_runtime = None
_introduced = []
_stderr = pytest.StashKey()


def pytest_addoption(parser):
    parser.addoption("--worker", help="for the tests' own use; see workers.py")
    parser.addoption("--summary", metavar="FILE", help="write the final table there as well")


def pytest_configure(config):
    global _runtime
    descriptors = config.getoption("--worker")
    if descriptors:
        session = workers.WorkerSession(*map(int, descriptors.split(",")))
        config.pluginmanager.register(session)
    else:
        config.pluginmanager.register(workers.MainSession())
        if not hasattr(config, "workerinput"):  # pytest-xdist's controller hears of all
            config.pluginmanager.register(summary.Summary(config.getoption("--summary")))
    _runtime = runtimes.enter(workers.OWN)
    config.stash[_stderr] = os.dup(2)


def pytest_unconfigure(config):
    os.close(config.stash[_stderr])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    """Where even the time limit goes unheard, have the process end and say where it was."""
    own = item.get_closest_marker("timeout")
    usual = item.config.getoption("timeout") or item.config.getini("timeout")
    limit = 1.5 * float(own.args[0] if own else usual)
    faulthandler.dump_traceback_later(limit, exit=True, file=item.config.stash[_stderr])
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


def pytest_generate_tests(metafunc):
    if "runtime" in metafunc.fixturenames:
        wanted = metafunc.definition.get_closest_marker("runtimes")
        params = []
        for name in [workers.OWN] if workers.IS_WORKER else workers.UNDER_TEST:
            if wanted and runtimes.family(name) not in wanted.args:
                continue
            lack = runtimes.missing(name)
            marks = [pytest.mark.skip(reason=lack)] if lack else []
            params.append(pytest.param(name, marks=marks))
        metafunc.parametrize("runtime", params, indirect=True, scope="session")
    if "Selector" in metafunc.fixturenames:
        wanted = metafunc.definition.get_closest_marker("classes")
        names = [name for name in CLASSES if not wanted or name in wanted.args]
        metafunc.parametrize("Selector", names, indirect=True)
    if "Primitive" in metafunc.fixturenames:
        wanted = metafunc.definition.get_closest_marker("primitives")
        names = [name for name in primitives.NAMES if not wanted or name in wanted.args]
        metafunc.parametrize("Primitive", names, indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if quick.is_quick(item.nodeid):
            item.add_marker("quick")
        if alike.is_alike(item.nodeid):
            item.add_marker("alike")


@pytest.fixture(scope="session")
def runtime(request):
    """The runtime that this process is of."""
    assert request.param == _runtime.name
    if not _introduced:
        ours, theirs = socket.socketpair()
        with ours, theirs, coopselectors.DefaultSelector() as selector:
            selector.register(ours, coopselectors.EVENT_READ)
            _runtime.introduce(selector)  # opens what is kept for all, not to be taken for a leak
        _introduced.append(True)
    return _runtime


@pytest.fixture
def Selector(request):
    """One of our selector classes, imported before the patch."""
    return getattr(coopselectors, request.param)


@pytest.fixture
def selector(Selector):
    with Selector() as made:
        yield made


@pytest.fixture
def Primitive(request):
    """One of our primitives, of before the patch; see primitives.py."""
    return primitives.PRIMITIVES[request.param]


@pytest.fixture
def primitive(Primitive):
    made = Primitive()
    yield made
    made.close()


@pytest.fixture
def connect():
    """Makes a pair of connected sockets, as often as it is called; closes them all."""
    made = []

    def pair():
        both = socket.socketpair()
        made.extend(both)
        return both

    def close():
        while made:
            made.pop().close()

    pair.close = close
    yield pair
    close()


@pytest.fixture
def run_python():
    """Runs a script in a fresh interpreter with a time limit; returns what it printed."""

    def run(script, *arguments, limit=60, **environment):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), *arguments],
            capture_output=True,
            text=True,
            timeout=limit,
            env={**os.environ, **environment},
            check=False,
        )
        assert done.returncode == 0, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


@pytest.fixture
def fresh(runtime):
    """Runs a function of the test's own in a fresh interpreter of its runtime; see fresh.py."""
    return fresh_interpreters.Fresh(runtime.name)


@pytest.fixture
def in_child(runtime):
    """Forks, runs something in the child, and gives a function that returns its result."""

    def fork(function):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                try:
                    runtime.enter_child()
                    result = function()
                except BaseException:
                    result = traceback.format_exc()
                os.write(writer, pickle.dumps(result))
            finally:
                os._exit(0)
        os.close(writer)

        def result():
            with open(reader, "rb") as pipe:
                data = pickle.load(pipe)
            with contextlib.suppress(ChildProcessError):  # gevent's own watcher may be faster
                posix_waitpid(child, 0)
            return data

        return result

    return fork


@pytest.fixture
def signals(runtime):
    """Sets a handler and has a real thread, which no patch can stop, send that signal here."""
    saved, threads = [], []

    def send(number, gap):
        for _ in range(number):
            native.select([], [], [], gap)
            os.kill(os.getpid(), saved[-1][0])

    def start(handler, number=1, gap=0.05, which=signal.SIGUSR1):
        saved.append((which, signal.signal(which, handler)))
        threads.append(runtime.start_thread(send, number, gap))
        return threads[-1]

    yield start
    for thread in threads:
        runtime.join_thread(thread)
    for which, handler in reversed(saved):
        signal.signal(which, handler)


@pytest.fixture
def refuse_nesting():
    """Puts something into a selector or an epoll that the kernel refuses to nest any deeper.

    Nesting is limited to five epolls.  The hub's own is one, ours in it another one, the selector
    a third: with four more it works still, but not within a hub.
    """
    made = []

    def refuse(selector):
        chain = [native.real_epoll() for _ in range(4)]
        for outer, inner in zip(chain, chain[1:]):
            outer.register(inner.fileno(), 1)
        selector.register(chain[0].fileno(), 1)
        made.extend(chain)

    yield refuse
    for each in made:
        each.close()


@pytest.fixture
def no_hub_is_loaded(monkeypatch):
    """As in a process that has no gevent and no eventlet; another test may have imported them."""
    for name in ("gevent.select", "eventlet.green.select"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.fixture
def trace_all_threads(monkeypatch):
    seams.trace_all_threads(monkeypatch)


@pytest.fixture
def trace_audit_thread(monkeypatch):
    seams.trace_audit_thread(monkeypatch)


@pytest.fixture
def new_threads(monkeypatch):
    seams.forget_idle_threads(monkeypatch)
