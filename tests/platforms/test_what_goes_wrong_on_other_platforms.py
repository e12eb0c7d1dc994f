"""Are kqueues and /dev/polls that others close, forks take away, or programs replace dealt with?

Each script takes an interpreter of its own, which imitates the platform.
"""

from __future__ import annotations

import os

import pytest

from support import TESTS, runtimes

pytestmark = [pytest.mark.once, pytest.mark.counted]

SETUP = """
import ctypes, gc, itertools, os, posix, socket, sys, time
sys.path.insert(0, sys.argv[1])
from support import standins
standins.install(sys.argv[2])
import select
offered = dict(vars(select))
PREPARE
import coopselectors
import coopselectors.select as ours
from coopselectors import EVENT_READ
from support import runtimes
runtime = runtimes.enter(sys.argv[3])
reader, writer = socket.socketpair()
idle, peer = socket.socketpair()

def inode(fd):
    found = posix.fstat(fd)
    return found.st_dev, found.st_ino

def in_child(function, fork=os.fork):
    child = fork()
    if not child:
        status = 1
        try:
            function()
            status = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)
    assert posix.waitpid(child, 0)[1] == 0
"""


@pytest.fixture
def run_on(run_python):
    """Runs a script on a platform and in a runtime; returns what it printed."""

    def run(platform, script, runtime="native", prepare=""):
        if runtimes.missing(runtime):
            pytest.skip(runtimes.missing(runtime))
        setup = SETUP.replace("PREPARE", prepare)
        return run_python(setup + script, str(TESTS), platform, runtime, PYTHONWARNINGS="ignore")

    return run


@pytest.fixture(params=["kqueue", "devpoll"])
def platform(request):
    return request.param


CLOSED_BY_OTHERS = """
for is_used, is_blocking in itertools.product((True, False), (True, False)):
    selector = coopselectors.DefaultSelector()
    key = selector.register(reader, EVENT_READ)
    assert selector.select(0) == []
    number = selector.fileno()
    posix.close(number)
    mine = posix.pipe()
    for each in mine:  # a file that does not block has the mark of ours
        posix.set_blocking(each, is_blocking)
    assert number in mine
    before = inode(number)
    if is_used:
        writer.send(b"x")
        assert selector.select(5) == [(key, EVENT_READ)]
        reader.recv(1)
        assert selector.fileno() != number
    selector.close()
    del selector
    gc.collect()
    assert inode(number) == before
    for each in mine:
        posix.close(each)
    # Another one of ours gets the number.
    with coopselectors.DefaultSelector() as another:
        assert another.fileno() == number
        gc.collect()
        assert posix.fstat(number)
        key = another.register(reader, EVENT_READ)
        writer.send(b"x")
        assert another.select(5) == [(key, EVENT_READ)]
        reader.recv(1)
    try:
        posix.fstat(number)
    except OSError:
        pass
    else:
        raise AssertionError("it was not closed")
print("done")
"""

# As on macOS, where a kqueue takes no flag.
UNMARKED = """
def refuse(fd, blocking):
    if "eventpoll" in os.readlink(f"/proc/self/fd/{fd}"):
        refused.append(fd)
        raise OSError(25, "Inappropriate ioctl for device")
    os.set_blocking(fd, blocking)

def find_spec(*how):
    spec = find(*how)
    if spec is not None:
        execute = spec.loader.exec_module
        def execute_and_replace(module):
            execute(module)
            module.system.set_blocking = refuse
        spec.loader.exec_module = execute_and_replace
    return spec

refused = []
hook = sys.meta_path[0]  # the stand-in's, for the module that keeps the system's calls
find, hook.find_spec = hook.find_spec, find_spec
"""


def test_a_number_that_others_have_closed_is_not_closed_again(run_on, platform):
    assert run_on(platform, CLOSED_BY_OTHERS) == "done\n"


def test_nor_where_our_descriptors_cannot_be_marked(run_on):
    script = """
assert refused
from support import seams
number = seams.wakeup_fd()
posix.close(number)
assert posix.fstat(seams.wakeup_fd())
"""
    assert run_on("kqueue", CLOSED_BY_OTHERS + script, prepare=UNMARKED) == "done\n"


@pytest.mark.parametrize("name", ["native", "gevent-libev"])
def test_time_outs_are_those_of_the_standard_class(run_on, platform, name):
    run_on(
        platform,
        """
from decimal import Decimal
from fractions import Fraction
from unittest import mock

def outcome(make, timeout):
    with make() as selector:
        selector.register(idle, EVENT_READ)
        try:
            return selector.select(timeout)
        except Exception as error:
            return type(error)

name = f"{sys.argv[2].capitalize()}Selector"
seen = []
class Seconds(float):
    pass

for timeout in (Seconds(0.01), Fraction(1, 100), Fraction(10**30), Decimal("0.01"), "soon", 1e30):
    with mock.patch.dict(vars(select), offered):  # of which hubs have deleted some
        expected = outcome(getattr(runtimes.standard, name), timeout)
    assert outcome(getattr(coopselectors, name), timeout) == expected, (timeout, expected)
    seen.append(expected)
assert seen[0] == [] and TypeError in seen and OverflowError in seen, seen
""",
        runtime=name,
    )


def test_an_object_of_the_programs_own_whose_errors_come_out(run_on, platform):
    run_on(
        platform,
        """
class Own:
    def __init__(self):
        self._real = getattr(select, sys.argv[2])()
    def __getattr__(self, name):
        return getattr(self._real, name)
    def poll(self, *how):
        raise OSError(9, "on purpose")
    control = poll

class Selector(getattr(coopselectors, f"{sys.argv[2].capitalize()}Selector")):
    _selector_cls = Own

selector = Selector()
try:
    selector.select(0)
except OSError as error:
    assert "on purpose" in str(error)
else:
    raise AssertionError("nothing was raised")
assert type(selector._poller.backend.native) is Own
selector.close()
""",
    )


def test_a_kqueue_that_is_replaced_by_what_returns_no_events(run_on):
    run_on(
        "kqueue",
        """
from unittest import mock
real = select.select
select.select = lambda *how: real(*how)
select.kqueue = mock.Mock()
with coopselectors.KqueueSelector() as selector:
    key = selector.register(reader, EVENT_READ)
    assert selector.select(0.01) == []
    writer.send(b"x")
    assert selector.select(5) == [(key, EVENT_READ)]
assert select.kqueue.called
""",
    )


def test_a_child_that_python_did_not_fork_has_a_kqueue_of_its_own(run_on):
    run_on(
        "kqueue",
        """
selector = coopselectors.DefaultSelector()
key = selector.register(reader, EVENT_READ)
writer.send(b"x")

def use():
    assert selector.select(5) == [(key, EVENT_READ)]

in_child(use, ctypes.CDLL(None).fork)
use()
""",
    )


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="the stand-in needs os.pidfd_open")
def test_a_process_that_has_ended_is_not_waited_for_in_a_child(run_on):
    run_on(
        "kqueue",
        """
selector = coopselectors.DefaultSelector()
key = selector.register(reader, EVENT_READ)
gate, go = posix.pipe()
process = posix.fork()
if not process:
    posix.close(go)
    posix.read(gate, 1)
    os._exit(0)
end = selector.register_kevent(select.kevent(process, -5, 1, 0x80000000))
posix.close(go)
found = dict(selector.select(20))
assert list(found) == [end], found
posix.waitpid(process, 0)
writer.send(b"x")

def use():
    assert selector.select(5) == [(key, EVENT_READ)]

in_child(use)
""",
    )


# fork(2) takes kqueues away, so that their numbers are free in a child before anybody acts there.
TAKEN_AWAY = """
def take_away():
    for queue in list(standins._queues.values()):
        if queue.pid != os.getpid():
            queue.epoll.close()
os.register_at_fork(after_in_child=take_away)
"""


@pytest.mark.parametrize("name", ["gevent-libev", "eventlet"])
@pytest.mark.parametrize("is_lowest", [True, False], ids=["lowest", "not the lowest"])
def test_the_number_of_a_hubs_kqueue_is_free_in_a_child(run_on, name, is_lowest):
    run_on(
        "kqueue",
        f"""
is_lowest = {is_lowest}
if is_lowest:  # the hub's is opened before the selector's
    with coopselectors.DefaultSelector() as first:
        first.register(idle, EVENT_READ)
        runtime.introduce(first)
        number = first.fileno()
    mine = posix.pipe()
    assert number in mine
selector = coopselectors.DefaultSelector()
key = selector.register(reader, EVENT_READ)
runtime.introduce(selector)

waiting = runtime.spawn(selector.select, 20)
runtime.settle()

def use():
    runtime.enter_child()
    task = runtime.spawn(lambda: (runtime.sleep(0.01), writer.send(b"x")))
    started = time.monotonic()
    assert runtime.join(waiting) == [(key, EVENT_READ)]
    assert time.monotonic() - started < 15
    runtime.join(task)
    assert selector.select(20) == [(key, EVENT_READ)]

def use_in_child():
    before = seams.outer_epoll(runtime.hub())
    use()
    assert seams.outer_epoll(runtime.hub()) == before == outer  # which the loop has gone on with

from support import seams
outer = seams.outer_epoll(runtime.hub())
in_child(use_in_child)
reader.recv(1)
use()
""",
        runtime=name,
        prepare=TAKEN_AWAY,
    )


def test_the_primitive_inside_a_devpoll_selector(run_on):
    run_on(
        "devpoll",
        """
selector = coopselectors.DevpollSelector()
key = selector.register(reader, EVENT_READ)
writer.send(b"x")
inside = selector._selector
assert type(inside) is type(ours.devpoll())
assert inside.poll(5000) == [(reader.fileno(), 1)]
inside.modify(reader, 4)
assert inside.poll(5000) == [(reader.fileno(), 4)]
selector.close()
""",
    )


def test_the_function_devpoll_is_pickled_and_copied_by_its_name(run_on):
    run_on(
        "devpoll",
        """
import copy, pickle
for each in (pickle.loads(pickle.dumps(ours.devpoll)), copy.deepcopy(ours.devpoll)):
    assert each == ours.devpoll
    assert type(each()) is type(ours.devpoll())
""",
    )


@pytest.mark.parametrize("name", ["gevent-libev", "eventlet"])
def test_a_hang_up_that_select_does_not_report_to_a_writer(run_on, name):
    run_on(
        "kqueue",
        """
reader.setblocking(False)
try:
    while True:
        reader.send(bytes(4096))
except BlockingIOError:
    pass
with coopselectors.SelectSelector() as selector:
    selector.register(reader, coopselectors.EVENT_WRITE)
    key = selector.register(idle, EVENT_READ)
    assert selector.select(0.01) == []
    reader.shutdown(socket.SHUT_RDWR)
    before = time.process_time()
    assert selector.select(0.2) == []
    assert time.process_time() - before < 0.1
    task = runtime.spawn(lambda: (runtime.sleep(0.01), peer.send(b"x")))
    assert selector.select(20) == [(key, EVENT_READ)]
    runtime.join(task)
""",
        runtime=name,
    )


def test_a_call_on_a_devpoll_that_another_thread_has_just_replaced(run_on):
    run_on(
        "devpoll",
        """
class Replaced:
    def register(self, *how):  # as if the other thread came in between
        backend.native = successor
        raise ValueError("I/O operation on closed devpoll object")

selector = coopselectors.DevpollSelector()
backend = selector._poller.backend
successor, backend.native = backend.native, Replaced()
key = selector.register(reader, EVENT_READ)
writer.send(b"x")
assert selector.select(5) == [(key, EVENT_READ)]
selector.close()
""",
    )
