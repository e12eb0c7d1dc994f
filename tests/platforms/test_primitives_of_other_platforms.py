"""Do the primitives work on the other platforms' stand-ins, and if they were made before the patch?

Each of these takes an interpreter of its own.
"""

from __future__ import annotations

import pytest

from support import TESTS, runtimes

pytestmark = [pytest.mark.once, pytest.mark.counted]

HUBS = ("gevent-libev", "gevent-libuv", "eventlet")

SETUP = """
import contextlib, os, socket, sys
sys.path.insert(0, sys.argv[1])
from support import standins
if sys.argv[2]:
    which, _, how = sys.argv[2].partition(", ")
    standins.install(which, pollable=how != "not pollable")
from support import runtimes
import coopselectors.select as ours
from support import primitives

LIMIT = 20  # seconds: a wait that holds up its hub, or is not woken, ends then with nothing

@contextlib.contextmanager
def pair():
    both = socket.socketpair()
    with both[0], both[1]:
        yield both

def soon(runtime, function, *arguments):
    "Call it when others had some turns."
    def begin():
        for _ in range(5):
            runtime.sleep(0.001)
        function(*arguments)
    return runtime.spawn(begin)
"""


@pytest.fixture(params=HUBS)
def run_in(request, run_python):
    """Runs a script on a platform, "" for our own, in a hub that it enters by ``enter()``."""
    if runtimes.missing(request.param):
        pytest.skip(runtimes.missing(request.param))

    def run(platform, script):
        enter = f"\ndef enter():\n    return runtimes.enter({request.param!r})\n"
        tests = str(TESTS)
        return run_python(SETUP + enter + script, tests, platform, PYTHONWARNINGS="ignore")

    return run


@pytest.mark.parametrize("platform", ["", "kqueue", "devpoll", "select"])
def test_an_object_from_before_the_patch_waits_through_the_hub(run_in, platform):
    names = run_in(
        platform,
        """
with pair() as (reader, writer):
    made = {name: kind() for name, kind in primitives.PRIMITIVES.items()}
    for each in made.values():
        each.watch(reader.fileno())
        assert each.wait(0) == {}
    runtime = enter()
    for each in made.values():
        task = soon(runtime, writer.send, b"x")
        assert each.wait(LIMIT) == {reader.fileno(): 1}, each
        runtime.join(task)
        assert reader.recv(9) == b"x"
        each.close()
print(*made)
""",
    )
    also = {"": "epoll ", "kqueue": "kqueue ", "devpoll": "devpoll ", "select": None}[platform]
    assert names == ("select\n" if also is None else f"{also}poll select\n")


def test_a_kqueue_that_the_kernel_does_not_nest(run_in):
    # a thread waits for it
    run_in(
        "kqueue",
        """
runtime = enter()
queue = ours.kqueue()
with pair() as (reader, writer):
    queue.control([ours.kevent(reader, ours.KQ_FILTER_READ, ours.KQ_EV_ADD)], 0)
    chain = [standins.real_epoll() for _ in range(4)]
    for outer, inner in zip(chain, chain[1:]):
        outer.register(inner.fileno(), 1)
    queue.control([ours.kevent(chain[0], ours.KQ_FILTER_READ, ours.KQ_EV_ADD)], 0)
    task = soon(runtime, writer.send, b"x")
    [event] = queue.control(None, 1, LIMIT)
    assert event.ident == reader.fileno()
    runtime.join(task)
    assert reader.recv(9) == b"x"
    assert queue.control(None, 1, 0.01) == []
queue.close()
""",
    )


def test_a_kqueue_takes_no_negative_time_out(run_in):
    run_in(
        "kqueue",
        """
def refused(queue):
    try:
        queue.control(None, 1, -1)
    except ValueError as error:
        return str(error)

queue = ours.kqueue()
before = refused(queue)
enter()
assert before == refused(queue) == "timeout must be positive or None", (before, refused(queue))
queue.close()
""",
    )


@pytest.mark.parametrize("platform", ["devpoll", "devpoll, not pollable"])
def test_a_devpoll_is_filled_while_a_greenlet_waits(run_in, platform):
    run_in(
        platform,
        """
runtime = enter()
devpoll = ours.devpoll()
with pair() as (idle, _), pair() as (reader, writer):
    devpoll.register(idle, 1)
    assert devpoll.poll(1) == devpoll.poll(1) == []  # nor does it say so earlier the second time
    writer.send(b"x")
    task = soon(runtime, devpoll.register, reader, 1)
    assert devpoll.poll(LIMIT * 1000) == [(reader.fileno(), 1)]
    runtime.join(task)
    assert devpoll.poll(LIMIT * 1000) == [(reader.fileno(), 1)]
    devpoll.unregister(reader)
    assert devpoll.poll(1) == []
devpoll.close()
""",
    )


def test_select_without_poll_forgets_the_files_of_the_last_call(run_in):
    run_in(
        "select",
        """
runtime = enter()
with pair() as (first, to_first), pair() as (second, to_second):
    assert ours.select([first, second], [], [], 0.01) == ([], [], [])
    to_second.send(b"x")
    assert ours.select([first], [], [], 0.01) == ([], [], [])
    task = soon(runtime, to_first.send, b"x")
    assert ours.select([first], [], [], LIMIT) == ([first], [], [])
    runtime.join(task)
    assert ours.select([first, second], [], [], LIMIT) == ([first, second], [], [])
""",
    )
