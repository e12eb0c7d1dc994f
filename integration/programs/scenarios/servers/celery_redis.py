"""Celery, with Redis as its broker

A worker runs the pool of the runtime, and a client runs in a patched process.  *Patched first* is
``python -m celery``, which patches before anything else.  *Imported first* is a program that
imports Celery and its application, then patches, and then starts the worker.
"""

from scenarios import _celery

NEEDS = ("celery", "kombu", "redis")
SERVER = "redis"
SELECT = True
LIMIT = 60


def program(here):
    _celery.run(here, here.address, here.address)
