"""rpyc: ThreadedServer, and clients that call it

Both sides call ``poll`` for each message, in ``Stream.poll()``.
"""

import time
from logging import WARNING, getLogger

import rpyc
from rpyc.utils.server import ThreadedServer

NEEDS = ("rpyc",)
SELECT = True


class Service(rpyc.Service):
    def exposed_later(self, number):
        time.sleep(0.6)
        return number * 2


def program(here):
    log = getLogger("rpyc")
    log.setLevel(WARNING)
    server = ThreadedServer(Service, "127.0.0.1", logger=log)
    here.spawn(server.start)

    def client(number):
        with rpyc.connect(server.host, server.port) as connection:
            return connection.root.later(number)

    answers = here.together(*(lambda number=number: client(number) for number in range(3)))
    server.close()
    assert answers == [0, 2, 4], answers
