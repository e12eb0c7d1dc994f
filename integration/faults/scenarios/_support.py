"""What do all scenarios share?  The process they are in, and the one line that they print.

    python integration/faults/scenarios/NAME.py KIND

A kind names a process and a selector in it: ``stdlib`` is the standard module in an ordinary
process, ``gevent-libev``, ``gevent-libuv`` and ``eventlet`` are those libraries' own selectors in a
process that they have patched, and the kinds that begin with ``ours-`` are coopselectors there.

A scenario is a function of (`here`, `Selector`), which returns nothing if all is well, or says what
is not: ``wrong: ...``, ``leak: ...``, ``spins: ...``, ``missing: ...`` or ``n/a: ...``.
"""

from __future__ import annotations

import gc
import os
import sys
from _thread import start_new_thread  # before any patch: it starts real ones
from time import monotonic, process_time

PEERS = ("stdlib", "gevent-libev", "gevent-libuv", "eventlet")
OURS = ("ours-native", "ours-gevent-libev", "ours-gevent-libuv", "ours-eventlet")

#: Those of ours, the best one first.
CLASSES = ("DefaultSelector", "PollSelector", "SelectSelector")

#: The share of the time from which on a process counts as spinning, which should sleep.  One that
#: sleeps takes less than a hundredth; one that spins gets what a busy machine leaves it.
SPINNING = 0.05

_LONGEST = 75  # characters of an error that still fit into a table

_LOOPS = {"gevent-libev": "libev-cext", "gevent-libuv": "libuv-cffi"}


class StillWaiting(Exception):
    """A task should have ended by now."""


class Task:
    """A function that runs beside the scenario, in a greenlet or, without a hub, in a thread."""

    def __init__(self, function, arguments):
        self._call = function, arguments
        self._outcome = None  # (result, error), once it has ended

    def run(self):
        function, arguments = self._call
        started = monotonic()
        result = error = None
        try:
            result = function(*arguments)
        except BaseException as raised:
            error = raised
        self.took = monotonic() - started
        self._outcome = result, error

    @property
    def ended(self):
        return self._outcome is not None

    def outcome(self):
        """What the function returned; if it failed, its error is raised here."""
        if self._outcome is None:
            raise StillWaiting
        result, error = self._outcome
        if error is not None:
            raise error
        return result


class Here:
    """The process of a scenario: what is patched, and how to run something beside oneself."""

    hub = ""

    def __init__(self, kind):
        self.kind = kind
        self.ours = kind in OURS
        #: What the scenario's `before_patch` returned.
        self.before = None
        import threading
        import time

        self.sleep = time.sleep
        self._start = lambda run: threading.Thread(target=run, daemon=True).start()

    def spawn(self, function, *arguments):
        task = Task(function, arguments)
        task.handle = self._start(task.run)
        return task

    def join(self, task, limit=5.0):
        """Wait for a task; say whether it has ended."""
        deadline = monotonic() + limit
        while not task.ended and monotonic() < deadline:
            self.sleep(0.005)
        return task.ended

    def spinning(self, seconds=0.5):
        """Do nothing for a while; return a verdict if that keeps the processor busy."""
        started, used = monotonic(), process_time()
        self.sleep(seconds)
        share = (process_time() - used) / (monotonic() - started)
        return "spins" if share > SPINNING else ""

    def run_in_thread(self, function):
        """Run `function` in a real thread, whatever is patched."""
        task = Task(function, ())
        start_new_thread(task.run, ())
        return task


class Gevent(Here):
    hub = "gevent"

    def __init__(self, kind):
        os.environ["GEVENT_LOOP"] = _LOOPS[kind.replace("ours-", "")]
        import gevent.monkey

        gevent.monkey.patch_all()
        super().__init__(kind)
        self._start = gevent.spawn
        self.sleep = gevent.sleep
        gevent.get_hub()  # a loop that is not installed is noticed here

    def kill(self, task):
        task.handle.kill()


class Eventlet(Here):
    hub = "eventlet"

    def __init__(self, kind):
        import eventlet

        eventlet.monkey_patch()
        super().__init__(kind)
        self._start = eventlet.spawn
        self.sleep = eventlet.sleep

    def kill(self, task):
        task.handle.kill()


def enter(kind):
    """Turn this process into one of `kind`, for good."""
    place = kind.replace("ours-", "")
    if place in _LOOPS:
        return Gevent(kind)
    return Eventlet(kind) if place == "eventlet" else Here(kind)


def module_of(kind):
    """The module whose selectors a process of `kind` uses."""
    if kind in OURS:
        import coopselectors

        return coopselectors
    import selectors

    return selectors


def open_descriptors():
    """How many descriptors this process has open, and the garbage collector cannot close."""
    gc.collect()
    return len(os.listdir("/dev/fd"))


def allow_descriptors(number):
    """Raise the process's limit; say whether that many descriptors can be open now."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < number:
        if hard != resource.RLIM_INFINITY and hard < number:
            return False
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
    return True


def run(scenario, *, classes=CLASSES, before_patch=None):
    """Run a scenario in a process of the kind that is asked for, and print the verdict.

    `classes` are those of ours that it is meant for.  Of the others their best class is tried.
    `before_patch` is called with the selectors module before anything is patched.
    """
    kind = sys.argv[1] if len(sys.argv) == 2 else ""
    if kind not in PEERS + OURS:
        sys.exit(f"usage: {sys.argv[0]} {{{','.join(PEERS + OURS)}}}")
    try:
        if kind in OURS:
            module_of(kind)  # before the patch: the order in which most programs get it wrong
        before = before_patch(module_of(kind)) if before_patch else None
        here = enter(kind)
    except ImportError as error:
        print("verdict: not installed")
        print(error, file=sys.stderr)
        return
    here.before = before
    verdict = "fine"
    if not here.ours:
        classes = CLASSES[:1]
    for name in classes:
        verdict = _verdict(scenario, here, getattr(module_of(kind), name))
        if verdict.partition(":")[0] != "fine":
            if name != CLASSES[0]:
                verdict += f" ({name})"
            break
    print(f"verdict: {verdict}", flush=True)


def _verdict(scenario, here, Selector):
    try:
        return scenario(here, Selector) or "fine"
    except StillWaiting:
        return "hang: the waiter never returns"
    except Exception as error:
        import traceback

        traceback.print_exc()
        first, _, _ = f"error: {type(error).__name__}: {error}".partition(". ")
        return first if len(first) <= _LONGEST else first[: first.rfind(" ", 0, _LONGEST)]
