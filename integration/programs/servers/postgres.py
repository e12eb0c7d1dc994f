"""A PostgreSQL server, with its data in a temporary directory and a Unix socket beside them."""

import signal
import subprocess
from pathlib import Path

import _daemon

PACKAGE = "postgresql"


def binaries() -> str:
    """Where Debian's packages, or others, have put the newest of them."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(found, key=lambda path: float(path.parts[-3]), default=None)
    return str(newest or _daemon.find("initdb", PACKAGE)).rpartition("/")[0]


if __name__ == "__main__":
    directory = binaries()
    with _daemon.place("postgres") as (folder, options):
        make = [f"{directory}/initdb", "-D", folder / "data", "-U", "tester", "-A", "trust"]
        quiet = {**options, "stdout": subprocess.DEVNULL}
        subprocess.run([*make, "--no-sync"], check=True, **quiet)
        ready = [f"{directory}/pg_isready", "-q", "-h", folder, "-U", "tester", "-d", "postgres"]
        _daemon.serve(
            [
                f"{directory}/postgres",
                "-D",
                folder / "data",
                "-k",
                folder,
                "-c",
                "listen_addresses=",
                "-c",
                "fsync=off",
                "-c",
                "log_min_messages=panic",
            ],
            options,
            ready=lambda: not subprocess.run(ready, check=False, **quiet).returncode,
            address=f"host={folder} user=tester dbname=postgres",
            name=f"PostgreSQL {_daemon.version(f'{directory}/postgres', '--version')}",
            ended_by=signal.SIGINT,  # a fast shutdown: it waits for no client
        )
