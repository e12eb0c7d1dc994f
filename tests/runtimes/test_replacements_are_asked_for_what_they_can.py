"""Does a wait in somebody's replacement of ``select.select`` end well in the rarer cases?

The replacement here is the real function, called by way of another: anything may have put it there.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import select
import time

import pytest

import coopselectors
from coopselectors import EVENT_READ
from support import native, seams

pytestmark = [pytest.mark.epoll, pytest.mark.usefixtures("no_hub_is_loaded")]

KINDS = ("EpollSelector", "PollSelector", "SelectSelector")


@pytest.fixture(params=KINDS)
def kind(request):
    return getattr(coopselectors, request.param)


@pytest.fixture
def asked(monkeypatch):
    """What the replacement was asked for."""
    calls = []

    def replacement(*how):
        calls.append([*map(list, how[:3])])
        return native.select(*how)

    monkeypatch.setattr(select, "select", replacement)
    return calls


def no_descriptor_left(fd):
    raise OSError(errno.EMFILE, "no descriptor left")


@pytest.mark.parametrize("kind", KINDS[:2], indirect=True)
def test_without_a_descriptor_it_is_given_the_files(kind, connect, asked, monkeypatch):
    reader, writer = connect()
    with kind() as selector:
        selector.register(reader, EVENT_READ)
        monkeypatch.setattr(seams.system, "dup", no_descriptor_left)
        assert selector.select(0.01) == []
        assert asked[-1][0] == [reader.fileno()]
        writer.send(b"x")
        assert len(selector.select(20)) == 1
        monkeypatch.undo()


def test_a_closed_file_among_those_that_it_is_given(connect, asked, monkeypatch):
    reader, writer = connect()
    number = os.dup(reader.fileno())
    with coopselectors.EpollSelector() as selector:
        selector.register(reader, EVENT_READ)
        selector.register(number, EVENT_READ)
        os.close(number)
        monkeypatch.setattr(seams.system, "dup", no_descriptor_left)
        started = time.monotonic()
        assert selector.select(0.05) == []
        assert time.monotonic() - started >= 0.05
        writer.send(b"x")
        assert reader in [key.fileobj for key, _ in selector.select(20)]
        monkeypatch.undo()


def test_a_number_that_a_closed_file_has_left(connect, asked):
    """It would be taken for the file, if we waited under it."""
    reader, writer = connect()
    with coopselectors.EpollSelector() as selector:
        selector.register(reader, EVENT_READ)
        number = os.dup(connect()[0].fileno())  # the lowest that is free
        selector.register(number, EVENT_READ)
        os.close(number)
        assert selector.select(0.01) == []
        assert all(number not in each or reader.fileno() in each for [each, *_] in asked)
        writer.send(b"x")
        assert [key.fileobj for key, _ in selector.select(20)] == [reader]


@pytest.mark.parametrize("kind", KINDS[:2], indirect=True)
def test_a_descriptor_that_is_too_large_for_it(kind, connect, asked, monkeypatch):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2000:
        pytest.skip(f"no more than {hard} descriptors are allowed here")
    reader, writer = connect()
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2000), hard))
    try:
        with kind() as selector:
            selector.register(reader, EVENT_READ)
            monkeypatch.setattr(
                seams.system, "dup", lambda fd: fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 1500)
            )
            started = time.monotonic()
            assert selector.select(0.05) == []
            assert time.monotonic() - started >= 0.05
            assert any(files and files[0] >= 1500 for files, _, _ in asked)
            assert len(asked) < 20  # a moment passes between two looks
            writer.send(b"x")
            assert len(selector.select(20)) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_who_is_waited_in_closes_the_selector(kind, connect, monkeypatch):
    def replacement(*how):
        selector.close()
        return [], [], []

    selector = kind()
    selector.register(connect()[0], EVENT_READ)
    monkeypatch.setattr(select, "select", replacement)
    with pytest.raises(ValueError, match="closed"):
        selector.select(20)


def test_a_replaced_primitive_closes_the_selector(connect, monkeypatch):
    class Poll:
        def register(self, fd, mask):
            pass

        def poll(self, timeout):
            if timeout == 0:
                return []
            selector.close()
            return [(reader.fileno(), 1)]

    reader, _ = connect()
    selector = coopselectors.PollSelector()
    selector.register(reader, EVENT_READ)
    monkeypatch.setattr(select, "poll", Poll)
    with pytest.raises(ValueError, match="closed"):
        selector.select(20)


def test_a_function_that_is_not_meant_to_be_called(connect, monkeypatch):
    def replacement(*how):
        raise NotImplementedError("not in this sandbox")

    reader, writer = connect()
    monkeypatch.setattr(select, "select", replacement)
    writer.send(b"x")
    for _ in range(2):
        assert coopselectors.select.select([reader], [], [], 20) == ([reader], [], [])


def test_of_several_events_as_many_as_were_asked_for(connect, monkeypatch):
    def replacement(*how):
        raise TypeError("it takes other arguments")

    monkeypatch.setattr(select, "select", replacement)
    with coopselectors.select.epoll() as epoll:
        for reader, writer in (connect(), connect()):
            epoll.register(reader, select.EPOLLIN)
            writer.send(b"x")
        assert len(epoll.poll(20, 1)) == 1
        assert len(epoll.poll(20)) == 2


def test_what_it_raises_comes_out_also_without_a_descriptor(kind, connect, monkeypatch):
    def replacement(*how):
        raise OSError(errno.EIO, "on purpose")

    with kind() as selector:
        selector.register(connect()[0], EVENT_READ)
        monkeypatch.setattr(select, "select", replacement)
        monkeypatch.setattr(seams.system, "dup", no_descriptor_left)
        with pytest.raises(OSError, match="on purpose"):
            selector.select(5)
        monkeypatch.undo()
