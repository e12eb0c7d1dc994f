"""xmlrpc.server and xmlrpc.client

The server is a ``socketserver``.  The clients wait in their sockets.
"""

import time
from socketserver import ThreadingMixIn
from xmlrpc.client import ServerProxy
from xmlrpc.server import SimpleXMLRPCServer


class Server(ThreadingMixIn, SimpleXMLRPCServer):
    pass


def later(number):
    time.sleep(0.6)
    return number * 2


def program(here):
    def client(number):
        with ServerProxy("http://{}:{}".format(*server.server_address)) as proxy:
            return proxy.later(number)

    with Server(("127.0.0.1", 0), logRequests=False) as server:
        server.register_function(later)
        here.spawn(server.serve_forever)
        assert here.together(*(lambda n=n: client(n) for n in range(3))) == [0, 2, 4]
        server.shutdown()
