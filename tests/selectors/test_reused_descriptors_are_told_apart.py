"""What if a file is closed too early, a duplicate is open, and another file has its number?

epoll(7) watches open files, and tells of them by the number that they had.
"""

from __future__ import annotations

import fcntl
import os
import time
from posix import close, dup, write

import pytest

from coopselectors import EVENT_READ, EVENT_WRITE, SelectSelector
from support import seams


@pytest.fixture
def descriptors(connect):
    """Gives pairs of numbers that belong to nobody else."""
    made = []

    def pair():
        both = [os.dup(sock.fileno()) for sock in connect()]
        for fd in both:
            os.set_blocking(fd, False)
        connect.close()
        made.extend(both)
        return both

    yield pair
    for fd in made:
        try:
            close(fd)
        except OSError:
            pass


def leave_behind(selector, fd):
    """Close a registered file too early, unregister it, and return the duplicate it lives on in."""
    duplicate = dup(fd)
    close(fd)
    selector.unregister(fd)
    return duplicate


def give_number(fd, number):
    assert fcntl.fcntl(fd, fcntl.F_DUPFD, number) == number


def test_the_old_file_is_not_reported_as_the_new_one(runtime, selector, descriptors):
    (old, old_peer), (new, new_peer) = descriptors(), descriptors()
    selector.register(old, EVENT_READ)
    duplicate = leave_behind(selector, old)
    give_number(new, old)
    key = selector.register(old, EVENT_READ)
    write(old_peer, b"x")
    assert selector.select(0) == []
    assert runtime.cost_of_waiting_in(selector) < 0.08
    write(new_peer, b"x")
    assert selector.select(5) == [(key, EVENT_READ)]
    close(duplicate)


def test_both_are_ready_for_different_things(runtime, selector, descriptors):
    (old, _), (new, new_peer) = descriptors(), descriptors()
    selector.register(old, EVENT_WRITE)
    duplicate = leave_behind(selector, old)
    give_number(new, old)
    key = selector.register(old, EVENT_READ)
    write(new_peer, b"x")
    assert selector.select(0) == [(key, EVENT_READ)]
    assert selector.select(5) == [(key, EVENT_READ)]
    close(duplicate)


@pytest.mark.parametrize("waited", [False, True])
def test_the_number_means_the_old_file_again(runtime, selector, descriptors, waited):
    old, peer = descriptors()
    key = selector.register(old, EVENT_WRITE)
    assert selector.select(5) == [(key, EVENT_WRITE)]
    if waited:
        key = selector.modify(old, EVENT_READ)
        runtime.introduce(selector)
        selector.modify(old, EVENT_WRITE)
    duplicate = leave_behind(selector, old)
    give_number(duplicate, old)
    key = selector.register(old, EVENT_READ)  # the kernel has it already, for writing
    task = runtime.spawn(lambda: (runtime.sleep(0.02), write(peer, b"x")))
    started = time.monotonic()
    assert selector.select(5) == [(key, EVENT_READ)]
    assert time.monotonic() - started < 2
    runtime.join(task)
    close(duplicate)


@pytest.mark.parametrize("orphans", [1, 2, 200])
def test_left_over_files_take_no_room_from_the_others(runtime, selector, descriptors, orphans):
    # eventlet's asyncio hub keeps three descriptors of each thread that has ended.
    if isinstance(selector, SelectSelector) and len(runtime.descriptors()) + 3 * orphans > 1000:
        pytest.skip("too few numbers are left that select(2) takes")
    duplicates = []
    for _ in range(orphans):
        fd, peer = descriptors()
        selector.register(fd, EVENT_READ)
        write(peer, b"x")
        duplicates.append(leave_behind(selector, fd))
    ready = []
    for number in range(3):
        fd, peer = descriptors()
        ready.append(fcntl.fcntl(fd, fcntl.F_DUPFD, 500 + number))
        selector.register(ready[-1], EVENT_READ)
        write(peer, b"x")
    for timeout in (0, 5):
        assert sorted(key.fd for key, _ in selector.select(timeout)) == sorted(ready)
    for fd in ready + duplicates:
        close(fd)


def test_many_early_closes_do_not_add_up(runtime, selector, descriptors):
    fd, _ = descriptors()
    for _ in range(300):
        number = dup(fd)
        selector.register(number, EVENT_READ)
        close(number)
        selector.unregister(number)
    assert selector.select(0.01) == []


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.classes("SelectSelector")
def test_a_hang_up_that_select_does_not_call_writable(runtime, selector, refuse_nesting, refused):
    if refused:  # its files are watched one by one then
        refuse_nesting(selector)
    reader, writer = os.pipe()
    close(writer)
    selector.register(reader, EVENT_WRITE)
    other, other_writer = os.pipe()
    key = selector.register(other, EVENT_READ)
    assert runtime.cost_of_waiting_in(selector) < 0.08
    write(other_writer, b"x")
    assert selector.select(5) == [(key, EVENT_READ)]
    assert os.read(other, 1) == b"x"
    task = runtime.spawn(lambda: (runtime.sleep(0.02), write(other_writer, b"x")))
    assert selector.select(5) == [(key, EVENT_READ)]
    runtime.join(task)
    for fd in (reader, other, other_writer):
        close(fd)


@pytest.mark.classes("PollSelector", "SelectSelector")
def test_what_waits_for_poll_and_select_follows_a_number(runtime, selector, descriptors):
    # without a word to us: the standard classes do so at their next select
    (old, old_peer), (new, new_peer) = descriptors(), descriptors()
    key = selector.register(old, EVENT_READ)
    runtime.introduce(selector)
    duplicate = dup(old)
    close(old)
    give_number(new, old)
    write(old_peer, b"x")
    assert runtime.cost_of_waiting_in(selector) < 0.08
    task = runtime.spawn(lambda: (runtime.sleep(0.02), write(new_peer, b"x")))
    assert selector.select(5) == [(key, EVENT_READ)]
    runtime.join(task)
    close(duplicate)


@pytest.mark.wakes_threads
def test_our_own_wakeup_fd_is_closed_by_a_stranger(runtime, Selector, connect):
    # a program that closes a number twice may hit ours
    reader, _ = connect()
    for reuse in (False, True):
        close(seams.wakeup_fd())
        heir = dup(reader.fileno()) if reuse else None
        selector = Selector()
        selector.register(reader, EVENT_READ)
        threads = [runtime.start_thread(selector.select, 20) for _ in range(2)]
        runtime.sleep(0.05)
        started = time.monotonic()
        selector.close()
        for thread in threads:
            with pytest.raises(ValueError, match="closed"):
                runtime.join_thread(thread)
        assert time.monotonic() - started < 10
        if heir is not None:
            assert os.fstat(heir)
            close(heir)
