"""Do KqueueSelector and DevpollSelector work?  On stand-ins, in interpreters of their own."""

from __future__ import annotations

import json

import pytest

import runtimes

SETUP = """
import json, os, posix, socket, sys, time, unittest
sys.path.insert(0, sys.argv[1])
import standins
standins.install(sys.argv[2], **({"pollable": False} if sys.argv[2] == "devpoll" else {}))
import coopselectors
import runtimes  # after the stand-in
runtime = runtimes.enter(sys.argv[3])
assert not hasattr(coopselectors, "EpollSelector")
"""

SUITE = (
    SETUP
    + """
import test.support
sys.modules["selectors"] = coopselectors
import test.test_selectors as suite
kind = f"{sys.argv[2].capitalize()}SelectorTestCase"
result = unittest.TestResult()
unittest.defaultTestLoader.loadTestsFromTestCase(getattr(suite, kind)).run(result)
print(json.dumps([result.testsRun, result.skipped, [t for _, t in result.failures + result.errors]],
                 default=str))
"""
)

OURS = (
    SETUP
    + """
from coopselectors import EVENT_READ, EVENT_WRITE
default = coopselectors.DefaultSelector()
assert type(default).__name__ == f"{sys.argv[2].capitalize()}Selector", default
assert hasattr(default, "fileno") == (sys.argv[2] != "select")
default.close()
kinds = [type(default), getattr(coopselectors, "PollSelector", None), coopselectors.SelectSelector]
assert bool(kinds[1]) == (sys.argv[2] != "select")
for kind in filter(None, kinds):
    reader, writer = socket.socketpair()
    selector = kind()
    key = selector.register(reader, EVENT_READ)

    started = time.monotonic()
    assert selector.select(0.02) == []
    with kind() as empty:
        assert empty.select(0.02) == []
    assert time.monotonic() - started >= 0.04

    for timeout in (None, 20):  # woken by a peer
        task = runtime.spawn(lambda: (runtime.sleep(0.01), writer.send(b"x")))
        assert selector.select(timeout) == [(key, EVENT_READ)]
        runtime.join(task)
        reader.recv(1)

    # both filters of a file come as one answer, whatever the order of their registration
    writer.send(b"x")
    key = selector.modify(reader, EVENT_WRITE)
    assert selector.select(5) == [(key, EVENT_WRITE)]
    key = selector.modify(reader, EVENT_READ | EVENT_WRITE)
    assert selector.select(5) == [(key, EVENT_READ | EVENT_WRITE)]
    key = selector.modify(reader, EVENT_READ)
    assert selector.select(5) == [(key, EVENT_READ)]
    reader.recv(1)

    if runtime.cooperative:
        # a ready file that nobody waits for costs nothing
        writer.send(b"x")
        before = time.process_time()
        runtime.sleep(0.2)
        assert time.process_time() - before < 0.1
        reader.recv(1)
        # what is registered during a wait is seen, and close() wakes who waits
        other, peer = socket.socketpair()
        peer.send(b"x")
        task = runtime.spawn(lambda: (runtime.sleep(0.01), selector.register(other, EVENT_READ)))
        assert [k.fileobj for k, _ in selector.select(20)] == [other]
        runtime.join(task)
        selector.unregister(other)
        task = runtime.spawn(lambda: (runtime.sleep(0.01), selector.close()))
        try:
            selector.select()
        except ValueError as error:
            assert "closed" in str(error)
        else:
            raise AssertionError("not woken")
        runtime.join(task)
        other.close()
        peer.close()
    selector.close()
    reader.close()
    writer.close()

# nothing is left behind by a refused registration
selector = type(default)()
reader, writer = os.pipe()
posix.close(reader)
if sys.argv[2] == "kqueue":
    for events in (EVENT_READ, EVENT_WRITE, EVENT_READ | EVENT_WRITE):
        try:
            selector.register(reader, events)
        except OSError:
            pass
        else:
            raise AssertionError("registered")
assert len(selector.get_map()) == 0
# a closed file can be unregistered
selector.register(writer, EVENT_WRITE)
selector.select(0)
posix.close(writer)
runtime.sleep(0.01)
selector.unregister(writer)
assert selector.select(0.01) == []
if hasattr(selector, "fileno"):
    assert selector.fileno() >= 0
selector.close()

if sys.argv[2] == "kqueue":  # a forked child has no kqueues; its numbers may be anybody's
    reader, writer = socket.socketpair()
    selector = type(default)()
    selector.register(reader, EVENT_READ)
    selector.select(0.001)
    closed = posix.dup(reader.fileno())
    if runtime.owner == "eventlet":
        hub = runtime.hub()
        hub.add(hub.READ, closed, id, id, id)
    posix.close(closed)
    child = os.fork()
    runtime.spawn(lambda: (runtime.sleep(0.01), writer.send(b"x")))
    assert len(selector.select(20)) == 1
    if not child:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    selector.close()

if runtime.owner == "gevent":  # one that waits keeps the hub alive, one that does not lets it end
    import gevent
    selector = type(default)()
    gevent.spawn_later(0.01, selector.close)
    try:
        selector.select()
    except ValueError:
        pass
    try:
        gevent.event.Event().wait()
    except gevent.exceptions.LoopExit:
        pass
    else:
        raise AssertionError("the hub did not end")
print("done")
"""
)


@pytest.mark.once
@pytest.mark.parametrize("primitive", ["kqueue", "devpoll", "select"])
@pytest.mark.parametrize("name", runtimes.RUNTIMES)
class TestStandIn:
    def test_the_interpreters_own_suite(self, run_python, request, name, primitive):
        self.skip_if_missing(name)
        ran, skipped, bad = json.loads(
            run_python(SUITE, str(request.path.parent), primitive, name, limit=110)
        )
        assert bad == []
        assert ran > 15
        assert len(skipped) <= 1

    def test_what_is_special_in_ours(self, run_python, request, name, primitive):
        self.skip_if_missing(name)
        output = run_python(OURS, str(request.path.parent), primitive, name, limit=60)
        assert output == "done\n"

    @staticmethod
    def skip_if_missing(name):
        if runtimes.missing(name):
            pytest.skip(runtimes.missing(name))
