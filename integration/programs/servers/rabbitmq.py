"""A RabbitMQ broker on a free port of the loopback, with a node name and a directory of its own."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess

import _daemon

PACKAGE = "rabbitmq-server"
HELLO = b"AMQP\0\0\x09\x01"


def binary() -> str:
    """Debian's script without the one around it, which goes to another directory; or any other."""
    found = shutil.which("rabbitmq-server", path="/usr/lib/rabbitmq/bin")
    return found or _daemon.find("rabbitmq-server", PACKAGE)


def answers(port: int) -> bool:
    """Whether a client is given the beginning of a connection there."""
    try:
        with socket.create_connection((_daemon.HOST, port), 1) as client:
            client.sendall(HELLO)
            return bool(client.recv(1))
    except OSError:
        return False


def version() -> str:
    """As its folder says: to ask the broker takes seconds."""
    found = re.findall(r"rabbitmq_server-([\d.]+)", " ".join(os.listdir("/usr/lib/rabbitmq/lib")))
    return next(iter(found), "")


if __name__ == "__main__":
    server = binary()
    port, between_nodes, names = _daemon.free_ports(3)
    with _daemon.place("rabbitmq") as (folder, options):
        (folder / "plugins").write_text("[].")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": folder,  # where its cookie goes
            "ERL_EPMD_ADDRESS": _daemon.HOST,
            "ERL_EPMD_PORT": names,
            "RABBITMQ_NODENAME": "programs@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": _daemon.HOST,
            "RABBITMQ_NODE_PORT": port,
            "RABBITMQ_DIST_PORT": between_nodes,
            "RABBITMQ_MNESIA_BASE": folder / "data",
            "RABBITMQ_LOG_BASE": folder / "log",
            # Not what this machine's own broker is told.
            "RABBITMQ_CONFIG_FILE": folder / "none",
            "RABBITMQ_CONFIG_FILES": folder / "none",
            "RABBITMQ_ADVANCED_CONFIG_FILE": folder / "none",
            "RABBITMQ_CONF_ENV_FILE": folder / "none",
            "RABBITMQ_ENABLED_PLUGINS_FILE": folder / "plugins",
            # A handful of messages need no more than one scheduler.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 "
            "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        options["env"] = {name: str(value) for name, value in environment.items()}
        options["stdout"] = subprocess.DEVNULL
        # Erlang would leave a daemon of its own behind, if it found none.
        epmd = subprocess.Popen(["epmd"], **options)
        try:
            _daemon.serve(
                [server],
                options,
                ready=lambda: answers(port),
                address=f"amqp://guest:guest@{_daemon.HOST}:{port}/%2F",
                name=f"RabbitMQ {version()}",
            )
        finally:
            epmd.terminate()
            epmd.wait(_daemon.PATIENCE)
