"""ldap3, on an OpenLDAP server

Three greenlets add one entry each and search for it.  They do so with the synchronous strategy, and
with the asynchronous one, whose thread waits in its socket.
"""

import ldap3

NEEDS = ("ldap3",)
SERVER = "slapd"
BASE = "dc=example,dc=org"


def asks(here):
    return False  # it waits in its sockets


def program(here):
    server = ldap3.Server(f"ldap://{here.address}", get_info=ldap3.NONE)

    def client(strategy, number):
        name = f"cn={here.number}-{number},{BASE}"
        options = {"auto_bind": True, "client_strategy": strategy}
        with ldap3.Connection(server, f"cn=admin,{BASE}", "secret", **options) as connection:

            def result(answer):
                return connection.get_response(answer)[0] if strategy == ldap3.ASYNC else None

            result(connection.add(name, "person", {"sn": str(number)}))
            here.sleep(0.6)
            found = connection.search(name, "(objectClass=*)", attributes=["sn"])
            found = result(found) or connection.response
            result(connection.delete(name))
            return found[0]["attributes"]["sn"][0]

    kinds = (ldap3.SYNC, ldap3.ASYNC, ldap3.SYNC)
    answers = here.together(*(lambda n=n: client(kinds[n], n) for n in range(3)))
    assert answers == ["0", "1", "2"], answers
