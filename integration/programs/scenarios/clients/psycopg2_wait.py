"""psycopg 2 with a wait callback, on a PostgreSQL server

Three greenlets wait for ``pg_sleep(0.5)``, each on its own connection.  ``set_wait_callback`` makes
psycopg 2 call ``psycopg2.extras.wait_select``, which waits in ``select.select``.  Without the
callback it waits in C code, which no patch can reach.
"""

import psycopg2
import psycopg2.extensions
from psycopg2.extras import wait_select

NEEDS = ("psycopg2-binary",)
SERVER = "postgres"
SELECT = True


def program(here):
    psycopg2.extensions.set_wait_callback(wait_select)

    def sleep(number):
        connection = psycopg2.connect(here.address)
        with connection.cursor() as cursor:
            cursor.execute("select %s, pg_sleep(0.5)", [number])
            (found, _) = cursor.fetchone()
        connection.close()
        return found

    assert here.together(*(lambda n=n: sleep(n) for n in range(3))) == [0, 1, 2]
