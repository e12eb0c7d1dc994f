"""subprocess: communicate() with much to write and to read

The child does nothing for 0.8 s, and then answers on both pipes with more than fits into them.
eventlet has put its own class into the module, and one that was saved before goes on to work, with
a selector.  gevent has too, and takes away what the saved one needs to start a child; there it is
gevent's own that is tried.
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
