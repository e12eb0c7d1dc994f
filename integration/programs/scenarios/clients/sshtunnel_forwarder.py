"""sshtunnel, with an HTTP server at the other end of an OpenSSH server

The forwarder is a ``socketserver``.  Its request handlers wait in ``select.select`` for both
directions.
"""

import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests
from sshtunnel import SSHTunnelForwarder

NEEDS = ("sshtunnel", "paramiko", "requests")
OVERLAY = ("sshtunnel<1", "paramiko<4")  # sshtunnel 0.4 asks for a class that paramiko 4 dropped
SERVER = "sshd"
SELECT = True


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        threading.Event().wait(0.6)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, *_):
        pass


def program(here):
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    user, host, port, key = here.address.replace("@", ":").split(":")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here.spawn(server.serve_forever)
    options = {"ssh_pkey": key, "allow_agent": False, "host_pkey_directories": []}
    with SSHTunnelForwarder(
        (host, int(port)), ssh_username=user, remote_bind_address=server.server_address, **options
    ) as tunnel:
        url = f"http://127.0.0.1:{tunnel.local_bind_port}"
        answers = here.together(*(lambda n=n: requests.get(f"{url}/{n}").text for n in range(3)))
    server.shutdown()
    assert answers == ["/0", "/1", "/2"], answers
