"""What do Celery's workers have to do?

500 tasks, one that is put off, one that is revoked, and three that are under way when the worker is
told to end.
"""

import os
import time

import celery.exceptions

import children
from scenarios._celery_app import QUEUE, app, configure, double, late

TASKS = 500
IMPORTED = ("celery", "kombu.transport.redis", "kombu.transport.pyamqp", "scenarios._celery_app")


def run(here, broker, backend):
    queue = f"programs-{os.getpid()}"
    configure(queue, broker_url=broker, result_backend=backend)
    options = ["-A", "scenarios._celery_app", "worker", "-P", here.runtime, "-c", "50"]
    options += ["-l", "ERROR", "-n", f"{queue}@localhost"]
    command = (
        children.module(here, *IMPORTED) if here.order == "imported first" else ["-m", "celery"]
    )
    told = {QUEUE: queue, "CELERY_BROKER_URL": broker, "CELERY_RESULT_BACKEND": backend}
    with children.started(here, *command, *options, env=told):
        results = [double.delay(number) for number in range(TASKS)]
        assert [each.get(30) for each in results] == [2 * number for number in range(TASKS)]
        revoked = double.apply_async([1], countdown=2)
        sent = time.monotonic()
        put_off = double.apply_async([21], countdown=1)
        revoked.revoke()
        assert put_off.get(15) == 42
        assert time.monotonic() - sent > 0.9
        try:
            raise AssertionError(f"it was revoked, and said {revoked.get(15)}")
        except celery.exceptions.TaskRevokedError:
            pass
        under_way = [late.delay(number) for number in range(3)]
        here.sleep(0.5)
    # The worker has ended, and had finished what it had begun.
    assert [each.get(5) for each in under_way] == [0, 1, 2]
    app.close()
