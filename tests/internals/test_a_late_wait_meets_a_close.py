"""Is a thread woken that starts to wait in the kernel while another thread closes the selector?

Which lines meet is up to the interpreter, and one in thousands of runs shows it.  So a trace
function stops the thread at the line before its system call, and `poll` of the native object, which
close() calls once, lets it go on.
"""

from __future__ import annotations

import sys
import threading
import time

import pytest

from coopselectors import EVENT_READ
from coopselectors._backends._epoll import EpollBackend
from support import seams


@pytest.mark.epoll
@pytest.mark.runtimes("native")
@pytest.mark.classes("EpollSelector", "DefaultSelector")
def test_a_thread_at_the_line_before_its_system_call(runtime, Selector, connect, monkeypatch):
    real_epoll = seams.platform.epoll
    at_the_line, closing = threading.Event(), threading.Event()

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

    def trace(frame, event, _):
        code = frame.f_code
        if event == "call":
            return trace if code is EpollBackend.poll.__code__ else None
        if event == "line" and not at_the_line.is_set():
            at_the_line.set()
            closing.wait(10)
        return trace

    monkeypatch.setattr(seams.platform, "epoll", Epoll)
    selector = Selector()
    reader, _ = connect()
    selector.register(reader, EVENT_READ)
    told = []

    def wait():
        sys.settrace(trace)
        try:
            told.append(selector.select(10))
        except ValueError as error:
            told.append(str(error))

    thread = threading.Thread(target=wait)
    thread.start()
    assert at_the_line.wait(10)
    started = time.monotonic()
    selector.close()
    thread.join(12)
    assert told == ["Selector is closed"]
    assert time.monotonic() - started < 5
