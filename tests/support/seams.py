"""Which private names of the package do tests depend on?  These, beside those in internals/.

Each is here because nothing public leads there, with the reason.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from coopselectors import _unpatched, _wakeup, select
from coopselectors._check import _rows
from coopselectors._commands import audit as audit_command
from coopselectors._hubs import _waiting_thread, hub_for

#: Where the package looks up what the unpatched platform offers.  A platform without a primitive,
#: and a kernel that refuses, are imitated by replacing its attributes.
platform = _unpatched

#: Where it looks up the system's own calls.
system = _unpatched.system


def wakeup_fd() -> int:
    """The descriptor that wakes threads.

    It is opened at need, and kept: a test that counts descriptors has it opened before, and
    another one closes it as a careless program might.
    """
    return _wakeup.wakeup_fd()


def outer_epoll(hub: Any) -> int | None:
    """The descriptor of ours that a hub watches, if it has come to that.

    What is left in it after a selector is gone shows in /proc only, and to whoever knows it.
    """
    outer = getattr(hub, "_coopselectors_outer", None)
    return outer and outer.fd


def forget_idle_threads(monkeypatch: Any) -> None:
    """Have threads that wait for greenlets started anew, so that a test sees how many it takes."""
    monkeypatch.setattr(_waiting_thread.pool, "_idle", [])


def until_threads_wait(runtime: Any, count: int) -> None:
    """Let others run until so many threads wait for greenlets, and the others are idle.

    When a killed greenlet is gone, its thread is still on its way back, and nobody hears of it.
    """
    until = time.monotonic() + 10
    while len(_waiting_thread.pool._under_way) != count:
        assert time.monotonic() < until
        runtime.sleep(0.002)


def trace_all_threads(monkeypatch: Any) -> None:
    """Have what measures coverage look into threads that `threading` knows nothing of."""
    hub = hub_for("select")
    start = getattr(hub, "start_thread", None)

    def traced(function: Any, arguments: Any) -> None:
        sys.settrace(threading._trace_hook)  # type: ignore[attr-defined]
        function(*arguments)

    if start is not None:
        monkeypatch.setattr(hub, "start_thread", lambda *how: start(traced, how))


def trace_audit_thread(monkeypatch: Any) -> None:
    """Likewise into the thread that says that an audit goes on."""
    start = audit_command._start_thread

    def traced(function: Any, arguments: Any) -> None:
        sys.settrace(threading._trace_hook)  # type: ignore[attr-defined]
        function(*arguments)

    monkeypatch.setattr(audit_command, "_start_thread", lambda *how: start(traced, how))


def time_slice(lasts: bool) -> None:
    """Whether a primitive that finds something at once may return without giving way here.

    The clock says so, and a test that makes some thousand calls cannot wait for it each time.
    """
    select._waiting.find_way().thread.slice_ends = 1e12 if lasts else 0


#: The self-check's module that starts processes: a test shortens its pause, and has a process
#: replaced by one that does wrong.
self_check = _rows


def no_turn_is_due(hub: Any) -> None:
    """Have gevent's loop not turn between the call of a select and the look at its descriptor.

    A loop that turns after somebody has closed its descriptor ends the process.
    """
    hub._coopselectors_due = float("inf")


def a_turn_is_due(hub: Any) -> None:
    """Have gevent's loop turn at the next select, and then as usual."""
    hub._coopselectors_due = 0.0
