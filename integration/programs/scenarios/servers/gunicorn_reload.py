"""gunicorn: reloads and recycled workers, under load

Six clients send requests without a pause.  Each worker is replaced after 15 requests, and gunicorn
is told to reload.  No request may fail.
"""

import signal

import requests

from scenarios import _gunicorn

NEEDS = ("gunicorn", "packaging", "flask", "requests")
OVERLAY = ("gunicorn<26",)  # the last one with a worker for eventlet
KNOWN = {
    "eventlet": "when gunicorn 25.3's eventlet worker ends, it drops connections that it has just "
    "accepted (also without coopselectors)"
}
SLOW = True
LIMIT = 40
WORKERS = 7  # two at first, two after the reload, and the recycled ones


def program(here):
    options = ["--worker-class", here.runtime, "--workers", "2", "--max-requests", "15"]
    options += ["--preload"] if here.order == "imported first" else []
    with _gunicorn.started(here, *options) as (url, process):

        def client():
            while len(workers) < WORKERS:
                assert requests.get(url).text.startswith("done, ")
                workers.add(requests.get(f"{url}/worker").text)

        def reload():
            here.sleep(1)
            process.send_signal(signal.SIGHUP)

        workers = set()
        here.together(reload, *[client] * 6)
