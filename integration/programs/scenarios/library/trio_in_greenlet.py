"""trio in a greenlet: sockets, a subprocess and a thread

Its event loop waits in ``select.epoll``, and other greenlets run beside it.  Both
patch all but ``thread``: trio insists on locks and threads of the operating system.
"""

import sys
import time

import trio
import trio.testing

NEEDS = ("trio",)
SELECT = True
UNPATCHED = {"gevent": "thread", "eventlet": "thread"}
KNOWN = {
    "eventlet, patched first": "trio 0.34 asks for socket.sendmsg when it is imported, which "
    "eventlet 0.41 does not have"
}
CHILD = "import sys, time; time.sleep(0.6); print(sys.stdin.read()[::-1])"


async def serve(stream):
    async for data in stream:
        await trio.sleep(0.3)
        await stream.send_all(data.upper())


async def work():
    found = {}

    async def ask(listeners):
        stream = await trio.testing.open_stream_to_socket_listener(listeners[0])
        async with stream:
            await stream.send_all(b"one")
            found["socket"] = await stream.receive_some()

    async def child():
        done = await trio.run_process(
            [sys.executable, "-c", CHILD], stdin=b"abc", capture_stdout=True
        )
        found["child"] = done.stdout.strip()

    async def thread():
        await trio.to_thread.run_sync(time.sleep, 0.3)
        found["thread"] = True

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        async with trio.open_nursery() as clients:
            clients.start_soon(ask, listeners)
            clients.start_soon(child)
            clients.start_soon(thread)
        nursery.cancel_scope.cancel()
    return found


def program(here):
    (found,) = here.together(lambda: trio.run(work))
    assert found == {"socket": b"ONE", "child": b"cba", "thread": True}, found
