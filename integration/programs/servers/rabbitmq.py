"""A RabbitMQ broker on a free port of the loopback, with a node name and a directory of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

PATIENCE = 60  # seconds: it takes five, and twenty where others are busy
HOST = "127.0.0.1"
HELLO = b"AMQP\0\0\x09\x01"


def binary() -> str:
    """Debian's script without the one around it, which goes to another directory; or any other."""
    found = shutil.which("rabbitmq-server", path="/usr/lib/rabbitmq/bin")
    found = found or shutil.which("rabbitmq-server")
    if not found:
        print("skipped: apt-get install rabbitmq-server")
        sys.exit()
    return found


def somebody() -> dict[str, int]:
    """As whom to run it: as the package's user rather than as root, as the package does it."""
    try:
        entry = pwd.getpwnam("rabbitmq")
    except KeyError:
        return {}
    return {} if os.geteuid() else {"user": entry.pw_uid, "group": entry.pw_gid}


def free_ports(count: int) -> list[int]:
    """As many different ones, all still free: so they are held until all are known."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server((HOST, 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def answers(port: int) -> bool:
    """Whether a client is given the beginning of a connection there."""
    try:
        with socket.create_connection((HOST, port), 1) as client:
            client.sendall(HELLO)
            return bool(client.recv(1))
    except OSError:
        return False


def main() -> None:
    server, who, place = binary(), somebody(), Path(tempfile.mkdtemp(prefix="programs-"))
    port, between_nodes, names = free_ports(3)
    (place / "plugins").write_text("[].")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": place,  # where its cookie goes
        "ERL_EPMD_ADDRESS": HOST,
        "ERL_EPMD_PORT": names,
        "RABBITMQ_NODENAME": "programs@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": HOST,
        "RABBITMQ_NODE_PORT": port,
        "RABBITMQ_DIST_PORT": between_nodes,
        "RABBITMQ_MNESIA_BASE": place / "data",
        "RABBITMQ_LOG_BASE": place / "log",
        # Not what this machine's own broker is told.
        "RABBITMQ_CONFIG_FILE": place / "none",
        "RABBITMQ_CONFIG_FILES": place / "none",
        "RABBITMQ_ADVANCED_CONFIG_FILE": place / "none",
        "RABBITMQ_CONF_ENV_FILE": place / "none",
        "RABBITMQ_ENABLED_PLUGINS_FILE": place / "plugins",
        # A handful of messages need no more than one scheduler.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}",
    }
    common = {
        "cwd": place,
        "env": {name: str(value) for name, value in environment.items()},
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.DEVNULL,
        **who,
    }
    running = []
    try:
        if who:
            shutil.chown(place, **who)
            common["extra_groups"] = []
        # Erlang would leave a daemon of its own behind, if it found none.
        for command in (["epmd"], [server]):
            running.append(subprocess.Popen(command, **common))
        deadline = time.monotonic() + PATIENCE
        while not answers(port):
            if running[-1].poll() is not None or time.monotonic() > deadline:
                sys.exit("RabbitMQ did not start")
            time.sleep(0.1)
        print(f"amqp://guest:guest@{HOST}:{port}/%2F", flush=True)
        sys.stdin.read()
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(PATIENCE)
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
