"""uvicorn in a thread, beside greenlets

After the patch the thread is a greenlet.  The server's event loop waits in it.
"""

import threading

import uvicorn

from scenarios import _asgi

NEEDS = ("uvicorn", "requests")


def program(here):
    port = here.free_port()
    config = uvicorn.Config(
        _asgi.application, port=port, log_level="warning", loop="asyncio", ws="none", lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    _asgi.ask(here, port)
    server.should_exit = True
    thread.join()
