"""paramiko, on an OpenSSH server

Three greenlets run a command that takes 0.6 s, and copy a file to the server and back.
"""

import os
import tempfile
from io import BytesIO

import paramiko

NEEDS = ("paramiko",)
SERVER = "sshd"
DATA = b"greenlet" * 100_000


def asks(here):
    return False  # it waits in its sockets and threads


def program(here):
    user, host, port, key = here.address.replace("@", ":").split(":")

    def client(number):
        with paramiko.SSHClient() as ssh:
            ssh.set_missing_host_key_policy(paramiko.AutoAddPolicy())
            options = {"look_for_keys": False, "allow_agent": False, "key_filename": key}
            ssh.connect(host, int(port), user, **options)
            _, said, _ = ssh.exec_command(f"sleep 0.6; echo {number}")
            answer = said.read()
            with ssh.open_sftp() as files, tempfile.TemporaryDirectory() as place:
                files.putfo(BytesIO(DATA), os.path.join(place, "file"))
                copy = BytesIO()
                files.getfo(os.path.join(place, "file"), copy)
        assert copy.getvalue() == DATA
        return int(answer)

    assert here.together(*(lambda n=n: client(n) for n in range(3))) == [0, 1, 2]
