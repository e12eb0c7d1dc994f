"""geventhttpclient, beside a selector

This client is made for gevent, and waits in its sockets.  Another greenlet waits in a selector at
the same time.
"""

from geventhttpclient import HTTPClient

from scenarios import _web

NEEDS = ("geventhttpclient", "requests")
SERVER = "slow_http"
ONLY = "gevent"


def program(here):
    host, port = here.address.removeprefix("http://").split(":")
    client = HTTPClient(host, int(port), concurrency=3)

    def ask(number):
        return [client.get(f"/{number}/{turn}").read().decode() for turn in range(2)]

    *answers, waited = here.together(*(lambda n=n: ask(n) for n in range(3)), _web.wait)
    client.close()
    assert answers == [[f"/{n}/0", f"/{n}/1"] for n in range(3)], answers
    assert waited == b"done, 1 at once", waited
