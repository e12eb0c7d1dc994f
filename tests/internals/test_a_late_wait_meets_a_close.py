"""What if a thread is about to wait in the kernel while another thread closes the selector?

Which lines meet is up to the interpreter, and one in thousands of runs shows it.  So a trace
function stops the thread at one line.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
import threading
import time

import pytest

from coopselectors import EVENT_READ
from coopselectors._backends._epoll import EpollBackend
from coopselectors._pollers._files_poller import FilesPoller
from support import seams

pytestmark = [pytest.mark.epoll, pytest.mark.runtimes("native")]


@contextlib.contextmanager
def thread_stopped_at(selector, function, text, go_on):
    """A thread that waits in select() has come to the line of a function with this text.

    It goes on when `go_on` is set.  Gives a list, where in the end there is what select() did.
    """
    lines, first = inspect.getsourcelines(function)
    [number] = [first + offset for offset, line in enumerate(lines) if text in line]
    is_there = threading.Event()
    told = []

    def trace(frame, event, _):
        if event == "call":
            return trace if frame.f_code is function.__code__ else None
        if event == "line" and frame.f_lineno == number and not is_there.is_set():
            is_there.set()
            go_on.wait(10)
        return trace

    def wait():
        sys.settrace(trace)
        try:
            told.append(selector.select(10))
        except Exception as error:
            told.append(f"{type(error).__name__}: {error}")

    thread = threading.Thread(target=wait)
    thread.start()
    assert is_there.wait(10)
    started = time.monotonic()
    yield told
    thread.join(12)
    assert time.monotonic() - started < 5


@pytest.mark.classes("EpollSelector", "DefaultSelector")
def test_it_is_at_the_line_of_its_system_call(runtime, Selector, connect, monkeypatch):
    real_epoll, closing = seams.platform.epoll, threading.Event()

    class Epoll:
        """The real one, but for what it tells the test."""

        def __init__(self):
            self.real = real_epoll()

        def poll(self, timeout, room):
            if room == 1:  # asked by close(), which may be overtaken here
                closing.set()
                time.sleep(0.1)
            return self.real.poll(timeout, room)

        def __getattr__(self, name):
            return getattr(self.real, name)

    monkeypatch.setattr(seams.platform, "epoll", Epoll)
    selector = Selector()
    selector.register(connect()[0], EVENT_READ)
    with thread_stopped_at(selector, EpollBackend.poll, "self.native.poll(", closing) as told:
        selector.close()
    assert told == ["ValueError: Selector is closed"]


@pytest.mark.classes("PollSelector", "SelectSelector")
def test_it_has_just_seen_a_shadow(runtime, selector, connect):
    selector.register(connect()[0], EVENT_READ)
    closed = threading.Event()
    with thread_stopped_at(selector, FilesPoller.before_sleep, ".look_up(", closed) as told:
        selector.close()
        closed.set()
    assert told == ["ValueError: Selector is closed"]
