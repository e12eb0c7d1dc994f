"""What do the clients of a Socket.IO server do?  They call it, and wait for what it sends later."""

import sys
import threading

import socketio

port, transport = sys.argv[1:]
client = socketio.Client()
done = threading.Event()
got = []


@client.on("done")
def receive(number):
    got.append(number)
    done.set()


client.connect(f"http://127.0.0.1:{port}", transports=[transport])
assert client.call("later", 1) == 1
assert done.wait(5)
assert got == [2], got
client.disconnect()
