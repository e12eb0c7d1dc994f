"""Celery, with RabbitMQ as its broker

As with Redis; the results come back by the broker, too.
"""

from scenarios import _celery

NEEDS = ("celery", "kombu", "amqp")
SERVER = "rabbitmq"
SELECT = True
SLOW = True
LIMIT = 60


def asks(here):
    return False  # it waits in its sockets


def program(here):
    _celery.run(here, here.address, "rpc://")
