"""What may a signal handler do in the middle of one of our calls?  Anything, at any line.

A tracer raises the signal at the first line of ours that a call comes to, then, in another call, at
the second, and so on; so each line of the way is tried, in every runtime.
"""

from __future__ import annotations

import gc
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


OURS = os.path.dirname(coopselectors.__file__)

# Seconds by which a busy machine has done what takes some milliseconds.
LATE = 4


class Stop(Exception):
    """What a handler raises, or throws into another greenlet."""


class Lines:
    """Raises a signal at one line of ours, counted from the beginning of a call."""

    def __init__(self, handle):
        self._handle = handle
        self._main = getcurrent()
        self.seen = []
        self.wanted = 0
        signal.signal(signal.SIGUSR1, self._on_signal)

    def _on_signal(self, *_):
        sys.settrace(None)
        self._handle()

    def _trace(self, frame, event, _):
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        if event == "line" and getcurrent() is self._main:
            self.seen.append(f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}")
            if len(self.seen) == self.wanted:
                signal.raise_signal(signal.SIGUSR1)
        return self._trace

    def call(self, line, function):
        """What `function` returns or raises, with the signal at its `line`-th line."""
        self.wanted = line
        self.seen.clear()
        try:
            sys.settrace(self._trace)
            return function()
        except (Stop, ValueError, OSError) as error:
            return error
        finally:
            sys.settrace(None)

    @property
    def where(self):
        return self.seen[self.wanted - 1] if len(self.seen) >= self.wanted else None


class Scene:
    """A selector, or a primitive, that waits for a message which comes a little later."""

    def __init__(self, runtime, kind):
        self.runtime = runtime
        self.ours, self.theirs = socket.socketpair()
        self.kind = kind
        self.make()

    def make(self):
        if self.kind.endswith("Selector"):
            made = getattr(coopselectors, self.kind)()
            made.register(self.ours, EVENT_READ)
            self.wait, self.close = made.select, made.close
        elif self.kind == "select":
            self.wait = lambda seconds: coopselectors.select.select([self.ours], [], [], seconds)[0]
            self.close = lambda: None
        else:
            made = getattr(coopselectors.select, self.kind)()
            made.register(self.ours, 1)
            unit = 1000 if self.kind == "poll" else 1
            self.wait = lambda seconds: made.poll(seconds * unit)
            self.close = getattr(made, "close", lambda: None)

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
            if getattr(outer.watcher, "ref", False):
                found.append("the watcher keeps the loop alive")
            if outer.beside_threads:
                found.append(f"beside threads: {outer.beside_threads}")
    if runtime.owner == "gevent" and not runtime.hub().join(2):
        found.append("the hub goes on waiting")
    return found


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


def at_every_line(runtime, kind, what):
    """What is wrong after a handler that does `what`, line by line; and the number of lines."""
    scene = Scene(runtime, kind)
    lines = Lines(handlers(runtime, scene)[what])
    scene.wait(0.01)
    wrong, line = [], 1
    ends_early = what in ("closes", "raises")
    while len(wrong) < 3:
        task = scene.send_later()
        started = time.monotonic()
        answer = lines.call(line, lambda: scene.wait(LATE))
        took = time.monotonic() - started
        where = lines.where
        if isinstance(answer, Exception):
            if not ends_early:
                wrong.append(f"{where}: {answer!r}")
        elif (len(answer) != 1 or took > LATE - 0.1) and (answer or what != "closes"):
            wrong.append(f"{where}: {answer} after {took:.1f} s")
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
    lines = Lines(handlers(runtime, scene)[what])
    scene.wait(0.01)
    wrong, line = [], 1
    while len(wrong) < 3:
        started = time.monotonic()
        answer = lines.call(line, lambda: scene.wait(0.005))
        took = time.monotonic() - started
        where = lines.where
        if answer != [] or not 0.005 <= took < LATE:
            wrong.append(f"{where}: {answer!r} after {took:.3f} s")
        if where is None:
            break
        line += 1
    return [line, wrong + what_is_left(runtime)]


EVERYWHERE = ("selects on another", "sleeps", "raises")
# A poll object serves one at a time, and neither it nor select() can be closed.
OF_EACH = {
    "EpollSelector": (*EVERYWHERE, "selects on the same", "looks at the same", "closes"),
    "SelectSelector": (*EVERYWHERE, "selects on the same", "looks at the same", "closes"),
    "epoll": (*EVERYWHERE, "selects on the same", "closes"),
    "poll": EVERYWHERE,
    "select": (*EVERYWHERE, "selects on the same"),
}


def every_handler(runtime, kind):
    """{what the handler does: how many lines, and what went wrong}"""
    names = [*OF_EACH[kind], *(["throws into another"] if runtime.cooperative else [])]
    found = {name: at_every_line(runtime, kind, name) for name in names}
    for name in {"selects on the same", "selects on another", "sleeps"}.intersection(names):
        found[f"{name}, and nothing comes"] = timed_out_at_every_line(runtime, kind, name)
    return found


@pytest.mark.once
@pytest.mark.epoll
@pytest.mark.timeout(200)
@pytest.mark.parametrize("kind", OF_EACH)
def test_a_handler_may_do_anything(fresh, kind):
    found = fresh(every_handler, kind)
    assert not {name: wrong for name, (_, wrong) in found.items() if wrong}
    # Of a primitive of the ordinary process, hardly anything is ours.
    fewest = 3 if fresh.runtime == "native" else 40
    assert min(lines for lines, _ in found.values()) >= fewest, found
