"""Are extra events, beyond READ and WRITE, requested from the kernel and reported correctly?"""

from __future__ import annotations

import copy
import os
import pickle
import socket
import sys
import time
from posix import close  # gevent's puts the real one off

import pytest

import coopselectors
from coopselectors import EVENT_READ, EVENT_WRITE, Events, SelectorKey
from support import standins

BOTH = EVENT_READ | EVENT_WRITE

# <sys/epoll.h>, <poll.h>, <sys/event.h>: the interpreter names what the platform has.
IN, PRI, OUT, HUP, RDHUP = 0x1, 0x2, 0x4, 0x10, 0x2000
EXCLUSIVE, WAKEUP, ONESHOT, ET = 1 << 28, 1 << 29, 1 << 30, 1 << 31
EV_ONESHOT, EV_CLEAR = standins.KQ_EV_ONESHOT, standins.KQ_EV_CLEAR

with_masks = pytest.mark.classes("EpollSelector", "PollSelector", "DevpollSelector")
with_edges = pytest.mark.classes("EpollSelector", "KqueueSelector")
epoll_only = pytest.mark.classes("EpollSelector")
hubs_only = pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")


@pytest.fixture
def edge(Selector):
    """What makes a file of this class tell of changes only."""
    return ET if Selector is getattr(coopselectors, "EpollSelector", None) else EV_CLEAR


@pytest.fixture
def one_shot(Selector):
    return ONESHOT if Selector is getattr(coopselectors, "EpollSelector", None) else EV_ONESHOT


@pytest.fixture
def tcp():
    """Two connected TCP sockets: others have no urgent data."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        other, _ = server.accept()
    with one, other:
        yield one, other


def told(selector, timeout=0):
    """What one call says: ``{descriptor: (events, native mask)}``."""
    return {
        key.fd: (int(events), getattr(events, "native", None))
        for key, events in selector.select(timeout)
    }


# -- what may be asked for


BAD = [
    ("SelectSelector", 1, ET, "0x80000000 is EPOLLET of EpollSelector"),
    ("SelectSelector", 1, PRI, "0x2 is EPOLLPRI of EpollSelector"),
    ("PollSelector", 1, ET, "0x80000000 is EPOLLET of EpollSelector"),
    ("PollSelector", 1, PRI | EXCLUSIVE, "0x10000000 is EPOLLEXCLUSIVE of EpollSelector"),
    ("PollSelector", 1, OUT, "is what EVENT_READ and EVENT_WRITE in `events` are for"),
    ("DevpollSelector", 1, ONESHOT, "0x40000000 is EPOLLONESHOT of EpollSelector"),
    ("EpollSelector", 1, 1 << 20, "0x100000 is no extra event of any class"),
    ("EpollSelector", 1, IN, "is what EVENT_READ and EVENT_WRITE in `events` are for"),
    ("EpollSelector", 1, -1, "extra_events=-1: it is negative"),
    ("EpollSelector", 1, EXCLUSIVE | ONESHOT, "cannot be combined with EPOLLONESHOT"),
    ("EpollSelector", 1, EXCLUSIVE | RDHUP, "cannot be combined with EPOLLRDHUP"),
    ("EpollSelector", 4, ET, "Invalid events: 4"),
    ("EpollSelector", 0, 0, "Invalid events: 0"),
    ("KqueueSelector", 1, ET, "0x80000000 is EPOLLET of EpollSelector"),
    ("KqueueSelector", 0, EV_CLEAR, "need EVENT_READ or EVENT_WRITE"),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: f"{bad[0]}-{bad[1]}-{bad[2]:#x}")
def test_a_refused_event_is_explained(runtime, connect, bad):
    name, events, extra, words = bad
    Class = getattr(coopselectors, name, None)
    if Class is None:
        pytest.skip(f"this platform has no {name}")
    reader, writer = connect()
    writer.send(b"x")
    with Class() as selector:
        with pytest.raises(ValueError) as caught:
            selector.register(reader, events, extra_events=extra)
        assert words in str(caught.value)
        assert dict(selector.get_map()) == {}
        assert selector.select(0) == []  # nor is anything left in the kernel
        key = selector.register(reader, EVENT_READ, "kept")
        with pytest.raises(ValueError) as caught:
            selector.modify(reader, events, extra_events=extra)
        assert words in str(caught.value)
        assert selector.select(1) == [(key, EVENT_READ)]


def test_other_numbers_are_a_type_error(runtime, selector, connect):
    reader, _ = connect()
    with pytest.raises(TypeError):
        selector.register(reader, EVENT_READ, extra_events="EPOLLET")
    with pytest.raises(TypeError):
        selector.register(reader, EVENT_READ, None, ET)  # it has to be named
    assert dict(selector.get_map()) == {}


def test_without_extra_events_the_results_are_as_before(runtime, selector, connect):
    reader, writer = connect()
    key = selector.register(reader, BOTH, "data", extra_events=0)
    writer.send(b"x")
    assert type(key) is SelectorKey
    for _ in range(2):
        [(found, events)] = selector.select(1)
        assert (found, events) == (key, BOTH)
        assert type(events) is int
    assert selector.modify(reader, BOTH, "data", extra_events=0) is key


def test_the_events_are_an_int_that_knows_more():
    events = Events(EVENT_READ, 0x2001)
    assert events == EVENT_READ
    assert isinstance(events, int)
    assert events & EVENT_READ
    assert not events & EVENT_WRITE
    assert {EVENT_READ: "found"}[events] == "found"
    assert (events.native, events.kevent) == (0x2001, None)
    assert repr(events) == "Events(1, native=0x2001)"
    assert str(events) == f"{events}" == "1"
    for twin in (copy.copy(events), pickle.loads(pickle.dumps(events))):
        assert (twin, twin.native, twin.kevent) == (events, 0x2001, None)


# -- what poll(2), /dev/poll and epoll(7) say of it


@with_masks
def test_a_peer_that_will_send_no_more(runtime, selector, connect):
    reader, writer = connect()
    key = selector.register(reader, EVENT_WRITE, "data", extra_events=RDHUP)
    assert (key.fileobj, key.events, key.data, key.extra_events) == (
        reader,
        EVENT_WRITE,
        "data",
        RDHUP,
    )
    assert selector.get_key(reader) is key
    assert told(selector, 1) == {reader.fileno(): (EVENT_WRITE, OUT)}
    writer.shutdown(socket.SHUT_WR)
    assert told(selector, 1) == {reader.fileno(): (EVENT_WRITE, OUT | RDHUP)}
    selector.modify(reader, EVENT_READ, extra_events=RDHUP)
    assert told(selector, 1) == {reader.fileno(): (EVENT_READ, IN | RDHUP)}
    selector.modify(reader, 0, extra_events=RDHUP)
    assert told(selector, 1) == {reader.fileno(): (0, RDHUP)}
    selector.modify(reader, EVENT_WRITE)
    [(key, events)] = selector.select(1)
    assert type(key) is SelectorKey
    assert type(events) is int
    selector.unregister(reader)


@with_masks
@pytest.mark.parametrize("timeout", [None, 20])
def test_an_extra_event_alone_wakes_a_waiter(runtime, selector, tcp, timeout):
    reader, writer = tcp
    selector.register(reader, 0, extra_events=PRI)
    assert selector.select(0.02) == []
    for _ in range(3):
        task = runtime.spawn(lambda: (runtime.sleep(0.03), writer.send(b"!", socket.MSG_OOB)))
        assert told(selector, timeout) == {reader.fileno(): (0, PRI)}
        runtime.join(task)
        assert reader.recv(1, socket.MSG_OOB) == b"!"
        assert selector.select(0.001) == []


@with_masks
def test_urgent_data_is_not_readable_data(runtime, selector, tcp):
    reader, writer = tcp
    selector.register(reader, EVENT_READ, extra_events=PRI)
    writer.send(b"!", socket.MSG_OOB)
    assert told(selector, 10) == {reader.fileno(): (0, PRI)}
    writer.send(b"x")
    while told(selector, 1) != {reader.fileno(): (EVENT_READ, IN | PRI)}:
        runtime.sleep(0.001)


@with_masks
def test_a_hang_up_is_always_reported(runtime, selector):
    reader, writer = os.pipe()
    plain, plain_writer = os.pipe()
    selector.register(reader, 0, extra_events=HUP)
    selector.register(plain, EVENT_READ, extra_events=PRI)
    assert selector.select(0.01) == []
    task = runtime.spawn(lambda: (runtime.sleep(0.02), close(writer), close(plain_writer)))
    found = {}
    while len(found) < 2:
        found.update(told(selector, 20))
    runtime.join(task)
    # HUP counts as what was asked for, in `events` too
    assert found == {reader: (0, HUP), plain: (EVENT_READ, HUP)}
    os.close(reader)
    os.close(plain)


@with_masks
@hubs_only
def test_file_by_file_the_extra_events_are_looked_for(
    runtime, selector, tcp, connect, refuse_nesting
):
    # where the kernel does not nest, hubs are asked to watch files, and know READ and WRITE only
    reader, writer = tcp
    other, peer = connect()
    refuse_nesting(selector)
    selector.register(reader, 0, extra_events=PRI)
    selector.register(other, EVENT_READ)
    task = runtime.spawn(lambda: (runtime.sleep(0.05), writer.send(b"!", socket.MSG_OOB)))
    started = time.monotonic()
    assert told(selector, 20) == {reader.fileno(): (0, PRI)}
    assert time.monotonic() - started < 10
    runtime.join(task)
    reader.recv(1, socket.MSG_OOB)
    started = time.monotonic()
    assert selector.select(0.1) == []
    assert time.monotonic() - started >= 0.1
    task = runtime.spawn(lambda: (runtime.sleep(0.01), peer.send(b"x")))
    assert told(selector, 20) == {other.fileno(): (EVENT_READ, None)}
    runtime.join(task)


# -- changes only, and once only


@with_edges
@pytest.mark.parametrize("timeout", [0, 0.02])
def test_an_edge_is_reported_once(runtime, selector, connect, edge, timeout):
    reader, writer = connect()
    fd = reader.fileno()
    selector.register(reader, EVENT_READ, extra_events=edge)
    for _ in range(3):
        writer.send(b"x")
        [(key, events)] = selector.select(timeout or 1)
        assert (key.fd, events) == (fd, EVENT_READ)
        assert selector.select(timeout) == []
    task = runtime.spawn(lambda: (runtime.sleep(0.02), writer.send(b"x")))
    assert list(told(selector, 20)) == [fd]  # news, although there was something to read before
    runtime.join(task)
    assert selector.select(timeout) == []
    selector.modify(reader, EVENT_READ, extra_events=edge)
    assert list(told(selector, 1)) == [fd]  # it is looked at anew
    selector.modify(reader, EVENT_READ)
    assert list(told(selector, 1)) == list(told(selector, 1)) == [fd]


@with_edges
@pytest.mark.parametrize("timeout", [0, 0.02])
def test_a_one_shot_event_fires_once_until_it_is_re_armed(
    runtime, selector, connect, one_shot, timeout
):
    reader, writer = connect()
    fd = reader.fileno()
    selector.register(reader, EVENT_READ, "data", extra_events=one_shot)
    for _ in range(3):
        writer.send(b"x")
        assert list(told(selector, 1)) == [fd]
        writer.send(b"x")
        assert selector.select(timeout) == []
        assert selector.get_key(reader).data == "data"
        selector.modify(reader, EVENT_READ, "data", extra_events=one_shot)
        assert list(told(selector, 1)) == [fd]
        reader.recv(10)
        selector.modify(reader, EVENT_READ, "data", extra_events=one_shot)
    assert selector.unregister(reader).data == "data"
    selector.register(reader, EVENT_READ)
    writer.send(b"x")
    assert list(told(selector, 1)) == list(told(selector, 1)) == [fd]


@with_edges
@hubs_only
def test_only_one_of_two_waiters_gets_the_event(runtime, selector, connect, one_shot):
    reader, writer = connect()
    selector.register(reader, EVENT_READ, extra_events=one_shot)
    tasks = [runtime.spawn(told, selector, 1) for _ in range(2)]
    runtime.sleep(0.05)
    writer.send(b"x")
    found = [runtime.join(task) for task in tasks]
    assert sorted(map(len, found)) == [0, 1]


@pytest.fixture
def a_stranger(connect):
    """Makes a selector's kernel report a file that is closed, and that nobody can name any more."""
    survivors = []

    def make(selector):
        lost, peer = connect()
        fd = selector.register(lost.fileno(), EVENT_READ).fd
        peer.send(b"x")
        survivors.append(os.dup(fd))
        lost.close()
        selector.unregister(fd)

    yield make
    for survivor in survivors:
        os.close(survivor)


@pytest.mark.epoll
@epoll_only
@pytest.mark.parametrize("extra", [ET, ONESHOT, ET | ONESHOT])
def test_a_change_is_not_lost_with_what_else_came(runtime, selector, connect, a_stranger, extra):
    reader, writer = connect()
    fd = reader.fileno()
    selector.register(reader, EVENT_READ, extra_events=extra)
    a_stranger(selector)
    writer.send(b"x")
    assert told(selector, 1) == {fd: (EVENT_READ, IN)}
    assert selector.select(0.01) == []
    a_stranger(selector)
    writer.send(b"x")
    again = {} if extra & ONESHOT else {fd: (EVENT_READ, IN)}
    assert told(selector, 0.01) == again
    assert selector.select(0.01) == []
    selector.modify(reader, EVENT_READ, extra_events=extra)
    assert told(selector, 1) == {fd: (EVENT_READ, IN)}
    selector.unregister(reader)
    selector.register(reader, EVENT_READ, extra_events=extra)
    assert told(selector, 1) == {fd: (EVENT_READ, IN)}


@pytest.mark.epoll
@epoll_only
def test_a_number_in_doubt_is_cleared_before_it_is_asked_more_of(
    runtime, selector, connect, a_stranger
):
    reader, writer = connect()
    selector.register(reader, EVENT_READ)
    a_stranger(selector)
    other, _ = connect()  # has the stranger's number
    selector.register(other, EVENT_READ, extra_events=ONESHOT)
    assert selector.select(0.01) == []
    a_stranger(selector)
    selector.modify(reader, EVENT_READ, extra_events=ET)
    writer.send(b"x")
    assert told(selector, 1) == {reader.fileno(): (EVENT_READ, IN)}
    assert selector.select(0.01) == []


@pytest.mark.epoll
@epoll_only
def test_two_hundred_edges_are_reported_in_one_call(runtime, selector, connect):
    pairs = [connect() for _ in range(200)]
    for reader, writer in pairs:
        selector.register(reader, EVENT_READ, extra_events=ET)
        writer.send(b"x")
    assert sorted(told(selector, 1)) == sorted(reader.fileno() for reader, _ in pairs)
    assert selector.select(0.01) == []


@with_edges
@hubs_only
def test_files_watched_one_by_one_report_a_change_once(
    runtime, selector, connect, refuse_nesting, edge, one_shot
):
    (reader, writer), (other, peer) = connect(), connect()
    refuse_nesting(selector)
    selector.register(reader, EVENT_READ, extra_events=edge)
    selector.register(other, EVENT_READ, extra_events=one_shot)
    for _ in range(3):
        task = runtime.spawn(lambda: (runtime.sleep(0.033), writer.send(b"x")))
        assert list(told(selector, 20)) == [reader.fileno()]
        runtime.join(task)
    task = runtime.spawn(lambda: (runtime.sleep(0.033), peer.send(b"x")))
    assert list(told(selector, 20)) == [other.fileno()]
    runtime.join(task)
    assert selector.select(0.05) == []
    assert runtime.cost_of_waiting_in(selector) < 0.05


@pytest.mark.epoll
@epoll_only
@pytest.mark.parametrize("extra", [ET, ONESHOT])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*fork")
def test_a_forked_child_sees_edges_again_but_no_fired_one_shot(
    runtime, selector, connect, in_child, extra
):
    (reader, writer), (other, peer), (first, a), (last, b) = (connect() for _ in range(4))
    for file in (reader, other, first, last):
        selector.register(file, EVENT_READ, extra_events=extra)
    for end in (writer, a, b):
        end.send(b"x")
    assert sorted(told(selector, 1)) == sorted(file.fileno() for file in (reader, first, last))
    peer.send(b"x")

    def child():
        selector.unregister(first)  # before there is a kernel object of its own, and after
        found = sorted(set(told(selector, 5)) - {last.fileno()})
        selector.unregister(last)
        selector.modify(reader, EVENT_READ, extra_events=extra)
        again = list(told(selector, 5))
        return found, again, selector.select(0)

    unspent = [other.fileno()] if extra == ONESHOT else sorted([reader.fileno(), other.fileno()])
    assert in_child(child)() == (unspent, [reader.fileno()], [])
    assert list(told(selector, 5)) == [other.fileno()]  # the parent's is still to come
    assert selector.select(0) == []


@pytest.mark.epoll
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it is a file of Linux")
@pytest.mark.classes("PollSelector")
def test_a_file_that_reports_to_the_first_that_asks(runtime, selector, connect):
    with open("/proc/self/mounts") as mounts:
        key = selector.register(mounts, EVENT_READ, extra_events=PRI)
        assert [each for each, _ in selector.select(5)] == [key]
        selector.unregister(mounts)
        number = os.dup(mounts.fileno())
    os.close(number)
    selector.register(number, EVENT_READ, extra_events=PRI)  # poll(2) takes it
    selector.unregister(number)
    reader, writer = connect()
    key = selector.register(reader, EVENT_READ)
    writer.send(b"x")
    assert [each for each, _ in selector.select(5)] == [key]
