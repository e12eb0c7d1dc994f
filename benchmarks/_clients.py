"""Clients of an echo server, in a process of their own: each sends when it has its answer.

    python benchmarks/_clients.py PORT CONNECTIONS SECONDS

Prints the number of messages that came back.
"""

from __future__ import annotations

import select
import socket
import sys
import time


def main() -> None:
    port, connections, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    made = {}
    poller = select.epoll()
    for _ in range(connections):
        client = socket.create_connection(("127.0.0.1", port))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made[client.fileno()] = client
        poller.register(client.fileno(), select.EPOLLIN)
        client.send(b"x" * 100)
    count = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for fd, _ in poller.poll(1):
            client = made[fd]
            client.send(client.recv(1000))
            count += 1
    print(count)


if __name__ == "__main__":
    main()
