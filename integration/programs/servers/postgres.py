"""A PostgreSQL server, with its data in a temporary directory and a Unix socket beside them."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PATIENCE = 30  # seconds


def binaries() -> Path:
    """Where Debian's packages, or others, have put the newest of them."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(found, key=lambda path: float(path.parts[-3]), default=None)
    program = newest or shutil.which("initdb")
    if not program:
        print("skipped: apt-get install postgresql")
        sys.exit()
    return Path(program).parent


def somebody() -> dict[str, int]:
    """As whom to run them: PostgreSQL refuses to be run by root."""
    if os.geteuid():
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid}
    print("skipped: run it as an ordinary user")
    sys.exit()


def main() -> None:
    directory, who, place = binaries(), somebody(), Path(tempfile.mkdtemp(prefix="programs-"))
    server = None
    try:
        if who:
            os.chown(place, who["user"], who["group"])
            who["extra_groups"] = []
        common = {"cwd": place, "stdin": subprocess.DEVNULL, "stdout": sys.stderr, **who}
        make = [directory / "initdb", "-D", place / "data", "-U", "tester", "-A", "trust"]
        subprocess.run([*make, "--no-sync"], check=True, **{**common, "stdout": subprocess.DEVNULL})
        settings = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", "log_min_messages=panic"]
        server = subprocess.Popen(
            [directory / "postgres", "-D", place / "data", "-k", place, *settings], **common
        )
        ready = [directory / "pg_isready", "-q", "-h", place, "-U", "tester", "-d", "postgres"]
        deadline = time.monotonic() + PATIENCE
        while subprocess.run(ready, check=False, **common).returncode:
            if server.poll() is not None or time.monotonic() > deadline:
                sys.exit("PostgreSQL did not start")
            time.sleep(0.1)
        print(f"host={place} user=tester dbname=postgres", flush=True)
        sys.stdin.read()
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)  # a fast shutdown: it waits for no client
            server.wait(PATIENCE)
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
