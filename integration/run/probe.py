"""Does a selector whose class was captured at the import let others run while it waits?"""

import json
import os
import socket
import sys
from selectors import EVENT_READ
from selectors import DefaultSelector as Captured


def probe():
    """Wait for half a second in a selector, with a ticker beside; what was seen, as JSON."""
    import coopselectors

    hub = sys.modules.get("gevent" if coopselectors.current_runtime() == "gevent" else "eventlet")
    ticks = []

    def tick():
        while len(ticks) < 1000:
            ticks.append(1)
            hub.sleep(0.01)

    task = hub.spawn(tick)
    hub.sleep(0)
    ours, theirs = socket.socketpair()
    with ours, theirs, Captured() as selector:
        selector.register(ours, EVENT_READ)
        selector.select(0.5)
    task.kill()
    return json.dumps(
        {
            "runtime": coopselectors.current_runtime(),
            "class": f"{Captured.__module__}.{Captured.__name__}",
            "is ours": Captured.__module__.startswith("coopselectors"),
            "select": sys.modules["select"].select.__module__,
            "ticks": len(ticks),
            "installed": coopselectors.is_installed(),
        }
    )


def tell():
    """Note it where the command that has started this program reads it."""
    with open(os.environ["PROBE_FILE"], "w") as file:
        file.write(probe())
