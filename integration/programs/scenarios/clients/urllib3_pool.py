"""urllib3, with a pool of connections

It asks ``select`` and ``poll``, and no selector: what is seen is that ``install()`` does no harm.
"""

import urllib3

NEEDS = ("urllib3",)
SERVER = "slow_http"


def asks(here):
    return False


def program(here):
    with urllib3.PoolManager(maxsize=2, block=True) as pool:

        def client(number):
            urls = [f"{here.address}/{number}/{turn}" for turn in range(2)]
            return [pool.request("GET", url, retries=False).data.decode() for url in urls]

        answers = here.together(*(lambda number=number: client(number) for number in range(3)))
    assert answers == [[f"/{number}/{turn}" for turn in range(2)] for number in range(3)], answers
