"""subprocess: communicate() and run() with time-outs that pass

The child is too slow.  ``communicate()`` is called again after the time-out, and no output is lost.
"""

import subprocess
import sys
from subprocess import PIPE, Popen, TimeoutExpired

KNOWN = {
    "eventlet, patched first": "the Popen of eventlet 0.41 raises an exception other than "
    "subprocess.TimeoutExpired"
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
