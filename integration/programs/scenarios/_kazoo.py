"""What do the handlers of kazoo have to do?  Watch a node that another client changes later."""

from kazoo.client import KazooClient


def run(here, handler):
    path = f"/programs-{here.number}"
    client = KazooClient(here.address, handler=handler)
    client.start()
    client.create(path, b"one")
    changed, got = handler.event_object(), []

    @client.DataWatch(path)
    def watch(data, stat):
        got.append(data)
        if data == b"two":
            changed.set()

    def change():
        here.sleep(0.6)
        client.set(path, b"two")

    here.spawn(change)
    changed.wait(10)
    assert got == [b"one", b"two"], got
    with client.Lock(f"{path}-lock"):
        client.delete(path)
    client.stop()
    client.close()
