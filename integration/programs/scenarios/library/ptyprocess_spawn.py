"""ptyprocess, with a selector on the terminal of its child

``read()`` of ptyprocess blocks in the kernel, whatever is patched.  gevent must leave ``os``
unpatched: its ``os.close`` leaves a pipe open until the loop turns, and ptyprocess waits for the
end of that pipe.
"""

import selectors
import sys
from selectors import DefaultSelector

import ptyprocess

NEEDS = ("ptyprocess",)
UNPATCHED = {"gevent": "os"}
CHILD = "import time; time.sleep(0.6); print(input('name? ').upper())"


def program(here):
    child = ptyprocess.PtyProcess.spawn([sys.executable, "-c", CHILD], echo=False)

    def read_until(end):
        found = b""
        with DefaultSelector() as selector:
            selector.register(child, selectors.EVENT_READ)
            while end not in found:
                assert selector.select(10), found
                found += child.read()
        return found

    read_until(b"name? ")
    child.write(b"one\n")
    assert b"ONE" in read_until(b"\n")
    here.until(lambda: not child.isalive())
    child.close()
    assert child.exitstatus == 0, child.exitstatus
