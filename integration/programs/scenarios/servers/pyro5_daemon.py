"""Pyro5, with each of its servers

The multiplexing server waits in a selector and serves one call at a time.  The other server has a
thread for each client.
"""

import time

import Pyro5.api
import Pyro5.configure

NEEDS = ("Pyro5",)


@Pyro5.api.expose
class Service:
    def later(self, number):
        time.sleep(0.2)
        return number * 2


def program(here):
    for kind in ("multiplex", "thread"):
        Pyro5.config.SERVERTYPE = kind
        daemon = Pyro5.api.Daemon("127.0.0.1")
        address = daemon.register(Service)
        running = here.spawn(daemon.requestLoop)
        here.sleep(0.3)  # the server waits meanwhile

        def client(number, address=address):
            with Pyro5.api.Proxy(address) as proxy:
                return proxy.later(number)

        answers = here.together(*(lambda n=n, client=client: client(n) for n in range(3)))
        assert answers == [0, 2, 4], answers
        daemon.shutdown()
        here.result(running)
