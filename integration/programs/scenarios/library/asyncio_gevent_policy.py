"""asyncio-gevent: an event loop whose selector is gevent's

Coroutines and greenlets wait for each other.
"""

import asyncio

import asyncio_gevent

NEEDS = ("asyncio-gevent",)
ONLY = "gevent"


def asks(here):
    return False  # it has a selector of its own


def program(here):
    def later(number):
        here.sleep(0.3)
        return number + 1

    async def work():
        await asyncio.sleep(0.3)
        first = asyncio_gevent.greenlet_to_future(here.spawn(later, 1))
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        said = await reader.readline()
        writer.close()
        return await first, said

    async def serve(reader, writer):
        await asyncio.sleep(0.3)
        writer.write(b"hello\n")
        writer.close()

    asyncio.set_event_loop_policy(asyncio_gevent.EventLoopPolicy())
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    listener = server.sockets[0]
    assert loop.run_until_complete(work()) == (2, b"hello\n")
    server.close()
    loop.run_until_complete(server.wait_closed())
    loop.close()
