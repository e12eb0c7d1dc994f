"""pika.SelectConnection, on a RabbitMQ broker

The event loop uses ``epoll``, or ``poll`` or ``select`` if there is no ``epoll``.  It waits for a
message that the broker holds back in another queue for 0.6 s.
"""

import pika

from scenarios import _amqp

NEEDS = ("pika",)
SERVER = "rabbitmq"
SELECT = True


class Client:
    """One step after the other, as the broker confirms them."""

    def __init__(self, address):
        self.connection = pika.SelectConnection(
            pika.URLParameters(address),
            on_open_callback=lambda connection: connection.channel(on_open_callback=self.opened),
            on_close_callback=lambda connection, reason: connection.ioloop.stop(),
        )
        self.got = []

    def opened(self, channel):
        self.channel = channel
        channel.queue_declare("", exclusive=True, callback=self.consume)

    def consume(self, answer):
        mine = answer.method.queue
        self.channel.basic_consume(mine, self.receive, auto_ack=True)
        expiring = _amqp.expiring(mine)
        self.channel.queue_declare("", exclusive=True, arguments=expiring, callback=self.publish)

    def publish(self, answer):
        self.channel.basic_publish("", answer.method.queue, b"late")

    def receive(self, channel, method, properties, body):
        self.got.append(body)
        self.connection.close()


def program(here):
    client = Client(here.address)
    here.together(client.connection.ioloop.start)
    assert client.got == [b"late"], client.got
