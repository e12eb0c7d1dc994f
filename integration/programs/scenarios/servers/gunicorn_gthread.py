"""gunicorn with its gthread worker, in a patched process

The worker waits for connections in a selector, and serves each in a pool of threads, which are
greenlets then.  Imported first: gunicorn is imported before the patch.  eventlet patches all but
``os``: the worker's threads write to one pipe, which its ``os.write`` refuses.
"""

import children
from scenarios import _gunicorn, _web

NEEDS = ("gunicorn", "packaging", "flask", "requests")
UNPATCHED = {"eventlet": "os"}


def program(here):
    command = children.module(here, "gunicorn", "gunicorn.workers.gthread", "gunicorn.app.wsgiapp")
    options = ["--worker-class", "gthread", "--threads", "8"]
    with _gunicorn.started(here, *options, command=command) as (url, _):
        _web.ask(here, url)
