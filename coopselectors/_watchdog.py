"""Which select call is blocking the hub?  A watch that reports it while it blocks."""

from __future__ import annotations

import re
import sys
from types import FrameType
from typing import Any, Callable, Optional

from . import _unpatched
from ._hubs import hub_for
from ._hubs._waiters import Heartbeat
from ._references import _standard
from ._unpatched import clock

#: The longest time that can be waited for on every platform, in seconds.
LONGEST = 2_000_000

_NAME = re.compile(r"\w+")
_METHODS = {"select", "poll", "control"}

# Modules that make such a call for others.
_CALLERS = ("selectors", f"{__package__}._backends.")

# Modules in which a hub itself waits.
_HUBS = ("gevent.", "eventlet.hubs.")


class Watch:
    """The result of `warn_blocking`.  As a context manager, it stops at the end of its block."""

    def __init__(
        self, threshold: float, report: Callable[[str], Any], heartbeat: Heartbeat
    ) -> None:
        self._threshold = threshold
        self._report = report
        self._heartbeat = heartbeat
        self._thread = _this_thread()
        self._stopped = False

    def stop(self) -> None:
        """Stop watching."""
        self._stopped = True

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def _run(self) -> None:
        pause = self._threshold / 4
        while not self.has_ended():
            answers = self._heartbeat.count
            self._heartbeat.ask()
            _unpatched.select((), (), (), pause)
            if self._heartbeat.count == answers:
                self._observe(answers, pause)

    def _observe(self, answers: int, pause: float) -> None:
        """Until the hub answers, see how long its thread stays in which frame."""
        seen: Optional[FrameType] = None
        since = 0.0
        told = True
        while self._heartbeat.count == answers and not self.has_ended():
            frame = sys._current_frames().get(self._thread)
            now = clock.monotonic()
            if frame is not seen:
                seen, since, told = frame, now - pause, False
            if frame is not None and not told and now - since >= self._threshold:
                told = True
                if _is_in_a_select_call(frame):
                    self._tell(frame, now - since)
            _unpatched.select((), (), (), pause)

    def has_ended(self) -> bool:
        """Return whether the watch was stopped or its hub has ended."""
        return self._stopped or self._heartbeat.outer.gone

    def _tell(self, frame: FrameType, seconds: float) -> None:
        import traceback

        stack = "".join(traceback.format_stack(frame))
        self._report(
            f"a select call has blocked the hub for {seconds:.2f} s and is still running:\n{stack}"
        )


def warn_blocking(threshold: float = 0.1, report: Optional[Callable[[str], Any]] = None) -> Watch:
    """Watch the calling thread's hub, and report select calls that block it.

    A real thread asks the hub again and again whether it still turns.  If the hub does not answer,
    and its thread has been in a call of ``select``, ``poll`` or the like for `threshold` seconds,
    `report` is called once, in the real thread, with a text that ends with the stack of the call.
    By default the text is written to ``sys.stderr``.  A call is recognised by
    its source line, so another call in a line that names ``select`` or the like may be reported,
    too.  Nothing else that blocks a hub is reported.

    Returns the watch.  It ends when its ``stop()`` is called, at the end of its ``with`` statement,
    with the hub, or in a forked child.  Raises ValueError for a threshold that is not above 0, or
    above 2,000,000 seconds, and RuntimeError if neither gevent nor eventlet has patched ``select``.
    """
    if not 0 < threshold <= LONGEST:
        raise ValueError(
            f"the threshold must be above 0 and at most {LONGEST} seconds, not {threshold!r}"
        )
    hub: Any = hub_for("select")
    if not hasattr(hub, "heartbeat"):
        raise RuntimeError(
            "neither gevent nor eventlet has patched select: there is no hub to watch; patch first"
        )
    watch = Watch(threshold, report or _to_stderr, hub.heartbeat())
    hub.start_thread(watch._run, ())
    return watch


def _to_stderr(text: str) -> None:
    print(f"coopselectors: {text}", file=sys.stderr, flush=True)


def _is_in_a_select_call(frame: FrameType) -> bool:
    import linecache

    module = str(frame.f_globals.get("__name__", ""))
    if module.startswith(_HUBS):
        return False
    if module.startswith(_CALLERS):
        return True
    # What is built in has no frame of its own, but the line names it, or what it belongs to.
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno, frame.f_globals)
    names = _NAME.findall(line) or [*frame.f_code.co_names, *frame.f_code.co_varnames]
    if _METHODS.intersection(names):
        return True
    variables = {**frame.f_globals, **frame.f_locals}
    return any(_standard.is_primitive(variables.get(name)) for name in names)


def _this_thread() -> int:
    """The real identity of the calling thread; patchers have their own idea of that."""
    frames, mine = sys._current_frames(), sys._getframe()
    return next(ident for ident, frame in frames.items() if frame is mine)
