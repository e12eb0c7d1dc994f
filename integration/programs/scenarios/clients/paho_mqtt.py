"""paho-mqtt, on a Mosquitto broker

``loop_start()`` runs the client's loop in a thread, which waits in ``select.select``.
"""

import threading

from paho.mqtt import client as mqtt

NEEDS = ("paho-mqtt",)
SERVER = "mosquitto"
SELECT = True


def program(here):
    host, _, port = here.address.partition(":")
    topic = f"programs/{here.number}"
    subscribed, done = threading.Event(), threading.Event()
    got = []

    def receive(client, userdata, message):
        got.append(message.payload)
        if len(got) == 3:
            done.set()

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.on_connect = lambda *_: client.subscribe(topic, qos=1)
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = receive
    client.connect(host, int(port))
    client.loop_start()
    assert subscribed.wait(10)
    for number in range(3):
        here.sleep(0.2)
        client.publish(topic, b"%d" % number, qos=1).wait_for_publish(10)
    assert done.wait(10)
    client.disconnect()
    client.loop_stop()
    assert got == [b"0", b"1", b"2"], got
