"""asyncio in a greenlet: aiohttp, client and server

The event loop is ``asyncio.SelectorEventLoop``.  Other greenlets run at the same time.
"""

import asyncio
from selectors import DefaultSelector

from aiohttp import ClientSession, web

NEEDS = ("aiohttp",)


async def view(request):
    await asyncio.sleep(0.6)
    return web.Response(text=request.path)


async def work():
    application = web.Application()
    application.router.add_get("/{name}", view)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]

    async def client(session, name):
        async with session.get(f"http://{host}:{port}/{name}") as response:
            return await response.text()

    async with ClientSession() as session:
        answers = await asyncio.gather(*(client(session, name) for name in "abc"))
    await runner.cleanup()
    return answers


def program(here):
    def run():
        loop = asyncio.SelectorEventLoop(DefaultSelector())
        try:
            return loop.run_until_complete(work())
        finally:
            loop.close()

    (answers,) = here.together(run)
    assert answers == ["/a", "/b", "/c"], answers
