"""concurrent.futures.ProcessPoolExecutor

A thread of the executor waits for the processes in ``multiprocessing.connection.wait``.
"""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

KNOWN = {
    "gevent, imported first": "gevent 26.9 cannot join a thread whose class was defined before the"
    " patch"
}


def square(number):
    time.sleep(0.3)
    return number * number


def program(here):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        assert [*pool.map(square, range(4), timeout=20)] == [0, 1, 4, 9]
