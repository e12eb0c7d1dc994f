"""Open vSwitch's Python library: its poller, with a stream of JSON-RPC

``ovs.poller.Poller`` waits in ``poll``, or in ``select`` if there is no ``poll``.
"""

import os
import socket
import tempfile

import ovs.jsonrpc
import ovs.poller
import ovs.stream

NEEDS = ("ovs",)
SELECT = True


def program(here):
    with tempfile.TemporaryDirectory() as place, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.join(place, "socket"))
        listener.listen()

        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                here.sleep(0.6)
                connection.sendall(b'{"id": 0, "result": ["pong"], "error": null}')
                connection.recv(1)

        here.spawn(serve)
        error, stream = ovs.stream.Stream.open_block(
            ovs.stream.Stream.open(f"unix:{place}/socket"), 5000
        )
        assert not error, error
        rpc = ovs.jsonrpc.Connection(stream)
        asked = ovs.jsonrpc.Message.create_request("ping", [])
        assert not rpc.send(asked)
        while True:
            error, message = rpc.recv()
            if message:
                break
            poller = ovs.poller.Poller()
            rpc.run()
            rpc.wait(poller)
            rpc.recv_wait(poller)
            poller.block()
        rpc.close()
    assert message.result == ["pong"], message
