"""PyMySQL, on a MariaDB server

Three greenlets wait for ``sleep(0.5)``, each on its own connection.
"""

import pymysql

NEEDS = ("PyMySQL",)
SERVER = "mariadb"


def asks(here):
    return False  # it waits in its sockets


def program(here):
    host, _, port = here.address.partition(":")

    def sleep(number):
        connection = pymysql.connect(host=host, port=int(port), user="tester")
        with connection, connection.cursor() as cursor:
            cursor.execute("select %s, sleep(0.5)", [number])
            return cursor.fetchone()[0]

    assert here.together(*(lambda n=n: sleep(n) for n in range(3))) == [0, 1, 2]
