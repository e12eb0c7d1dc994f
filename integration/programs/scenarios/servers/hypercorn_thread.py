"""hypercorn in a thread, beside greenlets

After the patch the thread is a greenlet.  The server's event loop waits in it.
"""

import asyncio
import threading

from hypercorn.asyncio import serve
from hypercorn.config import Config

from scenarios import _asgi

NEEDS = ("hypercorn", "requests")


def program(here):
    port = here.free_port()
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.loglevel = "WARNING"
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    def run():
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serve(_asgi.application, config, shutdown_trigger=stop.wait))
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    _asgi.ask(here, port)
    loop.call_soon_threadsafe(stop.set)
    thread.join()
