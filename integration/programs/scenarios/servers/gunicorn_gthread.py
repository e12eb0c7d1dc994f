"""gunicorn with its gthread worker, in a patched process

The worker waits for connections in a selector.  A pool of threads serves them; in a patched process
these threads are greenlets.  *Imported first* means that gunicorn is imported before the patch.
eventlet must leave ``os`` unpatched, because the worker's threads write to one pipe and eventlet's
``os.write`` does not allow that.
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
