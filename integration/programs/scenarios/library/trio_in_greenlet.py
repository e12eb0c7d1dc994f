"""trio in a greenlet: tasks, timers, a file that gets ready, and calls from another greenlet

trio's event loop waits in ``select.epoll``.  Other greenlets run at the same time.  Both libraries
must leave ``thread`` unpatched, because trio needs locks of the operating system.  trio's own
sockets and subprocesses are not tested: they do not accept patched ones.
"""

import os

import trio

NEEDS = ("trio",)
SELECT = True
UNPATCHED = {"gevent": "thread", "eventlet": "thread"}
KNOWN = {
    "eventlet, patched first": "trio needs socket.sendmsg when it is imported, and eventlet 0.41 "
    "has none"
}


async def work(here, reader):
    found = {}
    called = trio.Event()
    token = trio.lowlevel.current_trio_token()
    here.spawn(lambda: (here.sleep(0.6), token.run_sync_soon(called.set)))

    async def receive(channel):
        found["channel"] = [item async for item in channel]

    async def read():
        await trio.lowlevel.wait_readable(reader)
        found["file"] = os.read(reader, 9)

    async with trio.open_nursery() as nursery:
        sending, receiving = trio.open_memory_channel(0)
        nursery.start_soon(receive, receiving)
        nursery.start_soon(read)
        async with sending:
            for number in range(3):
                await trio.sleep(0.1)
                await sending.send(number)
        with trio.fail_after(5):
            await called.wait()
    return found


def program(here):
    reader, writer = os.pipe()
    here.spawn(lambda: (here.sleep(0.4), os.write(writer, b"ready")))
    (found,) = here.together(lambda: trio.run(work, here, reader))
    os.close(reader)
    os.close(writer)
    assert found == {"channel": [0, 1, 2], "file": b"ready"}, found
