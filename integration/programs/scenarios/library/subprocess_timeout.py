"""subprocess: communicate() and run() with time-outs that pass

The child is too slow; it is asked again then, and what it has said so far is not lost.
"""

import subprocess
import sys
from subprocess import PIPE, Popen, TimeoutExpired

KNOWN = {
    "eventlet, patched first": "what eventlet 0.41's Popen raises is not subprocess.TimeoutExpired"
}
CHILD = "import time; print('one', flush=True); time.sleep(0.7); print('two')"


def asks(here):
    return (here.runtime, here.order) == ("eventlet", "imported first")


def program(here):
    start = subprocess.Popen if here.runtime == "gevent" else Popen
    child = start([sys.executable, "-c", CHILD], stdout=PIPE, stderr=PIPE)
    passed = 0
    while True:
        try:
            said, complaint = child.communicate(timeout=0.2)
            break
        except (TimeoutExpired, subprocess.TimeoutExpired):
            passed += 1
    assert (said, complaint) == (b"one\ntwo\n", b""), (said, complaint)
    assert passed >= 2, passed
