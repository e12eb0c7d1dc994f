"""The application that Celery's workers and their clients share."""

import os
import time

from celery import Celery, signals

QUEUE = "PROGRAMS_QUEUE"  # a variable: several applications share a broker

app = Celery("programs")


def configure(queue, **settings):
    app.conf.update(
        task_default_queue=queue,
        broker_transport_options={"global_keyprefix": queue},
        broker_connection_retry_on_startup=True,
        worker_hijack_root_logger=False,
        result_expires=60,
        **settings,
    )


@app.task
def double(number):
    time.sleep(0.02)
    return 2 * number


@app.task
def late(number):
    time.sleep(1)
    return number


@signals.worker_init.connect
def begin(**_):
    import children

    children.begin()


if QUEUE in os.environ:
    configure(os.environ[QUEUE])
