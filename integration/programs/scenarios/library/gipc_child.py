"""gipc: a child process, and a pipe to it that waits as gevent does

This shows that ``install()`` does no harm.
"""

import gipc

NEEDS = ("gipc",)
ONLY = "gevent"


def child(channel):
    import gevent

    while (number := channel.get()) is not None:
        gevent.sleep(0.3)
        channel.put(number * 2)


def asks(here):
    return False  # it waits in gevent


def program(here):
    with gipc.pipe(duplex=True) as (theirs, mine):
        process = gipc.start_process(child, (theirs,))
        for number in (1, 2):
            mine.put(number)
            assert mine.get() == number * 2
        mine.put(None)
        process.join()
    assert process.exitcode == 0, process.exitcode
