"""httpx, synchronous and with anyio

The synchronous client waits in its sockets.  The other one waits in an asyncio event loop in a
greenlet.
"""

import anyio
import httpx

NEEDS = ("httpx", "anyio")
HIDDEN = {"eventlet": ("trio",)}  # which cannot be imported once eventlet 0.41 has patched
SERVER = "slow_http"


def program(here):
    def synchronous():
        with httpx.Client(trust_env=False) as client:
            return [client.get(f"{here.address}/{name}").text for name in "ab"]

    async def work():
        found = {}

        async def get(client, name):
            found[name] = (await client.get(f"{here.address}/{name}")).text

        async with httpx.AsyncClient(trust_env=False) as client:
            for _ in range(2):
                async with anyio.create_task_group() as group:
                    for name in "ab":
                        group.start_soon(get, client, name)
        return [found[name] for name in "ab"]

    answers = here.together(synchronous, lambda: anyio.run(work), synchronous)
    assert answers == [["/a", "/b"]] * 3, answers
