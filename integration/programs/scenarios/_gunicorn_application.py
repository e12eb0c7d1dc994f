"""What does gunicorn serve?  The view of all web servers, and a report on the worker."""

import importlib
import os

from flask import Flask

import watch
from scenarios import _web

application = Flask(__name__)
state = {}


def begin():
    """Called in the worker, when all is imported and patched."""
    runtime, ours = os.environ["COOPSELECTORS_PROGRAM"].split()
    library = importlib.import_module(runtime)
    state["asked"] = watch.install() if ours == "True" else []
    state["ticker"] = watch.Ticker(library.spawn, library.sleep)


@application.get("/")
def view():
    return _web.wait()


@application.get("/report")
def report():
    return {"stood": state["ticker"].longest(), "asked": len(state["asked"])}
