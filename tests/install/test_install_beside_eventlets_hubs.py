"""Whenever ours are installed, does each of eventlet's hubs wait as before, and warn of nothing?

eventlet makes its hub from a copy of the standard modules, which must not get ours.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from support.runtimes import missing

pytestmark = pytest.mark.skipif(missing("eventlet") != "", reason="not installed: eventlet")

INSTALL = "import coopselectors; coopselectors.install(select=True)\n"
IMPORT = "import eventlet\n"
PATCH = "eventlet.monkey_patch()\n"

ORDERS = {
    "before the import": INSTALL + IMPORT + PATCH,
    "before the patch": IMPORT + INSTALL + PATCH,
    "after the patch": IMPORT + PATCH + INSTALL,
}

#: Whether other greenlets run while one waits, in a selector and in a socket.
PROGRAM = """
import os, select, selectors, socket
eventlet.sleep(0.01)
ticks = []
def tick():
    while True:
        ticks.append(1)
        eventlet.sleep(0.01)
def answer():
    before = len(ticks)
    while len(ticks) < before + 3:
        eventlet.sleep(0.01)
    theirs.send(b"x")
task = eventlet.spawn(tick)
ours, theirs = socket.socketpair()
for kind in (selectors.DefaultSelector, selectors.SelectSelector):
    with kind() as selector:
        assert kind.__module__.startswith("coopselectors")
        selector.register(ours, selectors.EVENT_READ)
        eventlet.spawn(answer)
        assert len(selector.select(10)) == 1
        assert ours.recv(1) == b"x"
eventlet.spawn(answer)
assert ours.recv(1) == b"x"
task.kill()
assert coopselectors.uninstall() == []
eventlet.sleep(0.01)
"""


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("hub", ["epolls", "poll", "selects", "asyncio"])
def test_the_hub_waits(run_python, hub, order):
    run_python(ORDERS[order] + PROGRAM, EVENTLET_HUB=hub, PYTHONWARNINGS="ignore")


#: What a program has made before it patches.
MADE = {
    "nothing": "kept = None",
    "standard": "import select, selectors\nkept = [selectors.DefaultSelector(), select.epoll()]",
    "selectors": "kept = [coopselectors.DefaultSelector(), coopselectors.SelectSelector()]",
    "primitive": "kept = coopselectors.select.poll()\nkept.poll(0)",
    "installed": "coopselectors.install(select=True)",
}


def said_by(script):
    """What a program writes to stderr; in what a test has started, eventlet looks for no locks."""
    own = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env=own,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize("made", MADE)
def test_it_finds_no_lock_that_it_cannot_make_green(made):
    script = f"import coopselectors, coopselectors.select\n{MADE[made]}\n{IMPORT}{PATCH}"
    # Since CPython 3.14, eventlet itself leaves one.
    assert said_by(script) == said_by(IMPORT + PATCH)


@pytest.mark.skipif(sys.version_info < (3, 10), reason="eventlet does not find locks there")
def test_it_tells_of_a_lock_that_it_cannot_make_green():
    """The test above looks for what eventlet says."""
    held = "import threading\nkept = (threading.RLock(),)\n"
    assert "not greened" in said_by(held + IMPORT + PATCH)
