"""subprocess: communicate() with much to write and to read

The child does nothing for 0.8 s, and then answers on both pipes with more data than they can hold.
Both libraries replace ``Popen`` in the module.  Under eventlet, a ``Popen`` that was saved before
the patch still works, with a selector.  Under gevent it cannot start a child any more, so gevent's
own ``Popen`` is tested there.
"""

import subprocess
import sys
from subprocess import PIPE, Popen

CHILD = """
import sys, time
time.sleep(0.8)
data = sys.stdin.buffer.read()
sys.stdout.buffer.write(data[::-1])
sys.stderr.buffer.write(data.upper())
"""
DATA = b"abc" * 700_000


def asks(here):
    return (here.runtime, here.order) == ("eventlet", "imported first")


def program(here):
    start = subprocess.Popen if here.runtime == "gevent" else Popen
    child = start([sys.executable, "-c", CHILD], stdin=PIPE, stdout=PIPE, stderr=PIPE)
    said, complaint = child.communicate(DATA)
    assert said == DATA[::-1], len(said)
    assert complaint == DATA.upper(), len(complaint)
    assert child.returncode == 0, child.returncode
