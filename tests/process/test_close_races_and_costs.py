"""What does a call get that races close(), and what does it cost to close first?"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import socket
import sys
import threading
import weakref
from functools import partial
from posix import close, dup, pipe

import pytest

import coopselectors
from coopselectors import EVENT_READ, EVENT_WRITE
from support.stop_at import OURS, StopAt

EPOLLRDHUP = 0x2000

CALLS = {
    "register": lambda selector, fd: selector.register(fd, EVENT_READ),
    "modify": lambda selector, fd: selector.modify(fd, EVENT_READ | EVENT_WRITE),
    "unregister": lambda selector, fd: selector.unregister(fd),
}


def outcome(call):
    """What a call raises, as far as anybody can tell it from another; None if nothing."""
    try:
        call()
    except ValueError as error:
        return str(error)
    except Exception as error:
        return type(error), [argument for argument in error.args if not isinstance(argument, str)]
    return None


def closed_at(runtime, Selector, call, line):
    """What a call does when another thread closes the selector at that line of it."""
    fd, other = pipe()
    selector = Selector()
    selector.register(other, EVENT_WRITE)
    if call is not CALLS["register"]:
        selector.register(fd, EVENT_READ)
    count = 0

    def trace(frame, event, _):
        nonlocal count
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        if event == "line":
            count += 1
            if count == line:
                sys.settrace(before)
                runtime.join_thread(runtime.start_thread(selector.close))
        return trace

    gc.disable()  # a finalizer holds the lock, and this thread must not stop in one
    before = sys.gettrace()  # what measures coverage
    sys.settrace(trace)
    try:
        found = outcome(lambda: call(selector, fd))
    finally:
        sys.settrace(before)
        gc.enable()
        selector.close()
        close(fd)
        close(other)
    return found, count >= line


@pytest.mark.runtimes("native")
@pytest.mark.parametrize("what", CALLS)
def test_a_call_that_races_close_raises_what_a_closed_selector_raises(runtime, Selector, what):
    call, line, found = CALLS[what], 1, []
    closed = Selector()
    closed.close()
    expected = outcome(lambda: call(closed, 0))
    was_there = True
    while was_there:
        said, was_there = closed_at(runtime, Selector, call, line)
        # Either it came before, or after; or in between, when it found its poller closed.
        if said not in (None, expected, "Selector is closed"):
            found.append((line, said))
        line += 1
    assert found == []
    assert line > 5


def calls_of_a_connection(count):
    """How many functions are called for one that comes and goes, beside so many others.

    It is closed a moment before it is unregistered.
    """
    reader, writer = pipe()
    others = [dup(reader) for _ in range(count)]
    calls = 0

    def profile(frame, event, _):
        nonlocal calls
        calls += event in ("call", "c_call")

    with coopselectors.EpollSelector() as selector:
        for other in others:
            selector.register(other, EVENT_READ, extra_events=EPOLLRDHUP)
        # As often as there may be stale numbers, so that what is done then counts as well.
        for turn in range(140):
            if turn == 10:
                sys.setprofile(profile)
            number = dup(reader)
            selector.register(number, EVENT_READ, extra_events=EPOLLRDHUP)
            close(number)
            selector.unregister(number)
            selector.select(0)
        sys.setprofile(None)
    for fd in (*others, reader, writer):
        close(fd)
    return calls


@pytest.mark.epoll
@pytest.mark.runtimes("native")
def test_to_close_first_costs_no_more_with_many_files(runtime):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 9000:
        pytest.skip(f"at most {hard} descriptors are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 9000), hard))
    try:
        few, many = calls_of_a_connection(100), calls_of_a_connection(8000)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert many < 1.2 * few


def hubs_left(runtime):
    """How many hubs live on of threads that have ended, by whether they waited in a selector."""
    ours, _theirs = socket.socketpair()
    selectors = [coopselectors.DefaultSelector() for _ in range(20)]
    for selector in selectors:
        selector.register(ours, EVENT_READ)
    left = []
    for acts in (
        [lambda: runtime.sleep(0.01)] * 20,
        [lambda selector=selector: selector.select(0.01) for selector in selectors],
    ):
        hubs = []

        def work(act, hubs=hubs):
            act()
            hubs.append(weakref.ref(runtime.hub()))
            runtime.hub().abort(True)

        for act in acts:
            runtime.join_thread(runtime.start_thread(work, act))
        for _ in range(3):
            gc.collect()
            runtime.sleep(0.02)
        left.append(sum(hub() is not None for hub in hubs))
    return left


# gevent 26.9 keeps the hubs of ended threads itself, whatever they did.
@pytest.mark.runtimes("eventlet")
def test_an_ended_threads_hub_is_freed_while_selectors_live_on(fresh):
    slept, waited = fresh(hubs_left)
    assert slept <= 2
    assert waited <= 2


@pytest.mark.runtimes("gevent-libev")  # libuv does not say whether anybody can run
@pytest.mark.classes("EpollSelector", "PollSelector")
def test_the_hub_is_not_entered_if_nobody_can_run(fresh, Selector):
    assert fresh(entered, Selector.__name__) == [[False], [True, "ran"]]


def entered(runtime, kind):
    import greenlet

    from support import seams

    selector = getattr(coopselectors, kind)()
    pair = socket.socketpair()
    key = selector.register(pair[0], EVENT_WRITE)
    hub, was_entered, others = runtime.hub(), [], []
    selector.select(1)
    seams.no_turn_is_due(hub)
    greenlet.settrace(lambda event, how: was_entered.append(how[1] is hub))
    assert selector.select(1) == selector.select(0) == [(key, EVENT_WRITE)]
    before = any(was_entered)
    runtime.spawn(others.append, "ran")
    assert selector.select(1) == [(key, EVENT_WRITE)]
    greenlet.settrace(None)
    return [[before], [any(was_entered), *others]]


def lost(selector):
    """Somebody closes a number twice, and the second time it is that of the kernel object."""
    close(selector.fileno())


def stale(selector):
    """So many files are closed and then unregistered that the next call replaces the object."""
    reader, writer = pipe()
    numbers = [dup(reader) for _ in range(70)]
    for number in numbers:
        selector.register(number, EVENT_READ)
    for number in numbers:
        close(number)
        selector.unregister(number)
    close(reader)
    close(writer)


def epolls():
    """How many descriptors of epolls this process has."""
    links = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the one that listed them
            links.append(os.readlink(f"/proc/self/fd/{fd}"))
    return links.count("anon_inode:[eventpoll]")


MEANWHILE = {
    **{name: CALLS[name] for name in ("register", "modify")},
    "select": lambda selector, _: selector.select(0),
    "close": lambda selector, _: selector.close(),
}


@pytest.mark.epoll
@pytest.mark.once
@pytest.mark.runtimes("native")
@pytest.mark.parametrize("then", ["select", "close"])
@pytest.mark.parametrize("stopped", MEANWHILE)
@pytest.mark.parametrize("spoil", [lost, stale])
def test_two_threads_find_that_the_kernel_object_must_be_replaced(runtime, spoil, stopped, then):
    """One stops at a line of its call, and the other comes in between."""
    fd, watched = pipe()
    closed = coopselectors.EpollSelector()
    closed.close()
    expected = [None, "Selector is closed", outcome(lambda: MEANWHILE[stopped](closed, fd))]
    line, was_there, wrong = 1, True, []
    while was_there:
        before = epolls()
        selector = coopselectors.EpollSelector()
        selector.register(watched, EVENT_READ | EVENT_WRITE)
        if stopped == "modify":
            selector.register(fd, EVENT_WRITE)
        spoil(selector)
        said = []

        def call(name, selector=selector, said=said):
            said.append(outcome(lambda: MEANWHILE[name](selector, fd)))

        thread = StopAt(partial(call, stopped), line)
        other = threading.Thread(target=call, args=[then])
        other.start()
        other.join(0.005)  # it may have to wait for the lock
        was_there = thread.go_on()
        other.join()
        is_closed = "close" in (stopped, then)
        if any(each not in (expected if is_closed else [None]) for each in said):
            wrong.append(f"line {line}: {said}")
        if is_closed != (outcome(lambda: selector.select(0)) == "Selector is closed"):
            wrong.append(f"line {line}: it is {'open' if is_closed else 'closed'}")
        elif not is_closed and [key.fd for key, _ in selector.select(0)] != [watched]:
            wrong.append(f"line {line}: {selector.select(0)}")
        selector.close()
        if epolls() != before:
            wrong.append(f"line {line}: {epolls() - before} more epolls are open")
        line += 1
    close(fd)
    close(watched)
    assert wrong == []
    assert line > 5
