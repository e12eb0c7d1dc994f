"""What may a signal handler do in the middle of one of our calls?  Anything, at any line.

A tracer raises the signal at the first line of ours that a call comes to, then, in another call, at
the second, and so on; so each line of the way is tried, in every runtime, and those that the hub
runs as well.
"""

from __future__ import annotations

import gc
import linecache
import os
import signal
import socket
import sys
import time

import pytest

import coopselectors
import coopselectors.select
from coopselectors import EVENT_READ

try:
    from greenlet import getcurrent
except ImportError:  # then there is no hub, and only one stack per thread

    def getcurrent():
        return None


pytestmark = pytest.mark.uncounted

OURS = os.path.dirname(coopselectors.__file__)

EPOLLEXCLUSIVE = 1 << 28

# Seconds by which a busy machine has done what takes some milliseconds.
LATE = 1


TRACERS = []


class Stop(Exception):
    """What a handler raises, or throws into another greenlet."""


class Lines:
    """Raises a signal at one line of ours, counted from the beginning of a call."""

    def __init__(self, runtime, handle, in_hub=False):
        self._handle = handle
        self._runtime = runtime
        self._in_hub = in_hub
        hub = runtime.hub() if in_hub else None
        self._greenlet = getattr(hub, "greenlet", hub) if in_hub else getcurrent()
        self.seen = []
        self.wanted = 0
        # greenlet counts no reference to the tracer that it keeps for a greenlet.
        self._tracer = self._trace
        TRACERS.append(self._tracer)
        signal.signal(signal.SIGUSR1, self._on_signal)

    def _on_signal(self, *_):
        sys.settrace(None)
        self._handle()

    def _trace(self, frame, event, _):
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        is_wanted = event == "line" and getcurrent() is self._greenlet
        # The interpreter runs no handler at a bare `try`, of which only a tracer hears.
        if (
            is_wanted
            and linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip() != "try:"
        ):
            self.seen.append(f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}")
            if len(self.seen) == self.wanted:
                signal.raise_signal(signal.SIGUSR1)
        return self._tracer

    def call(self, line, function):
        """What `function` returns or raises, with the signal at its `line`-th line."""
        self.wanted = line
        self.seen.clear()
        try:
            if self._in_hub:  # where there is a tracer for each greenlet
                self._runtime.call_in_hub(lambda: sys.settrace(self._tracer))
            else:
                sys.settrace(self._tracer)
            return function()
        except (Stop, ValueError, OSError) as error:
            return error
        finally:
            sys.settrace(None)
            self.wanted = 0  # a generator's frame may keep this tracer
            if self._in_hub:
                self._runtime.call_in_hub(lambda: sys.settrace(None))
                self._runtime.settle()

    def where(self, line):
        """What the `line`-th line of the last call was; None if it did not have so many."""
        return self.seen[line - 1] if len(self.seen) >= line else None


class Scene:
    """A selector, or a primitive, that waits for a message which comes a little later."""

    def __init__(self, runtime, kind):
        self.runtime = runtime
        self.ours, self.theirs = socket.socketpair()
        self.kind = kind
        # As deep as the kernel allows epolls to be nested; see `refuse_nesting`.
        self.chain = [coopselectors.select.epoll() for _ in range(4)]
        for outer, inner in zip(self.chain, self.chain[1:]):
            outer.register(inner.fileno(), 1)
        self.make()

    def make(self):
        if self.kind.endswith("Selector"):
            made = getattr(coopselectors, self.kind)()
            made.register(self.ours, EVENT_READ)
            self.wait, self.close = made.select, made.close
        elif self.kind == "first wait":
            self.make_selector()
        elif self.kind == "exclusive":
            self.make_selector(extra_events=EPOLLEXCLUSIVE)
        elif self.kind == "refused":
            self.make_selector()
            self.selector.register(self.chain[0], EVENT_READ)
        elif self.kind == "select":
            self.wait = lambda seconds: coopselectors.select.select([self.ours], [], [], seconds)[0]
            self.close = lambda: None
        else:
            made = getattr(coopselectors.select, self.kind)()
            made.register(self.ours, 1)
            unit = 1000 if self.kind == "poll" else 1
            self.wait = lambda seconds: made.poll(seconds * unit)
            self.close = getattr(made, "close", lambda: None)

    def make_selector(self, **how):
        self.selector = coopselectors.EpollSelector()
        self.selector.register(self.ours, EVENT_READ, **how)
        self.wait, self.close = self.selector.select, self.selector.close

    def before_wait(self):
        """Have the next wait be the first of its hub, if that is what this is about."""
        if self.kind == "first wait" and self.runtime.cooperative:
            outer = vars(self.runtime.hub()).pop("_coopselectors_outer", None)
            if outer is not None:
                outer.close()

    def send_later(self):
        def send():
            self.runtime.sleep(0.002)
            self.theirs.send(b"x")

        return self.runtime.spawn(send)

    def drain(self):
        self.ours.setblocking(False)
        try:
            return len(self.ours.recv(9))
        except BlockingIOError:
            return 0
        finally:
            self.ours.setblocking(True)


def what_is_left(runtime):
    """Whatever waits in this thread's hub although everybody has come back."""
    gc.collect()
    runtime.sleep(0.01)
    found = []
    if runtime.cooperative:
        outer = getattr(runtime.hub(), "_coopselectors_outer", None)
        if outer is not None:
            if outer.sleepers:
                found.append(f"sleepers: {outer.sleepers}")
            if outer.handed is not None:
                found.append(f"handed: {outer.handed}")
            if outer.beside_threads:
                found.append(f"beside threads: {outer.beside_threads}")
    if runtime.owner == "gevent" and not runtime.hub().join(2):
        found.append("the hub goes on waiting")
    return found


def keeps_alive(runtime):
    """Does the hub go on although nobody sleeps there, or may it end although somebody does?"""
    outer = getattr(runtime.hub(), "_coopselectors_outer", None) if runtime.cooperative else None
    return outer is not None and outer.watcher.ref != bool(outer.sleepers)


def handlers(runtime, scene):
    """{name: what the handler does}"""
    other = coopselectors.DefaultSelector()
    idle, _peer = socket.socketpair()
    other.register(idle, EVENT_READ)
    scene.keep = _peer

    def fail():
        raise Stop

    def throw():
        def waiting():
            try:
                other.select(5)
            except Stop:
                return "thrown"

        task = runtime.spawn(waiting)
        runtime.sleep(0.001)
        runtime.throw(task, Stop())

    return {
        "selects on the same": lambda: scene.wait(0.002),
        "looks at the same": lambda: scene.wait(0),
        "selects on another": lambda: other.select(0.002),
        "sleeps": lambda: runtime.sleep(0.002),
        "closes": lambda: scene.close(),  # noqa: PLW0108 - the one of that time
        "raises": fail,
        "throws into another": throw,
    }


def at_every_line(runtime, kind, what, in_hub=False):
    """What is wrong after a handler that does `what`, line by line; and the number of lines."""
    scene = Scene(runtime, kind)
    lines = Lines(runtime, handlers(runtime, scene)[what], in_hub)
    scene.wait(0.01)
    wrong, line = [], 1
    ends_early = what in ("closes", "raises")
    # Like the standard class, one of an ordinary process goes on to wait for what it had.
    waits_on = what == "closes" and not runtime.cooperative
    longest = 0.01 if waits_on else 2 * LATE
    while len(wrong) < 3:
        scene.before_wait()
        task = scene.send_later()
        started = time.monotonic()
        answer = lines.call(line, lambda: scene.wait(longest))
        took = time.monotonic() - started
        where = lines.where(line)
        is_right = ends_early if isinstance(answer, Exception) else len(answer) == 1
        if not (is_right or (waits_on and answer == [])) or took > LATE:
            wrong.append(f"{where}: {answer!r} after {took:.1f} s")
        if keeps_alive(runtime):
            wrong.append(f"{where}: the watcher keeps the loop alive, or does not")
        runtime.join(task)
        scene.drain()
        if what == "closes":
            scene.close()
            scene.make()
        if where is None:
            break
        line += 1
    # Whatever happened, it is none of the next wait's business.
    started = time.monotonic()
    nothing = scene.wait(0.05)
    took = time.monotonic() - started
    if nothing or not 0.05 <= took < LATE:
        wrong.append(f"afterwards: {nothing} after {took:.2f} s")
    scene.theirs.send(b"x")
    if len(scene.wait(5)) != 1:
        wrong.append("afterwards: a message is not heard of")
    return [line, wrong + what_is_left(runtime)]


def timed_out_at_every_line(runtime, kind, what):
    """The same where nothing comes: the time-out holds, never early, never late."""
    scene = Scene(runtime, kind)
    lines = Lines(runtime, handlers(runtime, scene)[what])
    scene.wait(0.01)
    wrong, line = [], 1
    while len(wrong) < 3:
        scene.before_wait()
        started = time.monotonic()
        answer = lines.call(line, lambda: scene.wait(0.002))
        took = time.monotonic() - started
        where = lines.where(line)
        if answer != [] or not 0.002 <= took < LATE:
            wrong.append(f"{where}: {answer!r} after {took:.3f} s")
        if keeps_alive(runtime):
            wrong.append(f"{where}: the watcher keeps the loop alive, or does not")
        if where is None:
            break
        line += 1
    return [line, wrong + what_is_left(runtime)]


IN_HUB = ("raises", "closes", "looks at the same")  # nothing else is allowed there
EVERYWHERE = ("selects on another", "sleeps", "raises")
# A poll object serves one at a time, and neither it nor select() can be closed.
OF_EACH = {
    "EpollSelector": (*EVERYWHERE, "selects on the same", "looks at the same", "closes"),
    "SelectSelector": (*EVERYWHERE, "selects on the same", "looks at the same", "closes"),
    "first wait": ("selects on another", "raises", "closes"),
    "exclusive": (*EVERYWHERE, "selects on the same", "looks at the same", "closes"),
    "refused": (*EVERYWHERE, "selects on the same", "looks at the same", "closes"),
    "epoll": (*EVERYWHERE, "selects on the same", "closes"),
    "poll": EVERYWHERE,
    "select": (*EVERYWHERE, "selects on the same"),
}


def every_handler(runtime, kind):
    """{what the handler does: how many lines, and what went wrong}"""
    names = [*OF_EACH[kind], *(["throws into another"] if runtime.cooperative else [])]
    found = {name: at_every_line(runtime, kind, name) for name in names}
    timed = {"selects on the same", "selects on another", "sleeps"}.intersection(names)
    for name in timed if kind != "first wait" else ():
        found[f"{name}, and nothing comes"] = timed_out_at_every_line(runtime, kind, name)
    if runtime.cooperative:
        for name in set(IN_HUB).intersection(names):
            found[f"{name}, in the hub"] = at_every_line(runtime, kind, name, in_hub=True)
    return found


# The others take five minutes altogether, and the interpreter makes little difference to them.
KINDS = [
    pytest.param(kind, marks=[] if kind == "EpollSelector" else pytest.mark.once)
    for kind in OF_EACH
]


@pytest.mark.epoll
@pytest.mark.timeout(200)
@pytest.mark.parametrize("kind", KINDS)
def test_a_handler_may_do_anything(fresh, kind):
    found = fresh(every_handler, kind)
    assert not {name: wrong for name, (_, wrong) in found.items() if wrong}
    for name, (lines, _) in found.items():
        # Of a primitive of the ordinary process, hardly anything is ours.
        assert lines >= (3 if fresh.runtime == "native" else 15 if "hub" in name else 40), found


def closed_at_every_line(runtime, kind):
    """The lines of close() at which a handler that raises leaves somebody waiting."""
    wrong, line, where = [], 1, "none"
    while where is not None and len(wrong) < 3:
        scene = Scene(runtime, kind)

        def fail():
            raise Stop

        lines = Lines(runtime, fail)

        def wait(scene=scene):
            try:
                return scene.wait(5)
            except ValueError:
                return "closed"

        task = runtime.spawn(wait)
        runtime.sleep(0.002)
        lines.call(line, scene.close)
        scene.close()  # as whoever caught that would, or a with statement
        started = time.monotonic()
        said = runtime.join(task)
        where = lines.where(line)
        # A lock that the handler has kept from being given back is taken over after a second.
        if said != "closed" or time.monotonic() - started > 3:
            wrong.append(f"{where}: {said!r}")
        line += 1
    return [line, wrong + what_is_left(runtime)]


@pytest.mark.epoll
@pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
@pytest.mark.parametrize("kind", ["EpollSelector", "SelectSelector", "exclusive", "refused"])
def test_a_handler_that_raises_in_close_leaves_nobody_waiting(fresh, kind):
    lines, wrong = fresh(closed_at_every_line, kind)
    assert wrong == []
    assert lines > 10


def seconds_used_by_a_handler_that_sleeps(runtime, kind):
    """The most that the process computes while a handler waits and its greenlet's file is ready."""
    scene, used = Scene(runtime, kind), []

    def sleep():
        scene.theirs.send(b"x")
        used.append(-time.process_time())
        runtime.sleep(0.05)
        used[-1] += time.process_time()

    lines = Lines(runtime, sleep)
    scene.wait(0.01)
    line, is_there = 1, True
    while is_there:
        lines.call(line, lambda: scene.wait(0.01))
        scene.drain()
        is_there = lines.where(line) is not None
        line += 1
    return [line, max(used)]


@pytest.mark.once
@pytest.mark.epoll
@pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
@pytest.mark.parametrize("kind", ["EpollSelector", "select"])
def test_a_handler_that_sleeps_does_not_make_the_hub_spin(fresh, kind):
    lines, used = fresh(seconds_used_by_a_handler_that_sleeps, kind)
    assert lines > 40
    assert used < 0.03


def timers_left_open(runtime, what, in_hub):
    """How many timers of libuv's stay open, after one round and two; and how many were made."""
    loop, made = runtime.hub().loop, []
    make = type(loop).timer

    def timer(*arguments, **options):
        made.append(make(loop, *arguments, **options))
        return made[-1]

    loop.timer = timer
    left_open = []
    for _ in range(2):
        at_every_line(runtime, "EpollSelector", what, in_hub)
        # close() takes the loop away from a timer.
        left_open.append(len([each for each in made if getattr(each, "loop", None) is not None]))
    return [*left_open, len(made)]


@pytest.mark.epoll
@pytest.mark.runtimes("gevent-libuv")
@pytest.mark.parametrize("in_hub", [False, True], ids=["in_its_greenlet", "in_the_hub"])
@pytest.mark.parametrize("what", ["raises", "looks at the same"])
def test_a_handler_leaves_no_timer_open(fresh, what, in_hub):
    # libuv goes on using the memory of a timer that was freed without that.
    first, second, made = fresh(timers_left_open, what, in_hub)
    assert second == first <= 1  # one is kept, which wakes whoever was in a signal handler
    assert made > 20
