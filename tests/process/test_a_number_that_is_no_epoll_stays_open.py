"""Is a non-blocking file left alone that has the number of a duplicate of a user's epoll?

Our descriptors are marked by O_NONBLOCK, and other people's sockets may have that as well.
"""

from __future__ import annotations

import fcntl
import os
import socket

import pytest

import coopselectors

KEPT = []  # what must not be closed before the end


def is_open(fd):
    try:
        fcntl.fcntl(fd, fcntl.F_GETFD)
    except OSError:
        return False
    return True


def numbers():
    return {fd for fd in range(3, 256) if is_open(fd)}


@pytest.mark.epoll
@pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
@pytest.mark.parametrize("how", ["close", "drop"])
def test_it_is_not_closed(fresh, how):
    assert fresh(story, how) == [1, 1]


def shared_after_waits(runtime):
    """A second object on an epoll, and the numbers that it has taken for waits."""
    first = coopselectors.select.epoll()
    shared = coopselectors.select.epoll.fromfd(first.fileno())
    reader, _writer = os.pipe()
    first.register(reader, 1)
    for _ in range(3):  # what is opened once; a slow machine's time may be up before it slept
        runtime.join(runtime.spawn(first.poll, 0.01))
    before = numbers()
    for _ in range(3):
        runtime.join(runtime.spawn(shared.poll, 0.01))
    KEPT.extend((first, reader, _writer))
    return shared, sorted(numbers() - before)


def story(runtime, how):
    """Returns how many numbers were taken, and how many of them are still open in the end."""
    shared, taken = shared_after_waits(runtime)
    one, _other = socket.socketpair()
    for each in taken:
        os.dup2(one.fileno(), each)
        flags = fcntl.fcntl(each, fcntl.F_GETFL)
        fcntl.fcntl(each, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    if how == "close":
        shared.close()
    else:
        del shared
    return [len(taken), len(numbers() & set(taken))]


@pytest.mark.epoll
@pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
def test_one_that_is_closed_already_is_no_harm(fresh):
    assert fresh(closed_story) == 1


def closed_story(runtime):
    """Returns how many numbers were closed by somebody else."""
    shared, taken = shared_after_waits(runtime)
    for each in taken:
        os.close(each)
    shared.close()
    return len(taken)
