"""An SNMP agent that everybody may read."""

import subprocess
import time

import _daemon

PACKAGE = "snmpd"

if __name__ == "__main__":
    program = _daemon.find("snmpd", PACKAGE)
    (port,) = _daemon.free_ports(1)
    with _daemon.place("Debian-snmp") as (folder, options):
        (folder / "settings").write_text("rocommunity public 127.0.0.1\nsysLocation loopback\n")
        options["stdout"] = options["stderr"] = subprocess.DEVNULL
        options["env"] = {"SNMP_PERSISTENT_DIR": str(folder), "PATH": "/usr/bin:/usr/sbin"}
        begun = time.monotonic()
        _daemon.serve(
            [
                program,
                "-f",
                "-C",
                "-c",
                folder / "settings",
                "-Ln",
                "-p",
                folder / "pid",
                f"udp:{_daemon.HOST}:{port}",
            ],
            options,
            ready=lambda: time.monotonic() > begun + 1,  # UDP says nothing until it is asked
            address=f"{_daemon.HOST}:{port}",
            name=f"Net-SNMP {_daemon.version(program, '-v')}",
        )
