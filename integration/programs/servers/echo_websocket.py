"""A websocket server that echoes each message in capitals, 0.3 s later."""

import sys
import threading
import time

try:
    from websockets.sync.server import serve
except ImportError:
    print("not run: python -m pip install websockets")
    sys.exit()


def echo(connection):
    for message in connection:
        time.sleep(0.3)
        connection.send(message.upper())


with serve(echo, "127.0.0.1", 0) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ws://{}:{}".format(*server.socket.getsockname()), flush=True)
    sys.stdin.read()
    server.shutdown()
