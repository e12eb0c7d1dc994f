"""grpcio, client and server

grpcio waits in C, in threads of its own.  ``grpc.experimental.gevent.init_gevent()`` connects it to
gevent.  Nothing connects it to eventlet.
"""

import time
from concurrent import futures

import grpc
from grpc.experimental import gevent as grpc_gevent

NEEDS = ("grpcio",)
KNOWN = {"eventlet": "grpcio waits in C, and nothing connects it to eventlet"}


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(self.later)

    def later(self, request, context):
        time.sleep(0.6)
        return request.upper()


def asks(here):
    return False


def program(here):
    if here.runtime == "gevent":
        grpc_gevent.init_gevent()
    server = grpc.server(futures.ThreadPoolExecutor(3), handlers=[Handler()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/programs/Later")
        answers = here.together(*(lambda n=n: call(b"a%d" % n, timeout=10) for n in range(3)))
    server.stop(None).wait()
    assert answers == [b"A0", b"A1", b"A2"], answers
