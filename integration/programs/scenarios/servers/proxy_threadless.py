"""proxy.py, in a patched process

The workers are processes, forked from a patched process.  Each of them waits for its connections in
the selector of an event loop.
"""

import urllib.request

import children

NEEDS = ("proxy.py",)
SERVER = "slow_http"
KNOWN = {
    "gevent": "multiprocessing builds its pipes from gevent's non-blocking sockets, so a process "
    "of proxy.py 2.4 that reads too early fails (sometimes; also without coopselectors)",
    "eventlet": "the workers of proxy.py 2.4 outlive it (also without coopselectors)",
}


def asks(here):
    return False  # its workers are processes of its own


def program(here):
    port = here.free_port()
    options = ["--hostname", "127.0.0.1", "--port", str(port), "--num-workers", "1"]
    options += ["--num-acceptors", "1", "--log-level", "ERROR", "--threadless"]
    with children.started(here, *children.module(here, "proxy"), *options):
        here.until(lambda: here.listens(port))
        proxies = urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{port}"})
        opener = urllib.request.build_opener(proxies)

        def client(number):
            return [opener.open(f"{here.address}/{number}/{n}").read().decode() for n in range(2)]

        answers = here.together(*(lambda n=n: client(n) for n in range(3)))
    assert answers == [[f"/{n}/0", f"/{n}/1"] for n in range(3)], answers
