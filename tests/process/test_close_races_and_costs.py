"""What does a call get that races close(), and what does it cost to close first?"""

from __future__ import annotations

import gc
import os
import resource
import socket
import sys
import weakref
from posix import close, dup, pipe

import pytest

import coopselectors
from coopselectors import EVENT_READ, EVENT_WRITE

OURS = os.path.dirname(coopselectors.__file__)
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
                sys.settrace(None)
                runtime.join_thread(runtime.start_thread(selector.close))
        return trace

    gc.disable()  # a finalizer holds the lock, and this thread must not stop in one
    sys.settrace(trace)
    try:
        found = outcome(lambda: call(selector, fd))
    finally:
        sys.settrace(None)
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
        if said not in (None, expected, (ValueError, [])):
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
