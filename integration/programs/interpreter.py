"""What happens in the interpreter of one run?

    python integration/programs/interpreter.py NAME KIND RUNTIME ORDER LIMIT UNPATCHED ADDRESS

A scenario is a module with a function `program`, which does the program's work and asserts that the
results are right.  What the program imports is imported by that module: so it comes before the
patch, or after it, as the order says.  Until then nothing is imported here that a patch changes.
A function `asks` of that module tells whether a greenlet of this process has to wait in ours then,
if that is not always so.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import io
import os
import sys
from signal import alarm
from time import monotonic

import watch

#: Seconds.  A program waits for WAITED at least, and the hub never stands still for STANDS.
WAITED = 0.5
STANDS = 0.25

#: A program that patches by itself, later, has the last word on what it waits with.
OVERWRITTEN = "works, with the library's own selectors"


HOST = "127.0.0.1"


def socket():
    """The module as it is now: it must not be imported before the patch."""
    return importlib.import_module("socket")


class NotRun(Exception):
    """The program cannot be run here; the text says why."""


class Here:
    """The process of a run: how to start something beside oneself, and where the server is."""

    def __init__(self, kind: str, runtime: str, order: str, unpatched: str, address: str) -> None:
        self.kind = kind
        self.runtime = runtime
        self.order = order
        #: The module that is left out of the patch, if any is.
        self.unpatched = unpatched
        #: Of the server that runs beside, in an ordinary process of its own.
        self.address = address
        #: Of this run: several share a server.
        self.number = os.getpid()
        #: What is known of a process that does the program's work elsewhere.
        self.stood = 0.0
        self.asked = False
        if runtime == "gevent":
            import gevent

            self.spawn, self.sleep = gevent.spawn, gevent.sleep
        else:
            import eventlet

            self.spawn, self.sleep = eventlet.spawn, eventlet.sleep

    @property
    def ours(self) -> bool:
        return self.kind != "without"

    def together(self, *calls):
        """Run each in a greenlet of its own; the results, in order."""
        return [self.result(task) for task in [self.spawn(call) for call in calls]]

    def result(self, task):
        """What a greenlet has returned, when it is done."""
        return task.get() if self.runtime == "gevent" else task.wait()

    def until(self, holds, patience=30):
        """Sleep until that is so."""
        deadline = monotonic() + patience
        while not holds():
            assert monotonic() < deadline, "it did not come to that in time"
            self.sleep(0.02)

    def kill(self, task):
        """End a greenlet that serves forever."""
        task.kill()

    def free_port(self):
        """One that was free a moment ago, for a server that has to be told of one."""
        with socket().create_server((HOST, 0)) as listener:
            return listener.getsockname()[1]

    def listens(self, port):
        """Whether somebody accepts connections there."""
        try:
            socket().create_connection((HOST, port), 1).close()
        except OSError:
            return False
        return True

    def not_run(self, reason):
        raise NotRun(reason)


def patch(runtime: str, unpatched: str) -> None:
    """Patch all but one module, if that is named."""
    options = {unpatched: False} if unpatched else {}
    if runtime == "gevent":
        from gevent import monkey

        monkey.patch_all(**options)
        return
    import eventlet

    # It tells of everything that it could not patch, which is not of the program.
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        eventlet.monkey_patch(**options)
    for line in said.getvalue().splitlines():
        print(f"while eventlet patched: {line}", file=sys.stderr)


def run(name: str, *where: str) -> str:
    """The verdict on one program; `where` are the arguments of `Here`."""
    kind, runtime, order, unpatched, _ = where
    # The launcher of that kind has patched before it started this.
    patched = kind == "run" and not unpatched
    if order == "patched first" and not patched:
        patch(runtime, unpatched)
        watch.install(kind)
    scenario = importlib.import_module(f"scenarios.{name}")
    if order == "imported first":
        patch(runtime, unpatched)
        watch.install(kind)
    import logging

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    here = Here(*where)
    observer = watch.Observer() if here.ours else None
    ticker = watch.Ticker(here.spawn, here.sleep)
    here.sleep(0)
    started = monotonic()
    scenario.program(here)
    took = monotonic() - started
    stood = max(ticker.longest(), here.stood)
    ticker.stop()
    if stood >= STANDS:
        return f"blocks the hub for {stood:.1f} s"
    if took < WAITED:
        return f"fails: it waited for {took:.2f} s only"
    covered = kind in ("install(select=True)", "run") or not getattr(scenario, "SELECT", False)
    has_to = covered and getattr(scenario, "asks", lambda here: True)(here)
    if observer and has_to and not observer.seen and not here.asked:
        if kind == "run":
            return OVERWRITTEN
        return "fails: nothing of ours was asked"
    return "works"


def shortened(text: str, longest: int = 90) -> str:
    """The first line, short enough for a table."""
    text = text.partition("\n")[0].replace(sys.executable, "python")
    return text if len(text) <= longest else text[: text.rfind(" ", 0, longest)] + " ..."


def main() -> None:
    name, kind, runtime, order, limit, unpatched, address = sys.argv[1:]
    # Tell where it waits, before it is killed.
    faulthandler.dump_traceback_later(float(limit) * 0.9)
    alarm(int(float(limit)) + 5)  # the end, should nobody be there any more to kill it
    try:
        verdict = run(name, kind, runtime, order, unpatched, address)
    except NotRun as reason:
        verdict = f"not run: {reason}"
    except Exception as error:
        import traceback

        traceback.print_exc()
        verdict = f"fails: {shortened(f'{type(error).__name__}: {error}')}"
    # From here on it has to end by itself.
    print(f"\nverdict: {verdict}", flush=True)


if __name__ == "__main__":
    main()
