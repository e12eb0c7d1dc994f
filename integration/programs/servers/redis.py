"""A Redis server that keeps nothing."""

import _daemon

PACKAGE = "redis-server"

if __name__ == "__main__":
    program = _daemon.find("redis-server", PACKAGE)
    (port,) = _daemon.free_ports(1)
    with _daemon.place() as (folder, options):
        _daemon.serve(
            [
                program,
                "--port",
                port,
                "--bind",
                _daemon.HOST,
                "--save",
                "",
                "--dir",
                folder,
                "--loglevel",
                "warning",
                "--logfile",
                folder / "log",
            ],
            options,
            ready=_daemon.listens(port),
            address=f"redis://{_daemon.HOST}:{port}/0",
            name=f"Redis {_daemon.version(program, '--version')}",
        )
