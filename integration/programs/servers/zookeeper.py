"""A ZooKeeper server, alone."""

import subprocess

import _daemon

PACKAGE = "zookeeper"
JAR = "/usr/share/java/zookeeper.jar"
MAIN = "org.apache.zookeeper.server.ZooKeeperServerMain"

if __name__ == "__main__":
    script = _daemon.find("zkServer.sh", PACKAGE, "/usr/share/zookeeper/bin")
    program = _daemon.find("java", PACKAGE)
    (port,) = _daemon.free_ports(1)
    with _daemon.place("zookeeper") as (folder, options):
        (folder / "zoo.cfg").write_text(
            f"tickTime=500\ndataDir={folder}\nclientPort={port}\nclientPortAddress={_daemon.HOST}\n"
            "admin.enableServer=false\n4lw.commands.whitelist=*\n"
        )
        options["stdout"] = options["stderr"] = subprocess.DEVNULL
        _daemon.serve(
            [
                program,
                "-Xmx128m",
                "-cp",
                f"{JAR}:/etc/zookeeper/conf:/usr/share/java/*",
                MAIN,
                folder / "zoo.cfg",
            ],
            options,
            ready=_daemon.listens(port),
            address=f"{_daemon.HOST}:{port}",
            name=f"ZooKeeper {_daemon.version('dpkg-query', '-W', PACKAGE)}",
        )
