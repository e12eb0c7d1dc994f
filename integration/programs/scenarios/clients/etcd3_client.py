"""etcd3, on an etcd server

etcd3 is built on grpcio, and has the same limits.
"""

import os

os.environ.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")

import etcd3
from grpc.experimental import gevent as grpc_gevent

NEEDS = ("etcd3", "grpcio")
SERVER = "etcd"
KNOWN = {"eventlet": "grpcio waits in C, and nothing connects it to eventlet"}


def asks(here):
    return False


def program(here):
    if here.runtime == "gevent":
        grpc_gevent.init_gevent()
    host, _, port = here.address.partition(":")
    client = etcd3.client(host, int(port))
    key = f"/programs/{here.number}"
    events, cancel = client.watch(key)

    def put():
        here.sleep(0.6)
        client.put(key, "later")

    here.spawn(put)
    event = next(iter(events))
    assert event.value == b"later", event
    cancel()
