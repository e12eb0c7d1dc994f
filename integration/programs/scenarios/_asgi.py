"""What do the ASGI servers serve, and who asks them?"""

import asyncio

import requests


async def application(scope, receive, send):
    assert scope["type"] == "http", scope
    await asyncio.sleep(0.4)
    body = scope["path"].encode()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def ask(here, port):
    """Let three clients ask, all together, twice each."""
    here.until(lambda: here.listens(port))

    def client():
        with requests.Session() as session:
            session.trust_env = False
            return [session.get(f"http://127.0.0.1:{port}/{name}").text for name in "ab"]

    assert here.together(*[client] * 3) == [["/a", "/b"]] * 3
