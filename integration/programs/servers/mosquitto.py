"""A Mosquitto broker for MQTT."""

import _daemon

PACKAGE = "mosquitto"

if __name__ == "__main__":
    program = _daemon.find("mosquitto", PACKAGE)
    (port,) = _daemon.free_ports(1)
    with _daemon.place() as (folder, options):
        settings = folder / "settings"
        settings.write_text(
            f"listener {port} {_daemon.HOST}\nallow_anonymous true\nlog_dest none\n"
            f"user {'mosquitto' if 'user' in options else ''}\n"
        )
        _daemon.serve(
            [program, "-c", settings],
            options,
            ready=_daemon.listens(port),
            address=f"{_daemon.HOST}:{port}",
            name=f"Mosquitto {_daemon.version(program, '-h')}",
        )
