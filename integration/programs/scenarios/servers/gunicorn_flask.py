"""gunicorn, with a Flask application

The worker is gunicorn's own worker for the runtime.  Its ``post_worker_init`` hook calls
``install()``.  *Imported first* is ``--preload``: gunicorn imports the application before it forks,
and the worker patches afterwards.
"""

from scenarios import _gunicorn, _web

NEEDS = ("gunicorn", "packaging", "flask", "requests")
OVERLAY = ("gunicorn<26",)  # the last one with a worker for eventlet


def program(here):
    options = ["--worker-class", here.runtime]
    options += ["--preload"] if here.order == "imported first" else []
    with _gunicorn.started(here, *options) as (url, _):
        _web.ask(here, url)
