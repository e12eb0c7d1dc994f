"""Does gevent.reinit() work in a forked child that has closed every descriptor?

gevent's loops abort the process if a watcher's descriptor is closed when they are reinitialized.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import os, sys
os.environ["GEVENT_LOOP"] = sys.argv[1]
import gevent.monkey
fork, waitpid, pipe, read = os.fork, os.waitpid, os.pipe, os.read
gevent.monkey.patch_all()
import gevent
import coopselectors

def hears(selector):
    reader, writer = pipe()
    selector.register(reader, coopselectors.EVENT_READ)
    gevent.spawn_later(0.02, os.write, writer, b"x")
    heard = [key.fd for key, _ in selector.select(5)] == [reader]
    read(reader, 1)
    selector.unregister(reader)
    return heard

selector = coopselectors.DefaultSelector()
selector.register(pipe()[0], coopselectors.EVENT_READ)
assert selector.select(0.01) == []
child = os.fork() if sys.argv[2] == "gevent's fork" else fork()
if not child:
    os.closerange(3, 256)
    gevent.reinit()
    selector = coopselectors.DefaultSelector()  # a finalizer runs, whose number is the loop's now
    if "libev" in sys.argv[1]:
        gevent.sleep(0.01)  # it aborts at the first wait for a file, also without selectors of ours
        os._exit(42)
    os._exit(42 if hears(selector) else 1)
_, status = waitpid(child, 0)
print(os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status))
print(hears(selector))
"""


@pytest.mark.epoll
@pytest.mark.parametrize("fork", ["gevent's fork", "the plain fork"])
@pytest.mark.parametrize("loop", ["libev-cext", "libuv-cffi"])
def test_both_go_on(loop, fork):
    pytest.importorskip("gevent")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, loop, fork],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "42\nTrue\n", done.stderr
