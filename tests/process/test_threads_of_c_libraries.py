"""Is a thread that Python did not start woken like any other?"""

from __future__ import annotations

import ctypes
import sys
import time
from posix import close, dup

import pytest

from coopselectors import EVENT_READ
from support import TESTS

pytestmark = [pytest.mark.wakes_threads]


class CThread:
    """Calls a function in a thread of the C library's own."""

    def __init__(self, function):
        self.said = []

        @ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
        def body(_):
            try:
                self.said.append(function())
            except Exception as error:
                self.said.append(error)

        self._body, self._thread = body, ctypes.c_ulong()
        self._library = ctypes.CDLL(None)
        self._library.pthread_create(ctypes.byref(self._thread), None, body, None)
        time.sleep(0.1)

    def result(self):
        end = time.monotonic() + 20
        while not self.said and time.monotonic() < end:
            time.sleep(0.005)
        self._library.pthread_join(self._thread, None)
        return self.said[0]


@pytest.mark.parametrize("timeout", [None, 30])
def test_close_wakes_it(runtime, Selector, connect, timeout):
    selector = Selector()
    selector.register(connect()[0], EVENT_READ)
    thread = CThread(lambda: selector.select(timeout))
    selector.close()
    assert isinstance(thread.result(), ValueError)


@pytest.mark.parametrize("replaced", [False, True])
def test_a_registration_reaches_it(runtime, selector, connect, replaced):
    selector.register(connect()[0], EVENT_READ)
    thread = CThread(lambda: [key.fileobj for key, _ in selector.select(30)])
    if replaced and hasattr(selector, "fileno"):  # select(2) refuses what is closed
        numbers = [connect()[0].detach() for _ in range(100)]
        kept = [dup(number) for number in numbers]
        for number in numbers:
            selector.register(number, EVENT_READ)
        for number in numbers:
            close(number)
            selector.unregister(number)
        for number in kept:
            close(number)
    reader, writer = connect()
    writer.send(b"x")
    selector.register(reader, EVENT_READ)
    assert thread.result() == [reader]


@pytest.mark.parametrize("act", ["selector.close()", "selector.register(writer, 2)"])
@pytest.mark.parametrize("name", ["PollSelector", "SelectSelector", "EpollSelector"])
def test_it_reaches_the_main_thread_where_python_has_started_no_other(run_python, name, act):
    done = run_python(
        """
        import socket, sys, time
        sys.path.insert(0, sys.argv[1])
        import coopselectors
        from process.test_threads_of_c_libraries import CThread
        reader, writer = socket.socketpair()
        selector = getattr(coopselectors, sys.argv[2])()
        selector.register(reader, 1)
        thread = CThread(lambda: (time.sleep(0.3), exec(sys.argv[3])))
        try:
            print([key.fileobj is writer for key, _ in selector.select()])
        except ValueError as error:
            print(error)
        thread.result()
        """,
        *(str(TESTS), name, act),
    )
    assert done == ("Selector is closed\n" if "close" in act else "[True]\n")


#: How something is changed 0.2 s later, while nobody else is in Python.
LATER = {
    "handler": """
        import signal
        def later(act):
            signal.signal(signal.SIGALRM, lambda *_: act())
            signal.setitimer(signal.ITIMER_REAL, 0.2)
        """,
    # timer_create(2): the C library starts a thread when the time has come (SIGEV_THREAD).
    "timer": """
        import ctypes
        kept = []
        def later(act):
            function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: act())
            pointer = ctypes.cast(function, ctypes.c_void_p).value
            event = struct.pack("@PiiPP64x", 0, 0, 2, pointer, 0)
            library, timer = ctypes.CDLL(None), ctypes.c_void_p()
            kept.append(function)
            assert not library.timer_create(1, event, ctypes.byref(timer))
            assert not library.timer_settime(timer, 0, struct.pack("@4l", 0, 0, 0, 200000000), None)
        """,
}


@pytest.mark.skipif(sys.platform != "linux", reason="a C structure as Linux has it")
@pytest.mark.parametrize("act", ["selector.close()", "selector.register(writer, 2)"])
@pytest.mark.parametrize("name", ["PollSelector", "SelectSelector", "EpollSelector"])
@pytest.mark.parametrize("how", LATER)
def test_a_wait_of_the_only_thread_is_reached(run_python, how, name, act):
    script = f"""
        import os, socket, struct, time
        import coopselectors
        {LATER[how]}
        reader, writer = socket.socketpair()
        selector = coopselectors.{name}()
        selector.register(reader, 1)
        later(lambda: {act})
        started = time.monotonic()
        try:
            print([key.fileobj is writer for key, _ in selector.select(20)], flush=True)
        except ValueError as error:
            print(error, flush=True)
        os._exit(time.monotonic() - started > 10)
        """
    assert run_python(script) == ("Selector is closed\n" if "close" in act else "[True]\n")
