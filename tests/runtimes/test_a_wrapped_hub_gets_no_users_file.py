"""Does a hub that somebody has wrapped survive that a file is closed while it is waited for?

libev and libuv abort the process if a file is closed that they are about to watch.
"""

from __future__ import annotations

import errno
import functools
import posix  # whose functions nobody patches
import select
import time

import pytest

import coopselectors
from coopselectors import EVENT_READ

pytestmark = [
    pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet"),
    pytest.mark.epoll,
]

SHORT = 0.02


@pytest.mark.parametrize("wrapped", ["select", "poll"])
@pytest.mark.parametrize(
    ("kind", "expected"), [("PollSelector", "reported"), ("SelectSelector", errno.EBADF)]
)
def test_the_next_greenlet_closes_the_file(fresh, kind, expected, wrapped):
    # The process is there to tell, and says what the primitive says of a closed file.
    assert fresh(_close_at_once, kind, wrapped) == expected


def _close_at_once(runtime, kind, wrapped):
    _wrap(wrapped)
    with getattr(coopselectors, kind)() as selector:
        reader, _ = posix.pipe()
        selector.register(reader, EVENT_READ)
        task = runtime.spawn(_selected, selector)
        runtime.spawn(posix.close, reader)
        said = runtime.join(task)
    return "reported" if said == [reader] else said


def _selected(selector):
    try:
        return [key.fd for key, _ in selector.select(SHORT)]
    except OSError as error:
        return error.errno


@pytest.mark.parametrize("wrapped", ["select", "poll"])
def test_a_closed_file_is_reported_at_once(fresh, wrapped):
    """As poll(2) does, although our own descriptor does not tell of it."""
    assert fresh(_select_with_a_closed_file, wrapped)


def _select_with_a_closed_file(runtime, wrapped):
    _wrap(wrapped)
    with coopselectors.PollSelector() as selector:
        (other, _), (reader, _) = posix.pipe(), posix.pipe()
        selector.register(other, EVENT_READ)
        selector.register(reader, EVENT_READ)
        assert selector.select(SHORT) == []
        posix.close(reader)
        started = time.monotonic()
        assert [key.fd for key, _ in selector.select(20)] == [reader]
        return time.monotonic() - started < 5


def _wrap(name):
    real = getattr(select, name, None)
    if real is not None:  # eventlet has deleted poll
        setattr(select, name, functools.partial(real))
