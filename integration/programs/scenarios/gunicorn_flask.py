"""gunicorn, with a Flask application

The worker is gunicorn's own for the runtime, and its ``post_worker_init`` hook calls ``install()``.
Imported first means ``--preload``: gunicorn imports the application before it forks, and the worker
patches after that.
"""

import importlib.util
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import requests

from scenarios import _web

NEEDS = ("gunicorn", "packaging", "flask", "requests")


def program(here):
    if importlib.util.find_spec(f"gunicorn.workers.g{here.runtime}") is None:
        has_none = f"gunicorn {metadata.version('gunicorn')} has no {here.runtime} worker"
        here.skip(f"{has_none}: python -m pip install 'gunicorn<26'")
    command = [sys.executable, "-m", "gunicorn", "--worker-class", here.runtime]
    command += ["--bind", "127.0.0.1:0", "--config", "python:scenarios._gunicorn_config"]
    command += ["--preload"] if here.order == "imported first" else []
    environment = dict(
        os.environ,
        PYTHONPATH=os.pathsep.join(sys.path),
        COOPSELECTORS_PROGRAM=f"{here.runtime} {here.ours}",
    )
    gunicorn = subprocess.Popen(
        [*command, "scenarios._gunicorn_application:application"],
        env=environment,
        cwd=Path(__file__).parents[1],  # what lies there is imported first
        stdout=subprocess.PIPE,
    )
    try:
        url = gunicorn.stdout.readline().decode().strip()
        _web.ask(here, url)
        report = requests.get(f"{url}/report").json()
        here.stood, here.asked = report["stood"], report["asked"]
    finally:
        gunicorn.terminate()
        gunicorn.wait()
