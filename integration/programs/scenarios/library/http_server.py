"""http.server.ThreadingHTTPServer

The server is a ``socketserver``.  The view waits in a selector, too.
"""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from scenarios import _web

NEEDS = ("requests",)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        answer = _web.wait()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def program(here):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here.spawn(server.serve_forever)
    _web.ask(here, f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
