"""gunicorn with its gthread worker, in a patched process

The worker waits for connections in a selector, and serves each in a pool of threads, which are
greenlets then.  Imported first: gunicorn is imported before the patch.
"""

import children
from scenarios import _gunicorn, _web

NEEDS = ("gunicorn", "packaging", "flask", "requests")
KNOWN = {
    "eventlet": "the worker writes to one pipe from several threads, which eventlet 0.41 refuses "
    "where they are greenlets (without coopselectors as well)"
}


def program(here):
    command = children.module(here, "gunicorn", "gunicorn.workers.gthread", "gunicorn.app.wsgiapp")
    options = ["--worker-class", "gthread", "--threads", "8"]
    with _gunicorn.started(here, *options, command=command) as (url, _):
        _web.ask(here, url)
