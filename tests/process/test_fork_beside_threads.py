"""Do all threads and hubs of the parent hear of their files as before, whoever forks?

Checked while the child lives, and after it has ended.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import posix
import subprocess
import time

import pytest

import coopselectors
import coopselectors.select
from coopselectors import EVENT_READ
from support import TESTS, runtimes

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*fork")

WAITERS = ("EpollSelector", "PollSelector", "SelectSelector", "epoll", "poll", "select")


class Waiter:
    """Waits in a real thread, or in a greenlet of this one, for one message after the other."""

    def __init__(self, runtime, kind, in_thread):
        self.kind, self.in_thread = kind, in_thread
        self.reader, self.writer = posix.pipe()
        self.heard = 0
        self.process = posix.getpid()
        self.runtime = runtime
        self.task = (runtime.start_thread if in_thread else runtime.spawn)(self._run)

    def _run(self):
        wait = self._make()
        while True:
            assert wait()
            if posix.getpid() != self.process:
                return  # a greenlet's copy in a child is not to take what its parent waits for
            self.heard += 1
            if posix.read(self.reader, 1) == b"q":
                return

    def _make(self):
        if self.kind == "select":
            return lambda: coopselectors.select.select([self.reader], [], [], 60)[0]
        if self.kind.endswith("Selector"):
            self.own = getattr(coopselectors, self.kind)()
            self.own.register(self.reader, EVENT_READ)
            return lambda: self.own.select(60)
        self.own = getattr(coopselectors.select, self.kind)()
        self.own.register(self.reader, 1)
        return lambda: self.own.poll(60_000 if self.kind == "poll" else 60)

    def send(self, message):
        posix.write(self.writer, message)

    def end(self):
        self.send(b"q")
        (self.runtime.join_thread if self.in_thread else self.runtime.join)(self.task)
        posix.close(self.reader)
        posix.close(self.writer)


def hear(runtime, waiters, number):
    """Send a message to each; return those that have not heard of it in the end."""
    for waiter in waiters:
        waiter.send(b"x")
    end = time.monotonic() + 10
    while any(waiter.heard < number for waiter in waiters) and time.monotonic() < end:
        runtime.sleep(0.002)
    return [
        f"{waiter.kind} {'in a thread' if waiter.in_thread else ''}"
        for waiter in waiters
        if waiter.heard != number
    ]


def nothing(*_):
    """What a child does before another program begins in it."""


def wait_for(child):
    with contextlib.suppress(ChildProcessError):  # gevent's own watcher may be faster
        assert posix.waitpid(child, 0)[1] == 0


def fork(runtime, use):
    gate, go = posix.pipe()
    child = posix.fork()
    if not child:
        use()
        posix.close(go)
        posix.read(gate, 1)
        os._exit(0)

    def end():
        posix.close(go)
        wait_for(child)
        posix.close(gate)

    return end


def with_subprocess(**how):
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, **how)

    def end():
        process.stdin.close()
        assert process.wait() == 0

    return end


def with_multiprocessing():
    context = multiprocessing.get_context("fork")
    process = context.Process(target=nothing)
    process.start()
    # Not by join(): gevent with libuv loops in two threads may never hear that a child has ended,
    # also without coopselectors (seen in 26.9).
    return lambda: wait_for(process.pid)


def with_spawn():
    child = posix.posix_spawn("/bin/true", ["true"], {})
    return lambda: wait_for(child)


def use_selectors():
    """A child that touches everything that it has."""
    for kind in ("EpollSelector", "PollSelector"):
        with getattr(coopselectors, kind)() as selector:
            reader, writer = posix.pipe()
            selector.register(reader, EVENT_READ)
            posix.write(writer, b"x")
            assert len(selector.select(5)) == 1


FORKS = {
    "a child that waits": lambda runtime: fork(runtime, nothing),
    "a child that selects": lambda runtime: fork(runtime, use_selectors),
    "subprocess": lambda runtime: with_subprocess(),
    "preexec_fn": lambda runtime: with_subprocess(preexec_fn=nothing),
    "multiprocessing": lambda runtime: with_multiprocessing(),
    "posix_spawn": lambda runtime: with_spawn(),
}
if not hasattr(posix, "posix_spawn"):  # PyPy
    del FORKS["posix_spawn"]


@pytest.mark.epoll
@pytest.mark.parametrize("forker", ["the main thread", "another thread"])
@pytest.mark.parametrize("how", FORKS)
def test_everybody_hears_of_his_files(runtime, how, forker):
    of_a_hub = how in ("subprocess", "preexec_fn", "multiprocessing")
    if forker == "another thread" and of_a_hub and runtime.cooperative:
        pytest.skip("gevent and eventlet wait for a program in the thread of their own hub")
    waiters = [Waiter(runtime, kind, in_thread) for kind in WAITERS for in_thread in (True, False)]
    deaf = hear(runtime, waiters, 1)
    if forker == "the main thread":
        end = FORKS[how](runtime)
    else:
        end = runtime.join_thread(runtime.start_thread(FORKS[how], runtime))
    deaf += hear(runtime, waiters, 2)
    end()
    deaf += hear(runtime, waiters, 3)
    assert deaf == []
    for waiter in waiters:
        waiter.end()


@pytest.mark.epoll
def test_what_is_finalized_in_the_child_takes_nothing_from_the_parent(run_python):
    """CPython clears other threads' local variables in the child, before it calls any hook."""
    run_python(
        """
        import os, select, socket, threading
        import coopselectors
        local = threading.local()
        reader, writer = socket.socketpair()
        is_made, has_forked = threading.Event(), threading.Event()
        heard = []
        def work():
            local.selector = coopselectors.EpollSelector()
            local.selector.register(reader, 1, extra_events=select.EPOLLET)
            writer.send(b"x")
            is_made.set()
            has_forked.wait(20)
            heard.extend(local.selector.select(5))
        thread = threading.Thread(target=work)
        thread.start()
        is_made.wait(20)
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        has_forked.set()
        thread.join()
        assert len(heard) == 1, heard
        """,
        PYTHONWARNINGS="ignore",
    )


@pytest.mark.parametrize("name", [name for name in runtimes.RUNTIMES if name != "native"])
def test_a_hook_of_the_programs_that_comes_before_ours(run_python, name):
    if runtimes.missing(name):
        pytest.skip(runtimes.missing(name))
    run_python(
        """
        import os, socket, sys, time
        kept = []
        os.register_at_fork(after_in_child=lambda: [selector.close() for selector in kept])
        sys.path.insert(0, sys.argv[1])
        from support import runtimes
        import coopselectors
        from posix import fork, waitpid
        runtime = runtimes.enter(sys.argv[2])
        reader, writer = socket.socketpair()
        selector = coopselectors.DefaultSelector()
        selector.register(reader, 1)
        selector.select(0.01)  # from now on, the hub waits for it
        heard = []
        task = runtime.spawn(lambda: heard.extend(selector.select(10)))
        runtime.sleep(0.01)
        kept.append(selector)
        child = fork()
        if not child:
            os._exit(0)
        waitpid(child, 0)
        started = time.monotonic()
        writer.send(b"x")
        runtime.join(task)
        assert len(heard) == 1, heard
        assert time.monotonic() - started < 8  # it was woken, and has not looked when time was up
        os._exit(0)  # gevent 26.7 crashes when an interpreter 3.9 ends
        """,
        str(TESTS),
        name,
        PYTHONWARNINGS="ignore",
    )


@pytest.mark.parametrize(
    "act",
    [
        "selector.unregister(reader)",
        "selector.modify(reader, 2)",
        "selector.register(other, 2)",
        "selector.select(0)",
        "selector.close()",
    ],
)
def test_a_hook_that_comes_before_ours_leaves_the_parents_selector_unchanged(run_python, act):
    run_python(
        f"""
        import os, select, socket
        acts = []
        os.register_at_fork(after_in_child=lambda: [act() for act in acts])
        import coopselectors
        reader, writer = socket.socketpair()
        other, _ = socket.socketpair()
        selector = coopselectors.EpollSelector()
        selector.register(reader, 1, extra_events=select.EPOLLET)
        for number in range(3):
            writer.send(b"x")
            acts[:] = [lambda: {act}]
            child = os.fork()
            if not child:
                os._exit(0)
            os.waitpid(child, 0)
            assert [key.fd for key, _ in selector.select(5)] == [reader.fileno()]
            assert not selector.select(0)
        """,
        PYTHONWARNINGS="ignore",
    )


def test_a_second_fork_begins_before_the_first_has_ended(run_python):
    """The first one's end must not be taken for the end of both."""
    run_python(
        """
        import os, select, socket, _thread, time
        acts, begun, ended = [], [], []
        def before():
            begun.append(1)
            if len(begun) == 1:
                wait_for(lambda: len(begun) == 2)
            else:
                wait_for(lambda: ended)
        def wait_for(is_so):
            while not is_so():
                time.sleep(0.001)
        os.register_at_fork(before=before, after_in_child=lambda: [act() for act in acts])
        import coopselectors
        os.register_at_fork(after_in_parent=lambda: ended.append(1))
        reader, writer = socket.socketpair()
        selector = coopselectors.EpollSelector()
        selector.register(reader, 1, extra_events=select.EPOLLET)
        acts.append(lambda: selector.unregister(reader))
        children = []
        def fork():
            child = os.fork()
            if not child:
                os._exit(0)
            children.append(child)
        _thread.start_new_thread(fork, ())
        fork()
        wait_for(lambda: len(children) == 2)
        for child in children:
            os.waitpid(child, 0)
        writer.send(b"x")
        assert [key.fd for key, _ in selector.select(5)] == [reader.fileno()]
        """,
        PYTHONWARNINGS="ignore",
    )


def test_a_hook_of_the_programs_may_use_selectors_in_the_middle_of_a_fork(run_python):
    """Whatever it does there has happened in the parent."""
    run_python(
        """
        import os, socket
        acts = []
        os.register_at_fork(before=lambda: [act() for act in acts])  # later than our own hook
        import coopselectors
        reader, writer = socket.socketpair()
        other, _ = socket.socketpair()
        writer.send(b"x")
        kept, closed = coopselectors.EpollSelector(), coopselectors.EpollSelector()
        kept.register(other, 2)
        closed.register(reader, 1)
        found = []
        def act():
            found.append(kept.select(0))
            kept.register(reader, 1)
            kept.modify(other, 1)
            found.append(kept.select(0))
            kept.unregister(reader)
            closed.close()
            made = coopselectors.EpollSelector()
            made.register(reader, 1)
            found.append(made.select(0))
            acts.append(made)
        acts.append(act)
        descriptor = kept.fileno()
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        assert [[key.fileobj for key, _ in each] for each in found] == [[other], [reader], [reader]]
        assert not kept._selector.poll(0) and kept.fileno() == descriptor
        assert [key.fileobj for key, _ in acts[-1].select(0)] == [reader]
        try:
            closed.select(0)
        except ValueError:
            pass
        else:
            raise AssertionError("it is open")
        """,
        PYTHONWARNINGS="ignore",
    )
