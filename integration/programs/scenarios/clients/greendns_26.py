"""eventlet's greendns, with dnspython 2.6

If dnspython is installed, ``socket.getaddrinfo`` uses eventlet's own resolver.
"""

import socket

from eventlet.support import greendns

from scenarios import _dns

NEEDS = ("dnspython",)
OVERLAY = ("dnspython<2.7",)
HIDDEN = {"eventlet": ("trio",)}  # which eventlet 0.41 cannot import, by way of httpcore
SERVER = "late_dns"
ONLY = "eventlet"


def asks(here):
    return False  # it waits in eventlet's own copy of dnspython


def program(here):
    greendns.resolver = greendns.ResolverProxy(hosts_resolver=greendns.HostsResolver())
    greendns.resolver._resolver = _dns.resolver(here.address)

    def ask(number):
        names = [f"{number}-{each}.example.org" for each in (1, 2)]
        found = [socket.getaddrinfo(name, 80, socket.AF_INET, socket.SOCK_STREAM) for name in names]
        return [answers[0][-1] for answers in found]

    answers = here.together(*(lambda n=n: ask(n) for n in range(3)))
    assert answers == [[("192.0.2.7", 80)] * 2] * 3, answers
