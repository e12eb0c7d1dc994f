"""multiprocessing.connection.wait, with two children

``Process.join()`` with a time-out waits in the same way.
"""

import multiprocessing
import time
from multiprocessing.connection import wait


def child(connection, delay):
    time.sleep(delay)
    connection.send(delay)


def program(here):
    context = multiprocessing.get_context("spawn")
    connections, children = [], []
    for delay in (0.3, 0.6):
        reader, writer = context.Pipe(duplex=False)
        process = context.Process(target=child, args=(writer, delay))
        process.start()
        writer.close()
        connections.append(reader)
        children.append(process)
    got = []
    while connections:
        for reader in wait(connections, 10):
            try:
                got.append(reader.recv())
            except EOFError:
                connections.remove(reader)
    for process in children:
        process.join(10)
    assert sorted(got) == [0.3, 0.6], got
    assert [process.exitcode for process in children] == [0, 0], children
