"""A MariaDB server with a data directory of its own and one user, who needs no password."""

import subprocess

import _daemon

PACKAGE = "mariadb-server"

if __name__ == "__main__":
    program = _daemon.find("mariadbd", PACKAGE)
    install = _daemon.find("mariadb-install-db", PACKAGE)
    (port,) = _daemon.free_ports(1)
    with _daemon.place("mysql") as (folder, options):
        common = ["--no-defaults", f"--datadir={folder}/data"]
        options["stderr"] = subprocess.DEVNULL
        making = {**options, "stdout": subprocess.DEVNULL}
        (folder / "users.sql").write_text("CREATE USER tester;\nGRANT ALL ON *.* TO tester;\n")
        subprocess.run(
            [install, *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True,
            **making,
        )
        _daemon.serve(
            [
                program,
                *common,
                f"--port={port}",
                f"--bind-address={_daemon.HOST}",
                f"--socket={folder}/socket",
                f"--pid-file={folder}/pid",
                f"--init-file={folder}/users.sql",
                "--innodb-flush-log-at-trx-commit=0",
            ],
            options,
            ready=_daemon.listens(port),
            address=f"{_daemon.HOST}:{port}",
            name=f"MariaDB {_daemon.version(program, '--version')}",
        )
