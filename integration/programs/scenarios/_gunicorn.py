"""How do the scenarios start gunicorn?"""

from contextlib import contextmanager

import children

APPLICATION = "scenarios._gunicorn_application:application"


@contextmanager
def started(here, *options):
    """gunicorn on a free port: its URL, and its process."""
    command = ["-m", "gunicorn", "--bind", "127.0.0.1:0", "--log-level", "error", *options]
    command += ["--config", "python:scenarios._gunicorn_config", APPLICATION]
    with children.started(here, *command, stdout=children.PIPE) as gunicorn:
        url = gunicorn.stdout.readline().decode().strip()
        yield url, gunicorn
