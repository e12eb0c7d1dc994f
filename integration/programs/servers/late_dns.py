"""A DNS server that knows one address for each name, 0.3 s after the question; by UDP and TCP."""

import socketserver
import sys
import threading
import time

ADDRESS = bytes([192, 0, 2, 7])  # RFC 5737
A = 1


def answer(query):
    """The question, and an A record if it asks for one."""
    end = query.index(b"\0", 12) + 5
    question = query[12:end]
    found = question[-3] == A
    record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + ADDRESS
    head = query[:2] + b"\x81\x80\0\1" + (b"\0\1" if found else b"\0\0") + b"\0\0\0\0"
    return head + question + (record if found else b"")


class Udp(socketserver.BaseRequestHandler):
    def handle(self):
        query, listener = self.request
        time.sleep(0.3)
        listener.sendto(answer(query), self.client_address)


class Tcp(socketserver.StreamRequestHandler):
    def handle(self):
        while head := self.rfile.read(2):
            query = self.rfile.read(int.from_bytes(head, "big"))
            time.sleep(0.3)
            said = answer(query)
            self.wfile.write(len(said).to_bytes(2, "big") + said)


socketserver.ThreadingUDPServer.daemon_threads = True
socketserver.ThreadingTCPServer.daemon_threads = True
udp = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Udp)
tcp = socketserver.ThreadingTCPServer(udp.server_address, Tcp)
for server in (udp, tcp):
    threading.Thread(target=server.serve_forever, daemon=True).start()
print("{}:{}".format(*udp.server_address), flush=True)
sys.stdin.read()
