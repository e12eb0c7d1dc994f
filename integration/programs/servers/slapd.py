"""An OpenLDAP server with one organization and nobody in it."""

import os
import subprocess

import _daemon

PACKAGE = "slapd"
SETTINGS = """\
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/pid
database mdb
suffix "dc=example,dc=org"
rootdn "cn=admin,dc=example,dc=org"
rootpw secret
directory {folder}/data
maxsize 10485760
"""
ENTRY = """\
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
dc: example
o: Example
"""

if __name__ == "__main__":
    program = _daemon.find("slapd", PACKAGE)
    add = _daemon.find("slapadd", PACKAGE)
    (port,) = _daemon.free_ports(1)
    with _daemon.place("openldap") as (folder, options):
        (folder / "settings").write_text(SETTINGS.format(folder=folder))
        (folder / "entry").write_text(ENTRY)
        (folder / "data").mkdir()
        if "user" in options:
            os.chown(folder / "data", options["user"], options["group"])
        options["stderr"] = subprocess.DEVNULL
        command = [add, "-f", folder / "settings", "-l", folder / "entry"]
        subprocess.run(command, check=True, **{**options, "stdout": subprocess.DEVNULL})
        _daemon.serve(
            [program, "-f", folder / "settings", "-h", f"ldap://{_daemon.HOST}:{port}", "-d", "0"],
            options,
            ready=_daemon.listens(port),
            address=f"{_daemon.HOST}:{port}",
            name=f"OpenLDAP {_daemon.version(program, '-VV')}",
        )
