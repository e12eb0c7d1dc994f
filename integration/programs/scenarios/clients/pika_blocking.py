"""pika.BlockingConnection, on a RabbitMQ broker

``BlockingConnection`` waits with the event loop of ``SelectConnection``.  Three greenlets have one
connection each.  Each waits for a message that the broker holds back in another queue for 0.6 s.
"""

import pika

from scenarios import _amqp

NEEDS = ("pika",)
SERVER = "rabbitmq"
SELECT = True


def program(here):
    def client(number):
        with pika.BlockingConnection(pika.URLParameters(here.address)) as connection:
            channel = connection.channel()
            mine = channel.queue_declare("", exclusive=True).method.queue
            slow = channel.queue_declare("", exclusive=True, arguments=_amqp.expiring(mine))
            channel.basic_publish("", slow.method.queue, b"%d" % number)
            for _, _, body in channel.consume(mine, auto_ack=True):
                return body

    answers = here.together(*(lambda number=number: client(number) for number in range(3)))
    assert answers == [b"0", b"1", b"2"], answers
