"""Is a thread that Python did not start woken like any other?"""

from __future__ import annotations

import ctypes
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
