"""redis-py: blocking pops, and messages of a channel

redis-py waits in its sockets.  It calls ``select`` or ``poll`` to find out whether a pooled
connection is still good.
"""

import redis

NEEDS = ("redis",)
SERVER = "redis"


def asks(here):
    return False


def program(here):
    client = redis.Redis.from_url(here.address, decode_responses=True)
    names = [f"programs-{here.number}-{each}" for each in range(3)]

    def pop(name):
        return client.blpop(name, timeout=10)

    def listen():
        with client.pubsub(ignore_subscribe_messages=True) as channel:
            channel.subscribe(names[0])
            while (message := channel.get_message(timeout=0.1)) is None:
                pass
            return message["data"]

    def push():
        here.sleep(0.6)
        for name in names:
            client.rpush(name, f"to {name}")
        assert client.publish(names[0], "published") == 1

    *popped, heard, _ = here.together(
        *(lambda name=name: pop(name) for name in names), listen, push
    )
    assert popped == [(name, f"to {name}") for name in names], popped
    assert heard == "published", heard
    client.close()
