"""dnspython, the newest, by UDP and TCP

Each wait for an answer uses a selector.  dnspython looks up the class when it is imported.
eventlet replaces some of dnspython's functions.
"""

from scenarios import _dns

NEEDS = ("dnspython",)
HIDDEN = {"eventlet": ("trio",)}  # which eventlet 0.41 cannot import, by way of httpcore
SERVER = "late_dns"


def asks(here):
    return here.runtime == "gevent"  # what eventlet puts in its place waits in its sockets


def program(here):
    _dns.run(here)
