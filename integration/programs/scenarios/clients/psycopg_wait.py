"""psycopg 3 with wait_selector, on a PostgreSQL server

Three greenlets wait for ``pg_sleep(0.5)``, each on its own connection.  ``PSYCOPG_WAIT_FUNC`` tells
psycopg to wait with a selector.  Without it, psycopg uses ``poll`` if gevent has patched already,
and otherwise its own C code, which no patch can reach.
"""

import os

os.environ["PSYCOPG_WAIT_FUNC"] = "wait_selector"

import psycopg

NEEDS = ("psycopg", "psycopg-binary")
SERVER = "postgres"
FIXED = (3, 3, 5)  # until then its wait_selector did not work anywhere


def program(here):
    version = psycopg.__version__
    if tuple(map(int, version.split(".")[:3])) < FIXED:
        required = ".".join(map(str, FIXED))
        reason = f"psycopg {version} registers its file twice, in any process"
        here.not_run(f"{reason}: python -m pip install 'psycopg>={required}'")

    def sleep(number):
        with psycopg.connect(here.address) as connection:
            return connection.execute("select %s, pg_sleep(0.5)", [number]).fetchone()[0]

    answers = here.together(*(lambda number=number: sleep(number) for number in range(3)))
    assert answers == [0, 1, 2], answers
