"""What happens in the interpreter of one run?

    python integration/programs/interpreter.py NAME KIND RUNTIME ORDER LIMIT UNPATCHED ADDRESS

A scenario is a module with a function `program`, which does the program's work and asserts that the
results are right.  What the program imports is imported by that module: so it comes before the
patch, or after it, as the order says.  Until then nothing is imported here that a patch changes.
A function `asks` of that module tells whether the program goes through a selector, if it may not,
and SELECT is true if it goes through the `select` module instead.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import sys
from signal import alarm
from time import monotonic

import watch

#: Seconds.  A program waits for WAITED at least, and the hub never stands still for STANDS.
WAITED = 0.5
STANDS = 0.25

_LONGEST = 90  # characters of an error that still fit into a table


class Skipped(Exception):
    """The program cannot be run here; the text says why."""


class Here:
    """The process of a run: how to start something beside oneself, and where the server is."""

    def __init__(self, kind: str, runtime: str, order: str, address: str) -> None:
        self.ours = kind == "ours"
        self.runtime = runtime
        self.order = order
        #: Of the server that runs beside, in an ordinary process of its own.
        self.address = address
        #: What is known of a process that does the program's work elsewhere.
        self.stood = 0.0
        self.asked = 0
        if runtime == "gevent":
            import gevent

            self.spawn, self.sleep = gevent.spawn, gevent.sleep
        else:
            import eventlet

            self.spawn, self.sleep = eventlet.spawn, eventlet.sleep

    def together(self, *calls):
        """Run each in a greenlet of its own; the results, in order."""
        tasks = [self.spawn(call) for call in calls]
        return [task.get() if self.runtime == "gevent" else task.wait() for task in tasks]

    def skip(self, reason):
        raise Skipped(reason)


def patch(runtime: str, unpatched: str) -> None:
    """Patch all but one module, if that is named."""
    options = {unpatched: False} if unpatched else {}
    if runtime == "gevent":
        from gevent import monkey

        monkey.patch_all(**options)
    else:
        import eventlet

        eventlet.monkey_patch(**options)


def run(name: str, unpatched: str, *where: str) -> str:
    """The verdict on one program; `where` are the arguments of `Here`."""
    _, runtime, order, _ = where
    if order == "patched first":
        patch(runtime, unpatched)
    scenario = importlib.import_module(f"scenarios.{name}")
    if order == "imported first":
        patch(runtime, unpatched)
    here = Here(*where)
    asked = watch.install(getattr(scenario, "SELECT", False)) if here.ours else []
    ticker = watch.Ticker(here.spawn, here.sleep)
    here.sleep(0)
    started = monotonic()
    scenario.program(here)
    took = monotonic() - started
    stood = max(ticker.longest(), here.stood)
    if stood >= STANDS:
        return f"blocks the hub for {stood:.1f} s"
    if took < WAITED:
        return f"fails: it waited for {took:.2f} s only"
    asks = getattr(scenario, "asks", lambda here: True)
    if here.ours and asks(here) and not asked and not here.asked:
        return "fails: nothing of ours was asked"
    return "works"


def described(error: BaseException) -> str:
    text = f"{type(error).__name__}: {error}".partition("\n")[0]
    return text if len(text) <= _LONGEST else text[: text.rfind(" ", 0, _LONGEST)] + " ..."


def main() -> None:
    name, kind, runtime, order, limit, unpatched, address = sys.argv[1:]
    # Tell where it waits, before it is killed.
    faulthandler.dump_traceback_later(float(limit) * 0.9)
    alarm(int(limit) + 5)  # the end, should nobody be there any more to kill it
    try:
        verdict = run(name, unpatched, kind, runtime, order, address)
    except Skipped as reason:
        verdict = f"skipped: {reason}"
    except Exception as error:
        import traceback

        traceback.print_exc()
        verdict = f"fails: {described(error)}"
    print(f"\nverdict: {verdict}", flush=True)
    sys.stderr.flush()
    os._exit(0)  # whatever is still going on


if __name__ == "__main__":
    main()
