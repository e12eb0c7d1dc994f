"""Celery, with RabbitMQ as its broker

The same as with Redis.  RabbitMQ also carries the results back.
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
