"""requests, with a pool of connections

requests uses ``select`` and ``poll``, but no selector.  This shows that ``install()`` does no harm.
"""

import requests
from requests.adapters import HTTPAdapter

NEEDS = ("requests",)
SERVER = "slow_http"


def asks(here):
    return False


def program(here):
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", HTTPAdapter(pool_maxsize=3, pool_block=True))

        def client(number):
            return [session.get(f"{here.address}/{number}/{turn}").text for turn in range(2)]

        answers = here.together(*(lambda number=number: client(number) for number in range(3)))
    assert answers == [[f"/{number}/{turn}" for turn in range(2)] for number in range(3)], answers
