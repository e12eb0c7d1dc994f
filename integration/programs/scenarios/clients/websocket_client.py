"""websocket-client's WebSocketApp.run_forever

The server is ``websockets``, in a process of its own.
"""

import websocket

NEEDS = ("websocket-client", "websockets")
SERVER = "echo_websocket"
MESSAGES = ["one", "two", "three"]


def program(here):
    got = []

    def next_one(app, *_):
        if len(got) < len(MESSAGES):
            app.send(MESSAGES[len(got)])
        else:
            app.close()

    def receive(app, message):
        got.append(message)
        next_one(app)

    websocket.WebSocketApp(here.address, on_open=next_one, on_message=receive).run_forever()
    assert got == ["ONE", "TWO", "THREE"], got
