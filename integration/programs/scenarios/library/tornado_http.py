"""tornado: its HTTP server and client, in a greenlet

tornado runs in an asyncio event loop, which waits in a selector.
"""

import asyncio

from tornado import httpclient, httpserver, netutil, web

NEEDS = ("tornado",)


class View(web.RequestHandler):
    async def get(self, name):
        await asyncio.sleep(0.6)
        self.write(name)


async def work():
    server = httpserver.HTTPServer(web.Application([("/(.*)", View)]))
    sockets = netutil.bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    client = httpclient.AsyncHTTPClient()
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    answers = await asyncio.gather(*(client.fetch(f"{url}/{name}") for name in "abc"))
    server.stop()
    await server.close_all_connections()
    return [each.body for each in answers]


def program(here):
    (answers,) = here.together(lambda: asyncio.run(work()))
    assert answers == [b"a", b"b", b"c"], answers
