"""Locust: a master and two workers

For five seconds, 20 users send requests to a server that takes 0.3 s for each answer.  Locust
patches when it is imported.  *Imported first* is a process that imports asyncio, socketserver and
pyzmq before Locust.  It does not import requests, because TLS contexts made earlier do not survive
gevent's patch.
"""

import json
from contextlib import ExitStack

import children

NEEDS = ("locust", "requests", "pyzmq")
SERVER = "slow_http"
ONLY = "gevent"
LIMIT = 60


def asks(here):
    return False  # it waits in its sockets


def program(here):
    with ExitStack() as stack:

        def start(*options):
            command = ["-m", "locust"]
            if here.order == "imported first":
                command = children.module(here, "locust", "asyncio", "socketserver", "zmq")
            options = ["-f", "scenarios/_locustfile.py", "--skip-log", *options]
            child = children.started(here, *command, *options, stdout=children.PIPE)
            return stack.enter_context(child)

        port = str(here.free_port())
        run = ["--headless", "-u", "20", "-r", "20", "-t", "5s", "-H", here.address, "--json"]
        master = start("--master", "--master-bind-port", port, "--expect-workers", "2", *run)
        for _ in range(2):
            start("--worker", "--master-port", port)
        (stats,) = json.loads(master.stdout.read())
    assert stats["num_failures"] == 0, stats
    assert stats["num_requests"] > 20, stats
