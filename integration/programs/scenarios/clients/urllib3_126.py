"""urllib3 1.26, with a pool of connections

It asks ``select`` and ``poll``, and no selector: what is seen is that ``install()`` does no harm.
"""

from scenarios import _urllib3

NEEDS = ("urllib3",)
OVERLAY = ("urllib3<2",)
SERVER = "slow_http"


def asks(here):
    return False


def program(here):
    _urllib3.run(here)
