"""How do the scenarios start gunicorn?"""

from contextlib import contextmanager

import children

APPLICATION = "scenarios._gunicorn_application:application"


@contextmanager
def started(here, *options, command=("-m", "gunicorn")):
    """gunicorn on a free port: its URL, and its process."""
    options = ["--bind", "127.0.0.1:0", "--log-level", "error", *options]
    options += ["--config", "python:scenarios._gunicorn_config", APPLICATION]
    with children.started(here, *command, *options, stdout=children.PIPE) as gunicorn:
        url = gunicorn.stdout.readline().decode().strip()
        yield url, gunicorn
