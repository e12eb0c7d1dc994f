"""Scapy: packets over a connection of the loopback interface, sent, answered and sniffed

Scapy's sockets wait in ``select.select``.  The test uses a stream socket, which needs no
privileges.
"""

import socket

from scapy.config import conf
from scapy.packet import Raw
from scapy.sendrecv import sniff
from scapy.supersocket import StreamSocket

NEEDS = ("scapy",)
SELECT = True


def program(here):
    conf.verb = 0
    with socket.create_server(("127.0.0.1", 0)) as listener:
        mine = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()

    def answer():
        for _ in range(2):
            asked = theirs.recv(100)
            here.sleep(0.3)
            theirs.sendall(asked.upper())

    here.spawn(answer)
    stream = StreamSocket(mine, Raw)
    found = stream.sr1(Raw(b"one"), timeout=5)
    assert found is not None
    assert found.load == b"ONE", found
    stream.send(Raw(b"two"))
    (packet,) = sniff(opened_socket=stream, count=1, timeout=5)
    assert packet.load == b"TWO", packet
    stream.close()
    theirs.close()
