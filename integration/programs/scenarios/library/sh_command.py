"""sh: a command with a line at a time from it

Threads read what the command writes, and wait in ``poll`` or ``select``.  gevent patches all but
``os``: its ``os.close`` leaves a pipe open until its loop turns, and sh waits for the end of it.
"""

import sys

import sh

NEEDS = ("sh",)
SELECT = True
KNOWN = {"gevent": "a thread of sh 2.4 waits in waitpid, which is not cooperative without os"}
UNPATCHED = {"gevent": "os"}
CHILD = "import time\nfor n in range(3): time.sleep(0.2); print(n, flush=True)"


def program(here):
    lines = []
    sh.Command(sys.executable)("-c", CHILD, _out=lines.append, _bg=True).wait()
    assert lines == ["0\n", "1\n", "2\n"], lines
