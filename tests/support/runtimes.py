"""The runtimes that the tests run in, and what a test may ask of each.

A test gets one of these as its `runtime`.  The names are the runtimes of ``python -m
coopselectors``.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import os
import select
import sys
import threading
import time
import traceback
import warnings
from _thread import start_new_thread  # before any patch: it starts real ones
from typing import Any, Callable


def _private_selectors() -> Any:
    """The standard module's classes in a copy that no patcher knows of."""
    spec = importlib.util.find_spec("selectors")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


__all__ = [
    "BACKENDS",
    "RUNTIMES",
    "Runtime",
    "enter",
    "family",
    "missing",
    "standard",
    "start_new_thread",
]

#: What ours are held against: made before anything is patched.
standard = _private_selectors()

#: Each with the modules that it needs.
RUNTIMES = {
    "native": (),
    "gevent-libev": ("gevent",),
    "gevent-libuv": ("gevent", "_cffi_backend"),
    "eventlet": ("eventlet",),
}

#: {another backend of one of these: which of them a test for it is for}.  Their names end in what
#: gevent's GEVENT_BACKEND and eventlet's EVENTLET_HUB have to say.  libev's linux_iouring is not
#: one of them: with it, gevent 26.9 aborts as soon as a file is closed after a Timeout.
BACKENDS = {
    "gevent-libev-poll": "gevent-libev",
    "gevent-libev-select": "gevent-libev",
    "eventlet-poll": "eventlet",
    "eventlet-selects": "eventlet",
    "eventlet-asyncio": "eventlet",
}


def family(name: str) -> str:
    """The runtime that `name` is, or is another backend of."""
    return BACKENDS.get(name, name)


def missing(name: str) -> str:
    """What `name` lacks on this machine, or nothing."""
    needed = RUNTIMES[family(name)]
    lacking = [module for module in needed if importlib.util.find_spec(module) is None]
    return f"not installed: {', '.join(lacking)}" if lacking else ""


class Runtime:
    """The ordinary process: whatever runs beside a test is a thread."""

    cooperative = False
    owner = "native"

    def __init__(self, name: str) -> None:
        self.name = name
        self.sleep: Callable[[float], Any] = time.sleep
        #: Whether a thread that is blocked in `select` hears of changes that other threads make.
        self.wakes_threads = hasattr(select, "epoll") or hasattr(select, "kqueue")

    def introduce(self, selector: Any) -> None:
        """Wait in `selector`, of which nothing may be ready, until the hub holds its descriptor."""
        for _ in range(3):  # a slow machine's time may be up before it slept
            selector.select(0.005)

    def settle(self) -> None:
        """Let others run until whoever was spawned waits, or has ended."""
        for _ in range(5):  # each is a turn of the hub's loop
            self.sleep(0.004)

    def is_idle(self) -> bool:
        """Whether the processor is used no longer; whoever is at work has ten seconds to finish."""
        for _ in range(50):
            used = -time.process_time()
            self.sleep(0.2)
            if used + time.process_time() < 0.05:
                return True
        return False

    def threads(self) -> int:
        """How many real threads this process has."""
        return len(os.listdir("/proc/self/task"))

    def cost_of_waiting_in(self, selector: Any, seconds: float = 0.1) -> float:
        """Seconds of the processor's time that a wait takes in which nothing becomes ready.

        The least of three: whoever else works in this process now and then is left out.
        """
        used = []
        for _ in range(3):
            used.append(-time.process_time())
            assert selector.select(seconds) == []
            used[-1] += time.process_time()
        return min(used)

    def spawn(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run something beside the test; returns what `join` takes."""
        outcome: list[Any] = []

        def run() -> None:
            try:
                outcome.append((function(*arguments), None))
            except BaseException as error:
                outcome.append((None, error))

        thread = threading.Thread(target=run, daemon=True)
        thread.outcome = outcome  # type: ignore[attr-defined]
        thread.start()
        return thread

    def start_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run something in a real thread under any patch; returns what `join_thread` takes."""
        outcome: list[Any] = []

        def run() -> None:
            try:
                done = function(*arguments), None
            except BaseException as error:
                done = None, error
            self.leave_thread()
            outcome.append(done)

        start_new_thread(run, ())
        return outcome

    def join_thread(self, outcome: Any) -> Any:
        """Let others run until a thread has ended; return its result or raise its error."""
        while not outcome:
            self.sleep(0.002)
        result, error = outcome[0]
        if error is not None:
            raise error
        return result

    def leave_thread(self) -> None:
        """What a thread that ends has to do for this runtime."""

    def enter_child(self) -> None:
        """What a forked child has to do for this runtime."""

    def census(self) -> dict[str, int]:
        """How many of what could be left behind there are."""
        return {"descriptors": len(self.descriptors()), **self._of_the_hub()}

    def grown(self, before: dict[str, int]) -> dict[str, int]:
        """What there is more of than in an earlier census.

        It may be less as well, as what an earlier test has left goes at any time.
        """
        now = self.census().items()
        return {name: count - before[name] for name, count in now if count > before[name]}

    def descriptors(self) -> dict[str, str]:
        """What this process has open: ``{number: what it is}``."""
        from .seams import wakeup_fd  # here, as coopselectors is not imported with this module

        wakeup_fd()  # opened at need; who needs it next would seem to leave it behind
        gc.collect()
        found = {}
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(FileNotFoundError):  # the listing's own
                found[name] = os.readlink(f"/proc/self/fd/{name}")
        return found

    def _of_the_hub(self) -> dict[str, int]:
        return {}

    def join(self, task: Any) -> Any:
        """Wait for a task's end; return its result or raise its error."""
        task.join(20)
        if not task.outcome:
            frame = sys._current_frames()[task.ident]
            raise AssertionError("still running:\n" + "".join(traceback.format_stack(frame)))
        result, error = task.outcome[0]
        if error is not None:
            raise error
        return result


class Gevent(Runtime):
    cooperative = True
    owner = "gevent"

    def __init__(self, name: str) -> None:
        _, loop, *backend = name.split("-")
        # On PyPy, libev is a cffi module, too.
        loops = {"libev": "libev-cext,libev-cffi", "libuv": "libuv-cffi"}
        os.environ["GEVENT_LOOP"] = loops[loop]
        if backend:
            os.environ["GEVENT_BACKEND"] = backend[0]
        import gevent.monkey

        gevent.monkey.patch_all()
        super().__init__(name)
        self.sleep = gevent.sleep
        self.spawn = gevent.spawn
        self.Timeout = gevent.Timeout
        self.Killed = gevent.GreenletExit
        # A test that fails on purpose in a greenlet shall not fill the log.
        gevent.get_hub().exception_stream = None

    def join(self, task: Any) -> Any:
        return task.get(timeout=20)

    def kill(self, task: Any) -> None:
        task.kill()

    def throw(self, task: Any, error: BaseException) -> None:
        task.kill(error)

    def hub(self) -> Any:
        import gevent

        return gevent.get_hub()

    def call_in_hub(self, function: Callable[[], Any]) -> None:
        self.hub().loop.run_callback(function)

    def leave_thread(self) -> None:
        self.hub().destroy()

    def _of_the_hub(self) -> dict[str, int]:
        kind = self.hub().loop.WatcherType
        watchers = [found for found in gc.get_objects() if isinstance(found, kind)]
        return {
            "watchers": len(watchers),
            "active": sum(watcher.active for watcher in watchers),
            # what keeps the loop alive: somebody waits
            "waited for": sum(bool(each.active and each.ref) for each in watchers),
        }


def default_hub() -> str:
    """eventlet's usual choice, also where the platform is a stand-in, which it would not see."""
    for primitive, hub in (("epoll", "epolls"), ("kqueue", "kqueue"), ("poll", "poll")):
        if hasattr(select, primitive):
            return hub
    return "selects"


class Eventlet(Runtime):
    cooperative = True
    owner = "eventlet"

    def __init__(self, name: str) -> None:
        import greenlet

        os.environ["EVENTLET_HUB"] = name.partition("-")[2] or default_hub()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # eventlet warns of itself
            import eventlet
            import eventlet.debug
            import eventlet.patcher

        vars(eventlet.patcher.original("select")).update(
            {each: vars(select)[each] for each in vars(select) if each.startswith(("k", "KQ"))}
        )
        eventlet.monkey_patch()
        eventlet.debug.hub_exceptions(False)
        super().__init__(name)
        self.sleep = eventlet.sleep
        self.spawn = eventlet.spawn
        self.Timeout = eventlet.Timeout
        self.Killed = greenlet.GreenletExit

    def join(self, task: Any) -> Any:
        return task.wait()

    def kill(self, task: Any) -> None:
        task.kill()

    def throw(self, task: Any, error: BaseException) -> None:
        task.kill(error)

    def hub(self) -> Any:
        import eventlet.hubs

        return eventlet.hubs.get_hub()

    def call_in_hub(self, function: Callable[[], Any]) -> None:
        self.hub().schedule_call_global(0, function)

    def enter_child(self) -> None:
        # eventlet 0.41 gives it the loop of whichever thread was the last to make a hub.
        if hasattr(self.hub(), "loop"):
            sys.modules["asyncio.events"]._set_running_loop(self.hub().loop)

    def _of_the_hub(self) -> dict[str, int]:
        hub = self.hub()
        timers = [timer for _, timer in hub.timers] + [timer for _, timer in hub.next_timers]
        return {
            "listeners": sum(len(bucket) for bucket in hub.listeners.values()),
            "secondaries": sum(len(bucket) for bucket in hub.secondaries.values()),
            "timers": sum(not timer.called for timer in timers),
        }


def enter(name: str) -> Runtime:
    """Turn this process into one of runtime `name`, for good."""
    if name == "native":
        return Runtime(name)
    return Eventlet(name) if family(name) == "eventlet" else Gevent(name)
