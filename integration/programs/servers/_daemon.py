"""How is a server of other people run?  In a folder of its own, and not as root."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Callable, Iterator, Sequence

HOST = "127.0.0.1"
PATIENCE = 60  # seconds: RabbitMQ takes five, and twenty where others are busy
END = 15  # seconds
_PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


def not_run(reason: str) -> None:
    print(f"not run: {reason}", flush=True)
    sys.exit()


def find(program: str, package: str, path: str = _PLACES) -> str:
    """Where that program is; without it there is no server."""
    found = shutil.which(program, path=path)
    if not found:
        not_run(f"apt-get install {package}")
    return found


def free_ports(count: int) -> list[int]:
    """As many different ones, all still free: so they are held until all are known."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server((HOST, 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def version(*command: str) -> str:
    """The first number with a dot in what the command prints."""
    try:
        said = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except OSError:
        return ""
    return next(iter(re.findall(r"\d+\.\d[\w.]*", said.stdout)), "")


def somebody(*users: str) -> dict:
    """As whom to run it: as one of these users rather than as root."""
    if os.geteuid():
        return {}
    for name in (*users, "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    return {}


@contextmanager
def place(*users: str) -> Iterator[tuple[Path, dict]]:
    """A folder of the server's own, and how `subprocess` is to run what works there."""
    folder = Path(tempfile.mkdtemp(prefix="programs-"))
    try:
        who = somebody(*users)
        if who:
            os.chown(folder, who["user"], who["group"])
        yield folder, {"cwd": folder, "stdin": subprocess.DEVNULL, "stdout": sys.stderr, **who}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def listens(port: int) -> Callable[[], bool]:
    """Whether somebody accepts connections there."""

    def check() -> bool:
        try:
            socket.create_connection((HOST, port), 1).close()
        except OSError:
            return False
        return True

    return check


def serve(
    command: Sequence[object],
    options: dict,
    *,
    ready: Callable[[], bool],
    address: str,
    name: str,
    ended_by: int = signal.SIGTERM,
) -> None:
    """Run it until standard input ends; print the address when it is ready, and its name."""
    server = subprocess.Popen([str(each) for each in command], **options)
    try:
        deadline = time.monotonic() + PATIENCE
        while not ready():
            if server.poll() is not None or time.monotonic() > deadline:
                print(f"fails: {name} did not start", flush=True)
                return
            time.sleep(0.1)
        print(f"{address}\t{name}", flush=True)
        sys.stdin.read()
    finally:
        server.send_signal(ended_by)
        try:
            server.wait(END)
        except subprocess.TimeoutExpired:
            server.kill()
