"""pyftpdlib, with ftplib as its client

``FTPServer.serve_forever()`` runs one of pyftpdlib's own event loops, built on ``epoll``, ``poll``
or ``select``.  pyftpdlib defines them when it is imported, one for each primitive that ``select``
has at that moment, and keeps the primitive in an attribute of the class.
"""

import tempfile
from ftplib import FTP
from io import BytesIO
from logging import getLogger

from pyftpdlib import ioloop
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

NEEDS = ("pyftpdlib",)
SELECT = True
LOOPS = ("Epoll", "Poll", "Select")
DATA = b"greenlet" * 100_000


class Handler(FTPHandler):
    authorizer = DummyAuthorizer()


def program(here):
    getLogger("pyftpdlib").disabled = True

    def serve(loop):
        server = FTPServer(("127.0.0.1", 0), Handler, ioloop=loop())
        here.spawn(server.serve_forever)
        return server

    def client(name, server):
        here.sleep(0.6)  # the server waits meanwhile
        with FTP() as ftp:
            ftp.connect(*server.address)
            ftp.login("tester", "secret")
            ftp.storbinary(f"STOR {name}", BytesIO(DATA + name.encode()))
            got = []
            ftp.retrbinary(f"RETR {name}", got.append)
            ftp.quit()
        return b"".join(got)

    with tempfile.TemporaryDirectory() as place:
        Handler.authorizer.add_user("tester", "secret", place, perm="elrw")
        servers = {name: serve(getattr(ioloop, name)) for name in LOOPS if hasattr(ioloop, name)}
        answers = here.together(*(lambda each=each: client(*each) for each in servers.items()))
        for server in servers.values():
            server.close_all()
    assert answers == [DATA + name.encode() for name in servers], [*map(len, answers)]
