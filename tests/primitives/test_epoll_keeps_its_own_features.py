"""Do the features that only epoll has work in greenlets?  Edges, exclusive wake-ups, nesting."""

from __future__ import annotations

import errno
import os
import resource
import socket
import time
from posix import close

import pytest

from coopselectors import select as ours
from support import native, seams

IN, OUT, HUP, RDHUP = 0x1, 0x4, 0x10, 0x2000
EXCLUSIVE, ONESHOT, ET = 1 << 28, 1 << 30, 1 << 31

hubs_only = pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
pytestmark = [
    pytest.mark.epoll,
    pytest.mark.usefixtures("trace_all_threads", "new_threads"),
    # eventlet warns of every fork, and the interpreter of those beside threads.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*fork"),
]


@pytest.fixture
def epoll(runtime):
    with ours.epoll() as made:
        yield made


@pytest.fixture
def watch(epoll, connect):
    """Registers one more file; returns it and its peer."""

    def register(mask=IN):
        reader, writer = connect()
        epoll.register(reader, mask)
        return reader, writer

    return register


def introduce(runtime, epoll):
    """Wait, of which nothing may come, until the hub has it."""
    for _ in range(3):
        epoll.poll(0.005)


def send_later(runtime, writer):
    return runtime.spawn(lambda: (runtime.sleep(0.01), writer.send(b"x")))


@hubs_only
def test_each_with_a_maxevents_of_its_own(runtime, epoll, watch):
    files = [watch() for _ in range(8)]
    introduce(runtime, epoll)
    tasks = {each: runtime.spawn(epoll.poll, 20, each) for each in (1, 3, 5, -1)}
    runtime.settle()
    for _, writer in files:
        writer.send(b"x")
    assert len(runtime.join(tasks.pop(-1))) >= 1
    for most, task in tasks.items():
        assert 1 <= len(runtime.join(task)) <= most
    for most in (1, 3, 5):
        for timeout in (0, 5, None):
            assert len(epoll.poll(timeout, most)) == most
    seen = set()
    for _ in range(8):  # none is left out forever
        seen.update(fd for fd, _ in epoll.poll(maxevents=1))
    assert seen == {reader.fileno() for reader, _ in files}


@pytest.mark.parametrize("extra", [ET, ONESHOT, ET | ONESHOT, EXCLUSIVE | ET])
@pytest.mark.parametrize("most", [-1, 1])
def test_a_report_that_comes_once_is_not_lost(runtime, epoll, watch, extra, most):
    reader, writer = watch(IN | extra)
    there = [(reader.fileno(), IN)]
    for timeout in (0.05, 20, None):
        assert epoll.poll(0.001, most) == []
        task = send_later(runtime, writer)
        if timeout == 0.05:
            found = []
            while not found:
                found = epoll.poll(timeout, most)
        else:
            found = epoll.poll(timeout, most)
        assert found == there
        runtime.join(task)
        assert epoll.poll(0, most) == epoll.poll(0.01, most) == []  # once is all
        if extra & ONESHOT:
            writer.send(b"x")
            assert epoll.poll(0.01, most) == []
            reader.recv(100)
            epoll.modify(reader, IN | extra)


@hubs_only
@pytest.mark.parametrize("extra", [ET, ONESHOT])
def test_only_one_of_several_waiters_gets_a_change(runtime, epoll, watch, extra):
    _reader, writer = watch(IN | extra)
    introduce(runtime, epoll)
    tasks = [runtime.spawn(epoll.poll, seconds) for seconds in (0.5, 0.5, 0.5)]
    runtime.settle()
    writer.send(b"x")
    found = [runtime.join(task) for task in tasks]
    assert sorted(map(len, found)) == [0, 0, 1]


@hubs_only
@pytest.mark.parametrize("timeout", [None, 20])
def test_a_killed_waiter_loses_no_change(runtime, epoll, watch, timeout):
    reader, writer = watch(IN | ET)
    introduce(runtime, epoll)
    task = runtime.spawn(epoll.poll, timeout)
    runtime.settle()
    writer.send(b"x")
    runtime.kill(task)
    assert epoll.poll(5) == [(reader.fileno(), IN)]


@pytest.mark.parametrize("timeout", [None, 20])
def test_a_wait_for_an_exclusive_file(runtime, epoll, watch, timeout):
    reader, writer = watch(IN | EXCLUSIVE)
    other, peer = watch(IN | ET)
    for _ in range(4):
        for file, end in ((reader, writer), (other, peer)):
            task = send_later(runtime, end)
            assert epoll.poll(timeout) == [(file.fileno(), IN)]
            runtime.join(task)
            file.recv(1)
        started = time.monotonic()
        assert epoll.poll(0.03) == []
        assert time.monotonic() - started >= 0.03
    epoll.unregister(reader)
    introduce(runtime, epoll)
    task = send_later(runtime, peer)
    assert epoll.poll(timeout) == [(other.fileno(), IN)]
    runtime.join(task)


@hubs_only
def test_an_exclusive_wake_up_goes_to_one(runtime, connect):
    # On a busy machine a thread may be on its way into the kernel still, and find the byte there;
    # without it being exclusive, all four would be woken each time.
    assert any(woken_of_four(runtime, connect) == 1 for _ in range(10))


def woken_of_four(runtime, connect):
    """How many of four who wait, beside one who does not, are woken by one byte for all."""
    reader, writer = connect()
    made = [ours.epoll() for _ in range(5)]
    for epoll in made:
        epoll.register(reader, IN | EXCLUSIVE)
    woken = []

    def wait(epoll):
        assert len(epoll.poll()) == 1
        woken.append(epoll)

    tasks = {epoll: runtime.spawn(wait, epoll) for epoll in made[1:]}
    runtime.settle()
    runtime.sleep(0.05)
    writer.send(b"x")
    while not woken:
        runtime.sleep(0.001)
    runtime.sleep(0.05)
    found = len(woken)
    for epoll in made:
        epoll.close()
    for epoll, task in tasks.items():
        if epoll in woken:
            runtime.join(task)
        else:
            with pytest.raises(ValueError, match="closed"):
                runtime.join(task)
    runtime.settle()
    return found


@hubs_only
@pytest.mark.parametrize("extra", [EXCLUSIVE | ET, EXCLUSIVE])
def test_a_thread_that_is_called_back_puts_changes_back(runtime, epoll, watch, extra):
    reader, writer = watch(IN | extra)
    other, peer = watch(IN | ONESHOT)
    for _ in range(3):
        task = runtime.spawn(epoll.poll)
        runtime.settle()
        runtime.sleep(0.01)
        for end in (writer, peer):
            end.send(b"x")
        runtime.kill(task)
        runtime.settle()
        found, until = dict(epoll.poll(5)), time.monotonic() + 5
        # On a busy machine, the thread puts back later what it has taken.
        while len(found) < 2 and time.monotonic() < until:
            found.update(epoll.poll(0.01))
        assert found == {reader.fileno(): IN, other.fileno(): IN}
        assert epoll.poll(0) == ([] if extra & ET else [(reader.fileno(), IN)])
        reader.recv(1)
        other.recv(1)
        epoll.modify(other, IN | ONESHOT)
    epoll.unregister(reader)
    assert epoll.poll(0) == []


@hubs_only
@pytest.mark.parametrize("in_thread", [False, True])
def test_close_wakes_a_greenlet_whose_thread_waits(runtime, epoll, watch, in_thread):
    watch(IN | EXCLUSIVE)
    tasks = [runtime.spawn(epoll.poll, timeout) for timeout in (None, 20)]
    runtime.settle()
    started = time.monotonic()
    if in_thread:
        runtime.join_thread(runtime.start_thread(epoll.close))
    else:
        epoll.close()
    for task in tasks:
        with pytest.raises(ValueError, match="closed"):
            runtime.join(task)
    assert time.monotonic() - started < 5
    runtime.settle()


@hubs_only
def test_an_exclusive_file_registered_during_a_wait(runtime, epoll, watch):
    watch()
    introduce(runtime, epoll)
    task = runtime.spawn(epoll.poll, 20)
    runtime.settle()
    reader, writer = watch(IN | EXCLUSIVE)
    runtime.settle()
    writer.send(b"x")
    assert runtime.join(task) == [(reader.fileno(), IN)]


@pytest.fixture
def refused(runtime, epoll, watch, refuse_nesting):
    """An epoll that the kernel does not nest in a hub's, a file in it, and that one's peer."""
    reader, writer = watch()
    introduce(runtime, epoll)
    refuse_nesting(epoll)
    return epoll, reader, writer


@hubs_only
def test_without_nesting_a_thread_waits(runtime, refused):
    epoll, reader, writer = refused
    assert epoll.poll(0.01) == []
    before = runtime.census()
    for timeout in (None, 20):
        turns = []
        task = runtime.spawn(
            lambda turns=turns: (
                [(runtime.sleep(0.001), turns.append(1)) for _ in range(10)],
                writer.send(b"x"),
            )
        )
        assert epoll.poll(timeout) == [(reader.fileno(), IN)]
        runtime.join(task)
        assert len(turns) == 10
        reader.recv(1)
        started = time.monotonic()
        assert epoll.poll(0.0304) == []
        assert time.monotonic() - started >= 0.0304
    assert runtime.grown(before) == {}


@hubs_only
def test_without_nesting_and_without_a_descriptor_nothing_spins(runtime, refused, monkeypatch):
    epoll, reader, writer = refused
    assert epoll.poll(0.01) == []
    asked = []

    def fail(fd):
        asked.append(fd)
        raise OSError(errno.EMFILE, "no descriptor left")

    with monkeypatch.context() as patch:
        patch.setattr(seams.system, "dup", fail)
        assert epoll.poll(0.1) == []
        assert 0 < len(asked) < 20  # some five; hundreds if it asks again at once
        task = runtime.spawn(lambda: (runtime.sleep(0.01), writer.send(b"x")))
        assert epoll.poll(20) == [(reader.fileno(), IN)]
        runtime.join(task)
        runtime.settle()
        runtime.sleep(0.05)


@hubs_only
def test_without_nesting_a_report_that_comes_once_waits_for_the_next_caller(
    runtime, refused, watch
):
    epoll, _reader, _writer = refused
    other, peer = watch(IN | ET)
    tasks = [runtime.spawn(epoll.poll, 20) for _ in range(2)]
    runtime.settle()
    for task in tasks:
        runtime.kill(task)
    runtime.settle()
    assert epoll.poll(0) == []
    task = runtime.spawn(epoll.poll, 20)
    runtime.settle()
    peer.send(b"x")
    assert runtime.join(task) == [(other.fileno(), IN)]


@hubs_only
@pytest.mark.parametrize("in_thread", [False, True])
def test_without_nesting_close_wakes_the_waiter(runtime, refused, in_thread):
    epoll, _, _ = refused
    tasks = [runtime.spawn(epoll.poll, timeout) for timeout in (None, 20)]
    runtime.settle()
    runtime.sleep(0.02)
    started = time.monotonic()
    if in_thread:
        runtime.join_thread(runtime.start_thread(epoll.close))
    else:
        epoll.close()
    for task in tasks:
        with pytest.raises(ValueError, match="closed"):
            runtime.join(task)
    assert time.monotonic() - started < 5
    runtime.settle()


@hubs_only
def test_more_epolls_on_one_file_than_the_kernel_allows(runtime):
    number = 130
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1024:
        pytest.skip("not enough descriptors")
    reader, writer = os.pipe()
    made = [ours.epoll() for _ in range(number)]
    for epoll in made:
        epoll.register(reader, IN)
    tasks = [runtime.spawn(epoll.poll, 60) for epoll in made]
    runtime.sleep(0.1)
    runtime.settle()
    os.write(writer, b"x")
    for task in tasks:
        assert runtime.join(task) == [(reader, IN)]
    for epoll in made:
        epoll.close()
    runtime.settle()
    close(reader)
    close(writer)


@hubs_only
def test_a_register_refused_only_because_of_nesting(runtime, watch):
    # of five levels, the native ones may have all
    (reader, writer), chain = watch(), []
    inner = reader
    for _ in range(4):
        chain.append(native.epoll())
        chain[-1].register(inner, IN)
        inner = chain[-1]
    with ours.epoll() as late:
        introduce(runtime, late)
        task = runtime.spawn(late.poll, 20)
        runtime.settle()
        late.register(inner, IN)
        runtime.settle()
        writer.send(b"x")
        assert runtime.join(task) == [(inner.fileno(), IN)]
        with ours.epoll() as deeper:
            introduce(runtime, deeper)
            with pytest.raises(OSError) as caught:  # too deep for the native ones, too
                deeper.register(late, IN)
            assert caught.value.errno in (errno.EINVAL, errno.ELOOP)
        with pytest.raises(OSError):
            late.register(late, IN)
    for each in reversed(chain):
        each.close()


@hubs_only
def test_what_a_register_refuses_for_other_reasons(runtime, epoll, watch):
    reader, _ = watch()
    introduce(runtime, epoll)
    with pytest.raises(FileExistsError):
        epoll.register(reader, IN)
    with open(__file__) as file, pytest.raises(PermissionError):
        epoll.register(file, IN)


def test_an_epoll_in_an_epoll(runtime, epoll, watch):
    reader, writer = watch()
    with ours.epoll() as outer:
        outer.register(epoll, IN)
        for _ in range(3):
            task = send_later(runtime, writer)
            assert outer.poll(20) == [(epoll.fileno(), IN)]
            assert epoll.poll(20) == [(reader.fileno(), IN)]
            runtime.join(task)
            reader.recv(1)
            assert outer.poll(0.01) == []


@pytest.mark.parametrize("which", ["the same descriptor", "a duplicate"])
def test_by_its_descriptor(runtime, epoll, watch, which):
    reader, writer = watch()
    number = epoll.fileno() if which == "the same descriptor" else os.dup(epoll.fileno())
    another = ours.epoll.fromfd(number)
    there = [(reader.fileno(), IN)]
    for _ in range(2):
        tasks = [
            runtime.spawn(each.poll, timeout)
            for each in (epoll, another, epoll)
            for timeout in (None, 20)
        ]
        runtime.settle()
        writer.send(b"x")
        for task in tasks:
            assert runtime.join(task) == there
        reader.recv(1)
        assert epoll.poll(0.01) == another.poll(0.01) == []
    other, peer = watch()
    task = send_later(runtime, peer)
    assert another.poll(20) == [(other.fileno(), IN)]
    runtime.join(task)
    if which == "a duplicate":
        epoll.close()
        assert another.poll(5) == [(other.fileno(), IN)]
    another.close()
    assert another.closed
    if which == "the same descriptor":
        os.dup2(reader.fileno(), number)  # it is closed, and will be once more


@hubs_only
def test_by_its_descriptor_leaves_nothing(runtime, epoll, watch):
    watch()
    introduce(runtime, epoll)
    before = runtime.census()
    for how in ("closed", "dropped"):
        another = ours.epoll.fromfd(os.dup(epoll.fileno()))
        assert another.poll(0.01) == another.poll(0.01) == []
        if how == "closed":
            another.close()
        del another
        assert runtime.grown(before) == {}
    task = runtime.spawn(epoll.poll, 0.02)
    assert runtime.join(task) == []


@hubs_only
def test_a_reused_number_is_watched_as_the_new_file_is_registered(runtime, epoll, connect):
    # what was said of the closed one would have the new one told of once, and to one
    (reader, _), (other, writer) = connect(), connect()
    epoll.register(reader, IN | ET | EXCLUSIVE)
    number = reader.detach()
    close(number)
    assert os.dup2(other.fileno(), number) == number
    epoll.register(number, IN)
    task = runtime.spawn(epoll.poll, 20)
    runtime.sleep(0.02)
    writer.send(b"x")
    assert runtime.join(task) == [(number, IN)]
    for timeout in (0, 5, None):
        assert epoll.poll(timeout) == [(number, IN)]
    close(number)


def test_parent_and_child_share_it(runtime, epoll, watch, in_child):
    reader, writer = watch()
    introduce(runtime, epoll)
    other, peer = watch()

    def child():
        nothing = epoll.poll(0.01)
        task = send_later(runtime, peer)
        found = epoll.poll(20)
        runtime.join(task)
        other.recv(1)
        epoll.unregister(other)  # for both, as of the native one
        epoll.close()
        return nothing, found

    assert in_child(child)() == ([], [(other.fileno(), IN)])
    peer.send(b"x")
    assert epoll.poll(0.01) == []
    task = send_later(runtime, writer)
    assert epoll.poll(20) == [(reader.fileno(), IN)]
    runtime.join(task)


@hubs_only
def test_greenlets_waiting_at_the_fork_go_on_waiting_in_both(
    runtime, epoll, watch, in_child, connect
):
    reader, writer = watch()
    introduce(runtime, epoll)
    tasks = [runtime.spawn(epoll.poll, 20), runtime.spawn(epoll.poll, None, 1)]
    runtime.settle()
    go, gone = connect()

    def child():
        gone.send(b"x")
        runtime.sleep(0.05)
        writer.send(b"x")
        return [runtime.join(task) for task in tasks]

    result = in_child(child)
    there = [(reader.fileno(), IN)]
    assert [runtime.join(task) for task in tasks] == [there, there]
    go.recv(1)
    assert result() == [there, there]


@hubs_only
@pytest.mark.parametrize("why", ["exclusive", "refused"])
def test_a_child_that_closes_does_not_wake_its_parents_threads(
    runtime, epoll, watch, in_child, refuse_nesting, why
):
    reader, writer = watch(IN | (EXCLUSIVE if why == "exclusive" else 0))
    if why == "refused":
        introduce(runtime, epoll)
        refuse_nesting(epoll)
    task = runtime.spawn(epoll.poll, 20)
    runtime.settle()
    runtime.sleep(0.02)

    def child():
        epoll.close()
        try:
            return runtime.join(task)
        except ValueError as error:
            return str(error)

    assert "closed" in in_child(child)()
    assert epoll.poll(0) == []
    writer.send(b"x")
    assert runtime.join(task) == [(reader.fileno(), IN)]


@hubs_only
def test_a_child_waits_without_its_parents_threads(runtime, refused, in_child):
    epoll, reader, writer = refused
    task = runtime.spawn(epoll.poll, 20)
    runtime.settle()

    def child():
        later = send_later(runtime, writer)
        found = runtime.join(task), epoll.poll(20)
        runtime.join(later)
        return found

    there = [(reader.fileno(), IN)]
    assert in_child(child)() == (there, there)
    assert runtime.join(task) == there


def test_it_is_used_as_the_native_one(runtime, connect):
    reader, writer = connect()
    with ours.epoll(10, 1 << 19) as made:
        assert made.__enter__() is made
        made.register(reader)
        writer.shutdown(socket.SHUT_WR)
        made.modify(reader, RDHUP | HUP)
        assert made.poll(5) == [(reader.fileno(), RDHUP)]
        made.unregister(reader)
        with pytest.raises(FileNotFoundError):
            made.unregister(reader)
    assert made.closed
    with pytest.raises(ValueError, match="closed epoll"):
        made.__enter__()
