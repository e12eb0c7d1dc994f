"""What does gunicorn serve?  The view of all web servers."""

import os

from flask import Flask

from scenarios import _web

application = Flask(__name__)


@application.get("/")
def view():
    return _web.wait()


@application.get("/worker")
def worker():
    return str(os.getpid())
