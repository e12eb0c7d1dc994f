"""multiprocessing: queues, with time-outs

``Queue.get()`` with a time-out calls ``poll()`` of a connection, which waits in a selector.
"""

import multiprocessing
import queue
import time


def child(asked, answers):
    while (number := asked.get()) is not None:
        time.sleep(0.3)
        answers.put(number * 2)


def program(here):
    context = multiprocessing.get_context("spawn")
    asked, answers = context.Queue(), context.Queue()
    process = context.Process(target=child, args=(asked, answers))
    process.start()
    try:
        raise AssertionError(answers.get(timeout=0.2))
    except queue.Empty:
        pass
    for number in (1, 2, None):
        asked.put(number)
    assert [answers.get(timeout=10) for _ in range(2)] == [2, 4]
    process.join(10)
    assert process.exitcode == 0, process.exitcode
