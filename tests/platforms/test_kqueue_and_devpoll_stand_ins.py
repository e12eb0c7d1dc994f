"""Do KqueueSelector and DevpollSelector work on stand-ins, and do these imitate the real ones?"""

from __future__ import annotations

import contextlib
import errno
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from support import TESTS, runtimes, standins
from support import standin_filters as filters

pytestmark = pytest.mark.once

SETUP = """
import json, os, posix, socket, sys, time, unittest
sys.path.insert(0, sys.argv[1])
from support import standins
standins.install(sys.argv[2], **({"pollable": False} if sys.argv[2] == "devpoll" else {}))
import coopselectors
from support import runtimes  # after the stand-in
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

# What select() and poll() objects wait with is another thing on each platform.
PRIMITIVES = {
    "kqueue": ("test_kqueue", "test_poll", "test_select"),
    "devpoll": ("test_devpoll", "test_poll", "test_select"),
    "select": ("test_select",),
}

PRIMITIVES_SUITE = (
    SETUP
    + """
import importlib
import coopselectors.select
import test.support
test.support.verbose = 0
sys.modules["select"] = coopselectors.select
cases, left_out = [], set()
for name in sys.argv[4:]:
    suite = importlib.import_module(f"test.{name}")
    assert suite.select is coopselectors.select
    for case in unittest.defaultTestLoader.loadTestsFromModule(suite):
        cases += case
if not hasattr(coopselectors.select, "poll"):
    left_out.add("test_disallow_instantiation")  # asks for the type of select.poll()
left_out.add("test_poll2")  # waits 10 s for a child; test_standard_suite has time for that
if runtime.owner == "gevent":
    # In the sleep between os.fork() and os.waitpid(WNOHANG), gevent 26.9 hangs now and then: of
    # 180 programs that did nothing else, and had not imported coopselectors, 53 did.
    left_out.add("test_fork")
if runtime.owner == "eventlet" and sys.version_info >= (3, 13):
    # Thread.join(timeout) of eventlet 0.41 raises its Timeout there when time is up.
    left_out.add("test_poll_blocks_with_negative_ms")
if sys.argv[2] == "devpoll":
    # pipe(2) of Solaris: both ends can be written to, and test_timeout_overflow waits for that
    os.pipe = lambda: tuple(end.detach() for end in socket.socketpair())
result = unittest.TestResult()
for case in cases:
    if case._testMethodName not in left_out:
        case.run(result)
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


@pytest.mark.counted
@pytest.mark.parametrize("primitive", ["kqueue", "devpoll", "select"])
@pytest.mark.parametrize("name", runtimes.RUNTIMES)
class TestStandIn:
    def test_the_interpreters_own_suite(self, run_python, name, primitive):
        self.skip_if_missing(name)
        ran, skipped, bad = json.loads(run_python(SUITE, str(TESTS), primitive, name, limit=110))
        assert bad == []
        assert ran > 15
        assert len(skipped) <= 1

    def test_the_interpreters_own_suite_of_primitives(self, run_python, name, primitive):
        self.skip_if_missing(name)
        arguments = str(TESTS), primitive, name, *PRIMITIVES[primitive]
        ran, skipped, bad = json.loads(run_python(PRIMITIVES_SUITE, *arguments, limit=60))
        assert bad == []
        assert ran >= {"kqueue": 7 + 5 + 5, "devpoll": 6 + 5 + 5, "select": 4}[primitive]
        assert skipped == []

    def test_what_is_special_in_ours(self, run_python, name, primitive):
        self.skip_if_missing(name)
        output = run_python(OURS, str(TESTS), primitive, name, limit=60)
        assert output == "done\n"

    @staticmethod
    def skip_if_missing(name):
        if runtimes.missing(name):
            pytest.skip(runtimes.missing(name))


ADD, DELETE, ENABLE, DISABLE = 0x1, 0x2, 0x4, 0x8
ONESHOT, CLEAR, EOF, ERROR = 0x10, 0x20, 0x8000, 0x4000
READ, WRITE = standins.KQ_FILTER_READ, standins.KQ_FILTER_WRITE
VNODE, PROC = filters.KQ_FILTER_VNODE, filters.KQ_FILTER_PROC
SIGNAL, TIMER = filters.KQ_FILTER_SIGNAL, filters.KQ_FILTER_TIMER
EXIT, DELETED, WRITTEN, EXTENDED = 0x80000000, 0x1, 0x2, 0x4
ATTRIBUTES, LINKED, RENAMED = 0x8, 0x10, 0x20
EVERY_NOTE = 0x7F
LONG = 3600_000  # ms: no test waits for it

needs_pidfd = pytest.mark.skipif(
    not hasattr(os, "pidfd_open"), reason="os.pidfd_open is missing in this interpreter"
)


class Queue(standins.kqueue):
    """With shorter ways to say what the tests say."""

    def change(self, ident, kind, flags=ADD, fflags=0, data=0):
        assert self.control([standins.kevent(ident, kind, flags, fflags, data)], 0) == []

    def take(self, limit=100):
        """What is there now."""
        return [*map(brief, self.control(None, limit, 0))]

    def wait(self, limit=100):
        events = self.control(None, limit, 30)
        assert events
        return [*map(brief, events)]

    def is_readable(self):
        return is_readable(self.fileno())


def brief(event):
    return event.ident, event.filter, event.flags, event.fflags, event.data


def is_readable(fd):
    return bool(select.select([fd], [], [], 0)[0])


def open_descriptors():
    standins.opened_bell()  # a process opens one, when it first needs it
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


@contextlib.contextmanager
def fails_with(code):
    with pytest.raises(OSError) as caught:
        yield
    assert caught.value.errno == code


@pytest.fixture
def make_queue():
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(contextlib.closing(Queue()))


@pytest.fixture
def queue(make_queue):
    return make_queue()


@pytest.fixture
def start_child():
    """Starts a shell that carries out a command when its standard input is closed."""
    with contextlib.ExitStack() as stack:

        def start(command):
            line = ["sh", "-c", f"read nothing; {command}"]
            child = stack.enter_context(subprocess.Popen(line, stdin=subprocess.PIPE))
            stack.callback(child.stdin.close)
            return child

        yield start


def end(child):
    """Let the child end, and leave it to be waited for."""
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)


@pytest.fixture
def heed():
    """Gives signals a Python handler that does nothing."""
    before = {}

    def handle(*numbers):
        for number in numbers:
            before[number] = signal.signal(number, lambda *_: None)

    yield handle
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def open_file(tmp_path):
    """Makes a file of two bytes, and returns its path and a descriptor."""
    with contextlib.ExitStack() as stack:

        def make(name="file"):
            path = tmp_path / name
            path.write_bytes(b"xx")
            fd = os.open(path, os.O_RDWR)
            stack.callback(os.close, fd)
            return path, fd

        yield make


def send(number, times=1):
    for _ in range(times):
        os.kill(os.getpid(), number)


@needs_pidfd
class TestProcessFilter:
    @pytest.mark.parametrize(
        ("command", "status"), [("exit 7", 7 << 8), ("kill -KILL $$", signal.SIGKILL)]
    )
    def test_exit(self, queue, start_child, command, status):
        child = start_child(command)
        queue.change(child.pid, PROC, fflags=EXIT)
        assert queue.take() == []
        assert not queue.is_readable()
        child.stdin.close()
        assert queue.wait() == [(child.pid, PROC, ONESHOT | CLEAR | EOF, EXIT, status)]
        assert not queue.is_readable()
        with fails_with(errno.ENOENT):
            queue.change(child.pid, PROC, DELETE)
        assert os.waitpid(child.pid, 0) == (child.pid, status)
        child.returncode = 0

    def test_a_child_that_has_ended_already(self, queue, start_child):
        child = start_child("exit 3")
        end(child)
        queue.change(child.pid, PROC, fflags=EXIT)
        assert queue.is_readable()
        assert queue.take() == [(child.pid, PROC, ONESHOT | CLEAR | EOF, EXIT, 3 << 8)]

    def test_a_child_that_was_waited_for_before_its_event_is_retrieved(self, queue, start_child):
        child = start_child("exit 3")
        queue.change(child.pid, PROC, fflags=EXIT)
        end(child)
        assert child.wait() == 3
        [(ident, _, _, fflags, status)] = queue.wait()
        assert (ident, fflags) == (child.pid, EXIT)
        assert status in (3 << 8, 0)

    def test_who_is_no_child(self, queue):
        line = ["sh", "-c", "sh -c 'echo $$; read nothing; exit 3'; read nothing"]
        with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            pid = int(child.stdout.readline())
            queue.change(pid, PROC, fflags=EXIT)
            child.stdin.close()
            [(ident, kind, flags, fflags, status)] = queue.wait()
        assert (ident, kind, flags, fflags) == (pid, PROC, ONESHOT | CLEAR | EOF, EXIT)
        assert status in (3 << 8, 0)

    def test_several_queues(self, make_queue, start_child):
        queues = [make_queue() for _ in range(3)]
        child = start_child("exit 1")
        for queue in queues:
            queue.change(child.pid, PROC, fflags=EXIT)
        queues[1].change(child.pid, PROC, DELETE)
        child.stdin.close()
        event = child.pid, PROC, ONESHOT | CLEAR | EOF, EXIT, 1 << 8
        assert queues[0].wait() == queues[2].wait() == [event]
        assert queues[1].take() == []

    def test_who_is_not_there(self, queue, start_child):
        child = start_child("exit")
        end(child)
        child.wait()
        for pid in (child.pid, 0, 2**40):
            with fails_with(errno.ESRCH):
                queue.change(pid, PROC, fflags=EXIT)
        [error] = queue.control([standins.kevent(child.pid, PROC, ADD, EXIT)], 1, 0)
        assert brief(error) == (child.pid, PROC, ERROR, 0, errno.ESRCH)

    @pytest.mark.parametrize("notes", [0, filters.KQ_NOTE_FORK, EXIT | filters.KQ_NOTE_EXEC])
    def test_what_is_not_imitated(self, queue, notes):
        with pytest.raises(NotImplementedError):
            queue.change(os.getpid(), PROC, fflags=notes)


class TestSignalFilter:
    def test_each_is_counted_once(self, queue, heed):
        heed(signal.SIGUSR1)
        send(signal.SIGUSR1)  # nobody asked
        queue.change(signal.SIGUSR1, SIGNAL)
        assert queue.take() == []
        send(signal.SIGUSR1, 3)
        assert queue.is_readable()
        assert queue.take() == [(signal.SIGUSR1, SIGNAL, CLEAR, 0, 3)]
        assert queue.take() == []
        assert not queue.is_readable()

    def test_a_wait_is_woken(self, queue, heed):
        heed(signal.SIGUSR1)
        queue.change(signal.SIGUSR1, SIGNAL)
        with subprocess.Popen(["sh", "-c", f"sleep 0.1; kill -USR1 {os.getpid()}"]):
            assert queue.wait() == [(signal.SIGUSR1, SIGNAL, CLEAR, 0, 1)]

    def test_what_is_handed_out_by_another_queue(self, make_queue, heed):
        heed(signal.SIGUSR1, signal.SIGUSR2)
        first, second, late = make_queue(), make_queue(), make_queue()
        first.change(signal.SIGUSR1, SIGNAL)
        second.change(signal.SIGUSR1, SIGNAL)
        second.change(signal.SIGUSR2, SIGNAL)
        send(signal.SIGUSR1, 2)
        send(signal.SIGUSR2)
        late.change(signal.SIGUSR1, SIGNAL)
        assert first.take() == [(signal.SIGUSR1, SIGNAL, CLEAR, 0, 2)]
        assert not first.is_readable()
        assert second.is_readable()
        assert sorted(second.take(), reverse=True) == [
            (signal.SIGUSR2, SIGNAL, CLEAR, 0, 1),
            (signal.SIGUSR1, SIGNAL, CLEAR, 0, 2),
        ]
        assert late.take() == []

    def test_oneshot(self, queue, heed):
        heed(signal.SIGUSR1)
        queue.change(signal.SIGUSR1, SIGNAL, ADD | ONESHOT)
        send(signal.SIGUSR1)
        assert queue.take() == [(signal.SIGUSR1, SIGNAL, CLEAR | ONESHOT, 0, 1)]
        with fails_with(errno.ENOENT):
            queue.change(signal.SIGUSR1, SIGNAL, DELETE)

    def test_a_wakeup_fd_that_somebody_else_has_set(self, make_queue, heed):
        heed(signal.SIGUSR1)
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        before = signal.set_wakeup_fd(writer)
        try:
            first, second = make_queue(), make_queue()
            first.change(signal.SIGUSR1, SIGNAL)
            second.change(signal.SIGUSR1, SIGNAL)
            send(signal.SIGUSR1)
            first.take()
            assert os.read(reader, 9) == bytes([signal.SIGUSR1])
            first.close()
            send(signal.SIGUSR1)
            second.close()
            assert os.read(reader, 9) == bytes([signal.SIGUSR1])
            send(signal.SIGUSR1)
            assert os.read(reader, 9) == bytes([signal.SIGUSR1])
            assert signal.set_wakeup_fd(writer) == writer
        finally:
            signal.set_wakeup_fd(before)
            os.close(reader)
            os.close(writer)

    def test_a_wakeup_fd_set_later_is_kept(self, queue):
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        queue.change(signal.SIGUSR1, SIGNAL)
        ours = signal.set_wakeup_fd(writer)
        try:
            assert ours >= 0
            queue.close()
            assert signal.set_wakeup_fd(-1) == writer
        finally:
            signal.set_wakeup_fd(-1)
            os.close(reader)
            os.close(writer)

    def test_another_thread(self, queue, heed):
        heed(signal.SIGUSR1)
        before = open_descriptors()

        def refused():
            with pytest.raises(NotImplementedError, match="main thread"):
                queue.change(signal.SIGUSR1, SIGNAL)
            outcome.append("refused")

        def added():
            queue.change(signal.SIGUSR1, SIGNAL)
            send(signal.SIGUSR1)
            outcome.append(queue.wait())
            queue.change(signal.SIGUSR1, SIGNAL, DELETE)

        outcome = []
        for function in (refused, added):
            thread = threading.Thread(target=function)
            thread.start()
            thread.join()
            if function is refused:
                assert open_descriptors() == before
                queue.change(signal.SIGUSR2, SIGNAL)
        queue.change(signal.SIGUSR2, SIGNAL, DELETE)
        assert outcome == ["refused", [(signal.SIGUSR1, SIGNAL, CLEAR, 0, 1)]]
        assert open_descriptors() == before

    def test_the_last_goes_in_another_thread(self, queue, heed):
        heed(signal.SIGUSR1)
        before = open_descriptors()
        queue.change(signal.SIGUSR1, SIGNAL)
        thread = threading.Thread(target=queue.change, args=(signal.SIGUSR1, SIGNAL, DELETE))
        thread.start()
        thread.join()
        with fails_with(errno.ENOENT):
            queue.change(signal.SIGUSR1, SIGNAL, DELETE)
        send(signal.SIGUSR1)
        queue.change(signal.SIGUSR1, SIGNAL)
        assert queue.take() == []
        send(signal.SIGUSR1)
        assert queue.take() == [(signal.SIGUSR1, SIGNAL, CLEAR, 0, 1)]
        queue.change(signal.SIGUSR1, SIGNAL, DELETE)
        assert open_descriptors() == before


class TestTimerFilter:
    def test_a_period(self, queue):
        started = time.monotonic()
        queue.change(5, TIMER, data=20)
        expired = 0
        while expired < 5:
            [(ident, kind, flags, fflags, times)] = queue.wait()
            assert (ident, kind, flags, fflags) == (5, TIMER, CLEAR, 0)
            assert times > 0
            expired += times
        assert time.monotonic() - started >= expired * 0.02

    def test_what_expires_unseen_is_counted(self, queue):
        queue.change(5, TIMER, data=1)
        time.sleep(0.05)
        assert queue.is_readable()
        [event] = queue.take()
        assert event[4] >= 40

    def test_oneshot(self, queue):
        started = time.monotonic()
        queue.change(2**63, TIMER, ADD | ONESHOT, data=30)
        assert queue.wait() == [(2**63, TIMER, ONESHOT | CLEAR, 0, 1)]
        assert time.monotonic() - started >= 0.03
        with fails_with(errno.ENOENT):
            queue.change(2**63, TIMER, DELETE)

    def test_at_once(self, queue):
        queue.change(5, TIMER, ADD | ONESHOT)
        assert queue.wait() == [(5, TIMER, ONESHOT | CLEAR, 0, 1)]

    def test_zero_is_one(self, queue):
        queue.change(5, TIMER)
        assert queue.wait()[0][:4] == (5, TIMER, CLEAR, 0)
        assert queue.wait()[0][:4] == (5, TIMER, CLEAR, 0)

    def test_adding_a_filter_again_restarts_it(self, queue):
        queue.change(5, TIMER, data=1)
        assert queue.control(None, 1, 30)
        while not queue.is_readable():
            pass
        queue.change(5, TIMER, data=LONG)
        assert not queue.is_readable()
        assert queue.take() == []

    def test_each_has_its_own(self, queue, make_queue):
        other = make_queue()
        queue.change(5, TIMER, ADD | ONESHOT, data=1)
        queue.change(6, TIMER, data=LONG)
        other.change(5, TIMER, data=LONG)
        assert queue.wait() == [(5, TIMER, ONESHOT | CLEAR, 0, 1)]
        assert not other.is_readable()

    def test_what_is_refused(self, queue):
        with fails_with(errno.EINVAL):
            queue.change(5, TIMER, data=-1)
        with pytest.raises(NotImplementedError):
            queue.change(5, TIMER, fflags=1, data=1)  # NOTE_SECONDS
        with fails_with(errno.ENOENT):
            queue.change(5, TIMER, DELETE)


class TestVnodeFilter:
    @staticmethod
    def do(action, path, fd):
        """Carry out what a test's parameter names."""
        if action == "extend":
            os.pwrite(fd, b"yyy", 0)
        elif action == "overwrite":
            os.pwrite(fd, b"yy", 0)
        elif action == "truncate":
            os.ftruncate(fd, 0)
        elif action == "chmod":
            path.chmod(0o600)
        elif action == "link":
            os.link(path, f"{path}.link")
        elif action == "unlink":
            path.unlink()
        else:
            path.rename(f"{path}.renamed")

    @pytest.mark.parametrize(
        ("action", "notes"),
        [
            ("extend", WRITTEN | EXTENDED),
            ("overwrite", WRITTEN),
            ("truncate", WRITTEN),
            ("chmod", ATTRIBUTES),
            ("link", LINKED),
            ("unlink", DELETED | LINKED),
            ("rename", RENAMED),
        ],
    )
    def test_a_file(self, queue, make_queue, open_file, action, notes):
        path, fd = open_file()
        queue.change(fd, VNODE, ADD | CLEAR, EVERY_NOTE)
        other = make_queue()  # which wants anything else
        other.change(fd, VNODE, ADD | CLEAR, EVERY_NOTE & ~notes)
        assert queue.take() == []
        assert not queue.is_readable()
        self.do(action, path, fd)
        assert queue.is_readable()
        assert queue.take() == [(fd, VNODE, CLEAR, notes, 0)]
        assert not queue.is_readable()
        assert queue.take() == []
        assert other.take() == []
        assert not other.is_readable()

    def test_growing_is_growing_since_the_last_time(self, queue, open_file):
        path, fd = open_file()
        queue.change(fd, VNODE, ADD | CLEAR, EVERY_NOTE)
        for action, notes in (
            ("extend", WRITTEN | EXTENDED),
            ("extend", WRITTEN),
            ("truncate", WRITTEN),
            ("extend", WRITTEN | EXTENDED),
        ):
            self.do(action, path, fd)
            assert queue.take() == [(fd, VNODE, CLEAR, notes, 0)]

    def test_a_link_less(self, queue, open_file):
        path, fd = open_file()
        os.link(path, f"{path}.link")
        queue.change(fd, VNODE, ADD | CLEAR, EVERY_NOTE)
        path.unlink()
        assert queue.take() == [(fd, VNODE, CLEAR, DELETED | LINKED, 0)]

    def test_what_happens_together(self, queue, open_file):
        path, fd = open_file()
        queue.change(fd, VNODE, ADD | CLEAR, EVERY_NOTE)
        for action in ("overwrite", "chmod", "rename"):
            self.do(action, path, fd)
        assert queue.take() == [(fd, VNODE, CLEAR, WRITTEN | ATTRIBUTES | RENAMED, 0)]

    def test_without_clear_it_is_reported_forever(self, queue, open_file):
        path, fd = open_file()
        queue.change(fd, VNODE, ADD, WRITTEN | ATTRIBUTES)
        self.do("overwrite", path, fd)
        for _ in range(3):
            assert queue.is_readable()
            assert queue.wait() == [(fd, VNODE, 0, WRITTEN, 0)]
        self.do("chmod", path, fd)
        assert queue.take() == [(fd, VNODE, 0, WRITTEN | ATTRIBUTES, 0)]
        queue.change(fd, VNODE, DISABLE)
        assert not queue.is_readable()
        assert queue.take() == []
        queue.change(fd, VNODE, ENABLE)
        assert queue.is_readable()
        # what has happened survives being added again
        queue.change(fd, VNODE, ADD | CLEAR, WRITTEN | ATTRIBUTES)
        assert queue.take() == [(fd, VNODE, CLEAR, WRITTEN | ATTRIBUTES, 0)]
        assert queue.take() == []
        assert not queue.is_readable()

    def test_adding_again_changes_what_is_wanted(self, queue, open_file):
        path, fd = open_file()
        queue.change(fd, VNODE, ADD | CLEAR, ATTRIBUTES)
        queue.change(fd, VNODE, ADD | CLEAR, WRITTEN)
        self.do("chmod", path, fd)
        assert not queue.is_readable()
        assert queue.take() == []
        self.do("overwrite", path, fd)
        assert queue.take() == [(fd, VNODE, CLEAR, WRITTEN, 0)]

    def test_oneshot(self, queue, open_file):
        path, fd = open_file()
        queue.change(fd, VNODE, ADD | ONESHOT, WRITTEN)
        self.do("overwrite", path, fd)
        assert queue.take() == [(fd, VNODE, ONESHOT, WRITTEN, 0)]
        with fails_with(errno.ENOENT):
            queue.change(fd, VNODE, DELETE)

    def test_a_directory(self, queue, tmp_path):
        fd = os.open(tmp_path, os.O_RDONLY)
        try:
            queue.change(fd, VNODE, ADD | CLEAR, EVERY_NOTE)

            def notes():
                return [event[3] for event in queue.take()]

            path = tmp_path / "entry"
            path.touch()
            assert notes() == [WRITTEN]
            path.write_bytes(b"x")
            assert not queue.is_readable()
            path.chmod(0o600)
            assert notes() == []
            path.rename(tmp_path / "renamed")
            assert notes() == [WRITTEN]
            (tmp_path / "renamed").unlink()
            assert notes() == [WRITTEN]
            path.mkdir()
            assert notes() == [WRITTEN | LINKED]
            path.rmdir()
            assert notes() == [WRITTEN | LINKED]
            tmp_path.chmod(0o700)
            assert notes() == [ATTRIBUTES]
            tmp_path.rename(f"{tmp_path}.renamed")
            assert notes() == [RENAMED]
            os.rename(f"{tmp_path}.renamed", tmp_path)
        finally:
            os.close(fd)

    def test_closing_the_file_removes_the_filter(self, queue, open_file):
        path, kept = open_file()
        before = open_descriptors()
        fd = os.dup(kept)
        queue.change(fd, VNODE, ADD, EVERY_NOTE)
        self.do("overwrite", path, fd)
        os.close(fd)
        assert queue.take() == []
        assert not queue.is_readable()
        assert open_descriptors() == before
        with fails_with(errno.EBADF):
            queue.change(fd, VNODE, DELETE)

    def test_the_number_becomes_another_files(self, queue, open_file):
        path, kept = open_file()
        other, number = open_file("other")
        fd = os.dup(kept)
        try:
            queue.change(fd, VNODE, ADD, EVERY_NOTE)
            os.dup2(number, fd)
            self.do("overwrite", path, kept)
            with fails_with(errno.ENOENT):
                queue.change(fd, VNODE, DELETE)
            queue.change(fd, VNODE, ADD, EVERY_NOTE)
            assert queue.take() == []
            self.do("overwrite", other, number)
            assert queue.take() == [(fd, VNODE, 0, WRITTEN, 0)]
        finally:
            os.close(fd)

    def test_beside_a_read_filter(self, queue, open_file):
        path, fd = open_file()
        queue.change(fd, VNODE, ADD | CLEAR, EVERY_NOTE)
        queue.change(fd, READ)
        assert queue.take() == [(fd, READ, 0, 0, 2)]
        self.do("chmod", path, fd)
        assert sorted(queue.take()) == [(fd, VNODE, CLEAR, ATTRIBUTES, 0), (fd, READ, 0, 0, 2)]
        queue.change(fd, READ, DELETE)
        self.do("chmod", path, fd)
        assert queue.take() == [(fd, VNODE, CLEAR, ATTRIBUTES, 0)]
        queue.change(fd, READ)
        queue.change(fd, VNODE, DELETE)
        self.do("chmod", path, fd)
        assert queue.take() == [(fd, READ, 0, 0, 2)]

    def test_what_is_refused(self, queue, connect):
        reader, _ = connect()
        with fails_with(errno.EINVAL):
            queue.change(reader.fileno(), VNODE, ADD, WRITTEN)
        with fails_with(errno.EINVAL):
            queue.change(queue.fileno(), VNODE, ADD, WRITTEN)
        for number in (2**20 + 7, 2**40):
            for flags in (ADD, DELETE):
                with fails_with(errno.EBADF):
                    queue.change(number, VNODE, flags, WRITTEN)

    def test_what_is_not_imitated(self, queue, open_file):
        _, fd = open_file()
        with pytest.raises(NotImplementedError):
            queue.change(fd, VNODE, ADD, 0x80)  # FreeBSD's NOTE_OPEN


class TestEveryFilter:
    @pytest.fixture
    def add_all(self, queue, heed, open_file):
        """Adds a filter of each kind; returns their [(ident, filter)] and what makes them fire."""

        def add(flags=0):
            heed(signal.SIGUSR1)
            path, fd = open_file()
            queue.change(fd, VNODE, ADD | flags, ATTRIBUTES)
            queue.change(5, TIMER, ADD | ONESHOT | flags, data=1)
            queue.change(signal.SIGUSR1, SIGNAL, ADD | flags)
            added = {(fd, VNODE), (5, TIMER), (signal.SIGUSR1, SIGNAL)}
            if hasattr(os, "pidfd_open"):
                child = stack.enter_context(subprocess.Popen(["sh", "-c", "exit"]))
                os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
                queue.change(child.pid, PROC, ADD | flags, EXIT)
                added.add((child.pid, PROC))

            def fire():
                path.chmod(0o600)
                send(signal.SIGUSR1)
                time.sleep(0.05)  # more than the timer needs

            return added, fire

        with contextlib.ExitStack() as stack:
            yield add

    def test_nothing_is_lost_to_a_limit(self, queue, add_all, connect):
        reader, writer = connect()
        writer.send(b"x")
        queue.change(reader.fileno(), READ)  # is ready always
        added, fire = add_all(CLEAR)
        fire()
        taken = [queue.wait(1)[0][:2] for _ in range(len(added) + 1)]
        assert {*taken} == {(reader.fileno(), READ), *added}
        queue.change(reader.fileno(), READ, DELETE)
        assert not queue.is_readable()

    def test_an_edge_is_not_lost_to_a_limit(self, queue, add_all, connect):
        reader, writer = connect()
        queue.change(reader.fileno(), READ, ADD | CLEAR)
        writer.send(b"x")
        assert queue.take() == [(reader.fileno(), READ, CLEAR, 0, 1)]  # it comes last from now on
        added, fire = add_all(CLEAR)
        writer.send(b"x")
        fire()
        taken = [queue.wait(1)[0][:2] for _ in range(len(added) + 1)]
        assert {*taken} == {(reader.fileno(), READ), *added}
        assert queue.take() == []

    def test_filters_that_are_always_ready_take_turns(self, queue, open_file, connect):
        reader, writer = connect()
        writer.send(b"x")
        path, fd = open_file()
        queue.change(fd, VNODE, ADD, ATTRIBUTES)
        queue.change(reader.fileno(), READ)
        path.chmod(0o600)
        taken = [queue.wait(1)[0][1] for _ in range(6)]
        assert sorted(taken) == [VNODE] * 3 + [READ] * 3
        assert taken[:2] == taken[2:4] == taken[4:]

    def test_many_that_are_always_ready_hide_no_edge(self, queue, open_file, connect):
        reader, writer = connect()
        queue.change(reader.fileno(), READ, ADD | CLEAR)
        for number in range(5):
            path, fd = open_file(f"file{number}")
            queue.change(fd, VNODE, ADD, ATTRIBUTES)
            path.chmod(0o600)
        assert len(queue.take()) == 5
        for _ in range(3):
            writer.send(b"x")
            events = queue.take()
            assert len(events) == 6
            assert reader.fileno() in {event[0] for event in events}
            assert len(queue.take()) == 5

    def test_disabled(self, queue, add_all):
        added, fire = add_all(CLEAR | DISABLE)
        fire()
        assert not queue.is_readable()
        assert queue.take() == []
        for ident, kind in added:
            queue.change(ident, kind, ENABLE)
        assert queue.is_readable()
        assert {event[:2] for event in queue.wait()} == added
        assert not queue.is_readable()

    def test_disabled_and_enabled_by_turns(self, queue, add_all):
        added, fire = add_all(CLEAR)
        for flags in (DISABLE, DISABLE, ENABLE, DISABLE, ADD | DISABLE, ENABLE, ENABLE, DISABLE):
            for ident, kind in added:
                queue.change(ident, kind, flags, EXIT if kind == PROC else 0)
        fire()
        assert not queue.is_readable()
        assert queue.take() == []

    def test_deleted(self, queue, add_all):
        before = open_descriptors()
        added, fire = add_all()
        fire()
        for ident, kind in added:
            queue.change(ident, kind, DELETE)
            with fails_with(errno.ENOENT):
                queue.change(ident, kind, DELETE)
            for flags in (ENABLE, DISABLE):
                with fails_with(errno.ENOENT):
                    queue.change(ident, kind, flags)
        assert not queue.is_readable()
        assert queue.take() == []
        assert open_descriptors() == before + 1  # the file's own

    def test_no_descriptor_is_left_by_one_shots(self, queue, add_all):
        before = open_descriptors()
        added, fire = add_all(ONESHOT)
        fire()
        assert {event[:2] for event in queue.wait()} == added
        assert open_descriptors() == before + 1

    @pytest.mark.parametrize("explicitly", [True, False], ids=["closed", "collected"])
    def test_no_descriptor_is_left_by_a_queue(self, add_all, queue, open_file, explicitly):
        other = open_descriptors()
        made = Queue()
        made.change(5, TIMER, data=LONG)
        made.change(signal.SIGUSR1, SIGNAL)
        made.change(signal.SIGUSR2, SIGNAL)
        _, fd = open_file()
        made.change(fd, VNODE, ADD, EVERY_NOTE)
        if hasattr(os, "pidfd_open"):
            made.change(os.getpid(), PROC, ADD, EXIT)
        assert open_descriptors() > other + 5
        if explicitly:
            made.close()
        else:
            del made
        assert open_descriptors() == other + 1
        assert signal.set_wakeup_fd(-1) == -1

    def test_a_refused_call_leaves_no_descriptor_open(self, queue, connect):
        reader, _ = connect()
        before = open_descriptors()
        for ident, kind, fflags, data in [
            (5, TIMER, 0, -1),
            (5, TIMER, 1, 1),
            (reader.fileno(), VNODE, WRITTEN, 0),
            (2**40, PROC, EXIT, 0),
        ]:
            if kind == PROC and not hasattr(os, "pidfd_open"):
                continue
            with pytest.raises((OSError, NotImplementedError)):
                queue.change(ident, kind, ADD, fflags, data)
        assert open_descriptors() == before

    @pytest.mark.parametrize("kind", [0, 1, filters.KQ_FILTER_AIO, -8, -9])
    def test_unknown_filters(self, queue, kind):
        for flags in (ADD, DELETE):
            with fails_with(errno.EINVAL):
                queue.change(0, kind, flags)

    def test_a_queue_in_a_queue(self, queue, make_queue, add_all):
        outer, outermost = make_queue(), make_queue()
        outer.change(queue.fileno(), READ)
        outermost.change(outer.fileno(), READ)
        added, fire = add_all(CLEAR)
        fire()
        assert [event[:2] for event in outermost.wait()] == [(outer.fileno(), READ)]
        assert [event[:2] for event in outer.wait()] == [(queue.fileno(), READ)]
        assert {event[:2] for event in queue.wait()} == added
        assert outermost.take() == outer.take() == []

    def test_a_duplicate_survives_the_queue(self, queue, add_all):
        before = open_descriptors()
        added, fire = add_all(CLEAR)
        reader, number = os.pipe()
        standins._dup2(queue.fileno(), number)
        twin = Queue.fromfd(number)
        queue.close()
        fire()
        assert {event[:2] for event in twin.wait()} == added
        twin.close()
        os.close(reader)
        assert open_descriptors() == before - 1 + 1  # the queue; the file

    def test_a_number_that_was_a_closed_files(self, queue, connect):
        reader, writer = connect()
        writer.send(b"x")
        number = reader.fileno()
        queue.change(number, READ)
        with socket.fromfd(number, socket.AF_UNIX, socket.SOCK_STREAM):  # it lives on
            reader.close()
            queue.change(5, TIMER, ADD | ONESHOT, data=1)
            assert any(number in knote.source.fds for knote in queue._queue._others.values())
            assert queue.wait() == [(5, TIMER, ONESHOT | CLEAR, 0, 1)]


CHILDREN = """
import os, select, signal, sys
sys.path.insert(0, sys.argv[1])
from support import standins
standins.install("kqueue")
signal.signal(signal.SIGUSR1, lambda *_: None)
def descriptors():
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            is_ours = "libffi" not in os.readlink(f"/proc/self/fd/{fd}")  # it keeps its file open
        except FileNotFoundError:
            continue  # the listing's own
        if is_ours:
            found.append(int(fd))
    return sorted(found)
directory = os.open("/", os.O_RDONLY)
before = descriptors()
queue = select.kqueue()
def add(*arguments):
    assert queue.control([select.kevent(*arguments)], 0) == []
others, theirs = os.pipe()
os.set_blocking(theirs, False)
signal.set_wakeup_fd(theirs)
add(signal.SIGUSR1, select.KQ_FILTER_SIGNAL)
add(5, select.KQ_FILTER_TIMER, select.KQ_EV_ADD, 0, 1)
add(directory, select.KQ_FILTER_VNODE, select.KQ_EV_ADD, select.KQ_NOTE_ATTRIB)
if hasattr(os, "pidfd_open"):
    add(os.getppid(), select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
os.kill(os.getpid(), signal.SIGUSR1)
child = os.fork()
if not child:
    # what is left is the stand-in's epoll, and what it had before
    assert descriptors() == sorted([*before, others, theirs, queue._fd]), descriptors()
    os.kill(os.getpid(), signal.SIGUSR1)
    assert os.read(others, 9) == bytes([signal.SIGUSR1])
    mine = standins.kqueue()
    mine.control([select.kevent(signal.SIGUSR1, select.KQ_FILTER_SIGNAL)], 0)
    os.kill(os.getpid(), signal.SIGUSR1)
    [event] = mine.control(None, 1, 30)
    assert event.data == 1
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
events = {event.filter: event for event in queue.control(None, 9, 30)}
assert events[select.KQ_FILTER_SIGNAL].data == 1, events
assert events[select.KQ_FILTER_TIMER].data > 0, events
queue.close()
print("done")
"""

NESTED = (
    SETUP
    + """
import signal, subprocess, tempfile
signal.signal(signal.SIGUSR1, lambda *_: None)
file = tempfile.NamedTemporaryFile()
queue = standins.kqueue()
ADD, CLEAR = 0x1, 0x20
def add(*arguments):
    assert queue.control([standins.kevent(*arguments)], 0) == []
add(signal.SIGUSR1, -6)
add(file.fileno(), -4, ADD | CLEAR, 0x8)
selector = coopselectors.DefaultSelector()
selector.register(queue.fileno(), coopselectors.EVENT_READ)
ticks = []
def tick():
    while True:
        runtime.sleep(0.01)
        ticks.append(1)
runtime.spawn(tick)
def expect(kind, prepare=lambda: None):
    prepare()
    count = len(ticks)
    while True:
        [(key, events)] = selector.select(30)
        found = queue.control(None, 9, 0)
        if found:  # another signal would make it readable, too
            break
    assert [event.filter for event in found] == [kind], found
    if runtime.cooperative:
        assert len(ticks) > count
    assert selector.select(0) == []
    return found[0]
def later(command):
    return subprocess.Popen(["sh", "-c", "sleep 0.2; " + command])
expect(-7, lambda: add(5, -7, ADD | 0x10, 0, 200))
children = [later(f"kill -USR1 {os.getpid()}")]
expect(-6)
children.append(later(f"chmod 640 {file.name}"))
expect(-4)
if hasattr(os, "pidfd_open"):
    children.append(later("exit 3"))
    assert expect(-5, lambda: add(children[-1].pid, -5, ADD, 0x80000000)).data in (3 << 8, 0)
for child in children:
    child.wait()
selector.close()
queue.close()
print("done", flush=True)
os._exit(0)
"""
)


class TestFiltersInInterpretersOfTheirOwn:
    def test_a_forked_child_has_none(self, run_python):
        assert run_python(CHILDREN, str(TESTS)) == "done\n"

    @pytest.mark.parametrize("name", runtimes.RUNTIMES)
    def test_nested_in_a_selector(self, run_python, name):
        TestStandIn.skip_if_missing(name)
        output = run_python(NESTED, str(TESTS), "kqueue", name)
        assert output.splitlines()[-1] == "done"


#: (platform, runtimes, files) of the tests whose subject is different there.
ON_A_STAND_IN = (
    (
        "kqueue",
        "native,gevent-libev",
        ("events/test_kevents_are_reported.py", "events/test_extra_events_are_honoured.py"),
    ),
    (
        "kqueue",
        "native,gevent-libev,eventlet",
        (
            "process/test_descriptors_closed_by_others.py",
            "process/test_handlers_on_the_way_to_the_hub.py",
            "runtimes/test_fork_leaves_the_parent_alone.py",
        ),
    ),
    (
        "devpoll",
        "native,gevent-libev",
        (
            "primitives/test_arguments_match_the_native_object.py",
            "process/test_descriptors_closed_by_others.py",
            "runtimes/test_fork_leaves_the_parent_alone.py",
        ),
    ),
)


@pytest.mark.counted
@pytest.mark.timeout(500)
@pytest.mark.parametrize(("platform", "names", "files"), ON_A_STAND_IN)
def test_what_is_different_there_passes(request, platform, names, files):
    # tox runs all tests on it; these are here to be counted as run where coverage is measured
    pytest_itself = [sys.executable, "-m", "pytest", "-c", request.config.inipath]
    done = subprocess.run(
        [*pytest_itself, "-q", "-p", "no:cacheprovider", "-m", "not once and not uncounted"]
        + [TESTS / each for each in files],
        env={
            **os.environ,
            "COOPSELECTORS_TEST_PLATFORM": platform,
            "COOPSELECTORS_TEST_RUNTIMES": names,
        },
        stdout=subprocess.PIPE,
        text=True,
        timeout=480,  # seconds; measuring makes it four times as slow, and a busy machine more
        check=False,
    )
    assert done.returncode == 0, done.stdout
