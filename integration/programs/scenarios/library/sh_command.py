"""sh: a command with a line at a time from it

Threads read the output of the command, and wait for it in ``poll`` or ``select``.  gevent must
leave ``os`` unpatched: its ``os.close`` leaves a pipe open until the loop turns, and sh waits for
the end of that pipe.
"""

import sys

import sh

NEEDS = ("sh",)
SELECT = True
KNOWN = {"gevent": "a thread of sh 2.4 waits in waitpid, which blocks if os is not patched"}
UNPATCHED = {"gevent": "os"}
CHILD = "import time\nfor n in range(3): time.sleep(0.2); print(n, flush=True)"


def program(here):
    lines = []
    sh.Command(sys.executable)("-c", CHILD, _out=lines.append, _bg=True).wait()
    assert lines == ["0\n", "1\n", "2\n"], lines
