"""geventmp: multiprocessing that waits as gevent does

geventmp is a gevent plug-in.  When gevent patches, it replaces the locks, queues and connections of
``multiprocessing``.
"""

import multiprocessing
import time

NEEDS = ("geventmp",)
OVERLAY = ("geventmp",)  # where it is installed, gevent patches with it in every program
ONLY = "gevent"


def child(connection):
    time.sleep(0.6)
    connection.send("done")


def asks(here):
    return False  # it waits in gevent


def program(here):
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(writer,))
    process.start()
    assert reader.recv() == "done"
    process.join()
    assert process.exitcode == 0, process.exitcode
