"""A listener that knows enough of Kafka's protocol to name one topic, 0.6 s after the question.

It says that it can do the first versions of two requests, and answers those.
"""

import socketserver
import struct
import sys
import threading
import time

API_VERSIONS, METADATA = 18, 3
UNSUPPORTED_VERSION = 35
TOPIC = "greenlets"


def string(text):
    return struct.pack(">h", len(text)) + text.encode()


def api_versions(error):
    return struct.pack(">hi", error, 2) + struct.pack(">hhhhhh", API_VERSIONS, 0, 0, METADATA, 0, 1)


def metadata(host, port):
    broker = struct.pack(">ii", 1, 0) + string(host) + struct.pack(">ih", port, -1)
    controller = struct.pack(">i", 0)
    partition = struct.pack(">ihii", 1, 0, 0, 0) + struct.pack(">ii", 1, 0) * 2
    return broker + controller + struct.pack(">ih", 1, 0) + string(TOPIC) + b"\0" + partition


class Broker(socketserver.StreamRequestHandler):
    def handle(self):
        while head := self.rfile.read(4):
            request = self.rfile.read(*struct.unpack(">i", head))
            kind, version, number = struct.unpack_from(">hhi", request)
            if kind == METADATA:
                time.sleep(0.6)
                answer = metadata(*self.server.server_address)
            else:
                answer = api_versions(UNSUPPORTED_VERSION if version else 0)
            self.wfile.write(struct.pack(">ii", 4 + len(answer), number) + answer)


socketserver.ThreadingTCPServer.daemon_threads = True
with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Broker) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("{}:{}".format(*server.server_address), flush=True)
    sys.stdin.read()
    server.shutdown()
