"""A listener that knows enough of MongoDB's protocol to keep documents, and takes 0.3 s for each.

It understands OP_MSG and the greeting that comes before, and answers five commands.
"""

import socketserver
import struct
import sys
import threading
import time

try:
    import bson
except ImportError:
    print("not run: python -m pip install pymongo")
    sys.exit()

OP_MSG, OP_QUERY, OP_REPLY = 2013, 2004, 1
HELLO = {
    "helloOk": True,
    "isWritablePrimary": True,
    "ismaster": True,
    "maxBsonObjectSize": 2**24,
    "maxMessageSizeBytes": 2**25,
    "maxWriteBatchSize": 1000,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "ok": 1.0,
}

documents = {}  # {collection: [document]}


def sections(body):
    """The command of an OP_MSG, with the documents that come after it in a section of their own."""
    command, rest = {}, body[4:]
    while rest:
        kind, rest = rest[0], rest[1:]
        (size,) = struct.unpack_from("<i", rest)
        part, rest = rest[:size], rest[size:]
        if kind == 0:
            command.update(bson.decode(part))
        else:
            name, _, found = part[4:].partition(b"\0")
            command[name.decode()] = bson.decode_all(found)
    return command


def answer(command):
    name = next(iter(command))
    if name.lower() in ("hello", "ismaster"):
        return HELLO
    time.sleep(0.3)
    kept = documents.setdefault(command[name], []) if isinstance(command[name], str) else []
    if name == "insert":
        kept.extend(command["documents"])
        return {"n": len(command["documents"]), "ok": 1.0}
    if name == "find":
        wanted = command["filter"].items()
        found = [each for each in kept if wanted <= each.items()]
        place = f"{command['$db']}.{command['find']}"
        return {"cursor": {"id": 0, "ns": place, "firstBatch": found}, "ok": 1.0}
    kept.clear()
    return {"ok": 1.0}


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while len(head := self.rfile.read(16)) == 16:
            size, number, _, operation = struct.unpack("<iiii", head)
            body = self.rfile.read(size - 16)
            if operation == OP_MSG:
                said = struct.pack("<iB", 0, 0) + bson.encode(answer(sections(body)))
                kind = OP_MSG
            else:
                said = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(HELLO)
                kind = OP_REPLY
            self.wfile.write(struct.pack("<iiii", 16 + len(said), 1, number, kind) + said)


socketserver.ThreadingTCPServer.daemon_threads = True
with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("mongodb://{}:{}".format(*server.server_address), flush=True)
    sys.stdin.read()
    server.shutdown()
