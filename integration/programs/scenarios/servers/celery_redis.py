"""Celery, with Redis as its broker

A worker with the pool of the runtime, and a client in a patched process.  Patched first is ``python
-m celery``, which patches before anything else; imported first is a program that has imported
Celery and its application, patches, and starts the worker then.
"""

from scenarios import _celery

NEEDS = ("celery", "kombu", "redis")
SERVER = "redis"
SELECT = True
LIMIT = 60


def program(here):
    _celery.run(here, here.address, here.address)
