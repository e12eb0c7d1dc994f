"""An OpenSSH server for whoever runs this, with keys of its own."""

import getpass
import os
import subprocess

import _daemon

PACKAGE = "openssh-server"

if __name__ == "__main__":
    program = _daemon.find("sshd", PACKAGE)
    keygen = _daemon.find("ssh-keygen", PACKAGE)
    (port,) = _daemon.free_ports(1)
    with _daemon.place() as (folder, options):
        # It serves the user that it runs as: without root there is no other.
        mine = {key: options[key] for key in ("cwd", "stdin", "stdout")}
        os.chown(folder, os.geteuid(), os.getegid())
        for key in ("host", "client"):
            command = [keygen, "-q", "-t", "ed25519", "-N", "", "-f", folder / key]
            subprocess.run(command, check=True)
        (folder / "authorized").write_bytes((folder / "client.pub").read_bytes())
        (folder / "settings").write_text(
            f"Port {port}\nListenAddress {_daemon.HOST}\nHostKey {folder}/host\nStrictModes no\n"
            f"AuthorizedKeysFile {folder}/authorized\nPidFile none\nUsePAM no\n"
            "PermitRootLogin yes\nPasswordAuthentication no\nMaxStartups 50\n"
            "Subsystem sftp internal-sftp\n"
        )
        if not os.geteuid():
            os.makedirs("/run/sshd", exist_ok=True)
        _daemon.serve(
            [program, "-D", "-e", "-f", folder / "settings"],
            {**mine, "stderr": subprocess.DEVNULL},
            ready=_daemon.listens(port),
            address=f"{getpass.getuser()}@{_daemon.HOST}:{port}:{folder}/client",
            name=f"OpenSSH {_daemon.version(program, '-V')}",
        )
