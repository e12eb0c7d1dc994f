"""urllib3 1.26, with a pool of connections

urllib3 uses ``select`` and ``poll``, but no selector.  This shows that ``install()`` does no harm.
"""

from scenarios import _urllib3

NEEDS = ("urllib3",)
OVERLAY = ("urllib3<2",)
SERVER = "slow_http"


def asks(here):
    return False


def program(here):
    _urllib3.run(here)
