"""uWSGI with its gevent loop

*Patched first* is ``--gevent-early-monkey-patch``.  *Imported first* is an application that patches
after its imports.
"""

import os
import shutil
import socket
import sys

import children
from scenarios import _web

NEEDS = ("uWSGI", "requests")
OVERLAY = ("uWSGI",)  # it has to be compiled, and what needs it is not run where it cannot be
ONLY = "gevent"


def program(here):
    if here.kind == "run":
        here.not_run("uWSGI is a program in C, which Python cannot start as a module")
    uwsgi = shutil.which("uwsgi", path=os.pathsep.join(f"{folder}/bin" for folder in sys.path))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.set_inheritable(True)
        command = [uwsgi, "--master", "--lazy-apps", "--die-on-term", "--disable-logging"]
        command += ["--add-header", "Connection: close"]  # it does so without saying it
        command += ["--gevent", "50", "--http-socket", f"fd://{listener.fileno()}"]
        command += ["--virtualenv", sys.prefix, "--module", "scenarios._uwsgi_application"]
        if here.order == "patched first":
            command.append("--gevent-early-monkey-patch")
        port = listener.getsockname()[1]
        with children.started(here, command=command, pass_fds=[listener.fileno()]):
            _web.ask(here, f"http://127.0.0.1:{port}")
