"""logging.config.listen

A thread receives configurations through a socket.  It waits for the next one in ``select``.
"""

import json
import logging
import logging.config
import socket
import struct

SELECT = True
LOGGER = "programs.configured"


def program(here):
    port = here.free_port()
    listener = logging.config.listen(port)
    listener.start()
    listener.ready.wait(5)
    here.sleep(0.6)
    settings = {"version": 1, "incremental": True, "loggers": {LOGGER: {"level": "DEBUG"}}}
    said = json.dumps(settings).encode()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(struct.pack(">L", len(said)) + said)
    here.until(lambda: logging.getLogger(LOGGER).level == logging.DEBUG)
    logging.config.stopListening()
    listener.join()
