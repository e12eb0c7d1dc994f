"""An etcd server, alone."""

import subprocess

import _daemon

PACKAGE = "etcd-server"

if __name__ == "__main__":
    program = _daemon.find("etcd", PACKAGE)
    clients, peers = _daemon.free_ports(2)
    with _daemon.place() as (folder, options):
        options["stdout"] = options["stderr"] = subprocess.DEVNULL
        url, between = (f"http://{_daemon.HOST}:{port}" for port in (clients, peers))
        _daemon.serve(
            [
                program,
                "--data-dir",
                folder / "data",
                "--unsafe-no-fsync",
                "--listen-client-urls",
                url,
                "--advertise-client-urls",
                url,
                "--listen-peer-urls",
                between,
                "--initial-advertise-peer-urls",
                between,
                "--initial-cluster",
                f"default={between}",
            ],
            options,
            ready=_daemon.listens(clients),
            address=f"{_daemon.HOST}:{clients}",
            name=f"etcd {_daemon.version(program, '--version')}",
        )
