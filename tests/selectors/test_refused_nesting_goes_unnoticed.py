"""What if the kernel refuses to nest a selector?  Its files are watched one by one."""

from __future__ import annotations

import os
import time
from posix import close
from unittest import mock

import pytest

from coopselectors import EVENT_READ, EVENT_WRITE
from support import native, seams

pytestmark = [pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")]
epoll_only = pytest.mark.classes("EpollSelector")


@pytest.mark.pollable
@pytest.mark.classes("EpollSelector", "PollSelector", "SelectSelector")
def test_more_selectors_on_one_file_than_the_kernel_allows(runtime, Selector):
    reader, writer = os.pipe()
    made = [Selector() for _ in range(150)]
    for selector in made:
        selector.register(reader, EVENT_READ)
    tasks = [runtime.spawn(selector.select, 60) for selector in made]
    runtime.sleep(0.1)
    runtime.settle()
    assert runtime.is_idle()
    os.write(writer, b"x")
    for task in tasks:
        assert len(runtime.join(task)) == 1
    for selector in made:
        assert selector.select(0)
        selector.close()
    close(reader)
    close(writer)


@pytest.mark.classes("DefaultSelector")
def test_two_thousand_greenlets_each_with_its_own_selector_on_one_pipe(runtime, Selector):
    # eventlet's hub with select(2) takes no descriptor from 1024 on, whoever gives it one
    number = 400 if os.environ.get("EVENTLET_HUB") == "selects" else 2000
    reader, writer = os.pipe()
    tasks = []

    def wait():
        with Selector() as selector:
            selector.register(reader, EVENT_READ)
            return len(selector.select(60))

    tasks = [runtime.spawn(wait) for _ in range(number)]
    runtime.settle()
    assert runtime.is_idle()
    os.write(writer, b"x")
    assert [runtime.join(task) for task in tasks] == [1] * number
    close(reader)
    close(writer)


@epoll_only
def test_a_register_refused_only_because_of_nesting(runtime, Selector):
    reader, writer = os.pipe()
    other, other_writer = os.pipe()
    made = [Selector() for _ in range(150)]
    for selector in made:
        selector.register(other, EVENT_READ)
    tasks = [runtime.spawn(selector.select, 30) for selector in made[:90]]
    runtime.sleep(0.05)
    late = [Selector() for _ in range(150)]
    tasks += [runtime.spawn(selector.select, 30) for selector in late]
    runtime.sleep(0.05)
    for selector in made[:90] + late:  # each of these is held by the nest already
        selector.register(reader, EVENT_READ)
    os.write(writer, b"x")
    for task in tasks:
        [(key, events)] = runtime.join(task)
        assert (key.fd, events) == (reader, EVENT_READ)
    for selector in made + late:
        selector.close()
    for fd in (reader, writer, other, other_writer):
        close(fd)


@pytest.fixture
def refused(runtime, selector, refuse_nesting):
    """A selector that the kernel refuses to nest."""
    refuse_nesting(selector)
    runtime.introduce(selector)  # it is refused now
    return selector


def test_file_by_file_everything_works_as_ever(runtime, refused, connect):
    reader, writer = connect()
    other, peer = connect()
    key = refused.register(reader, EVENT_READ)
    before = len(runtime.descriptors())
    for timeout in (None, 20):
        task = runtime.spawn(writer.send, b"x")
        runtime.sleep(0)
        reader.recv(1)
        runtime.join(task)
        task = runtime.spawn(lambda: (runtime.sleep(0.01), writer.send(b"x")))
        assert refused.select(timeout) == [(key, EVENT_READ)]
        runtime.join(task)
        reader.recv(1)
    started = time.monotonic()
    assert refused.select(0.02) == []
    assert time.monotonic() - started >= 0.02

    # what changes meanwhile takes effect at once
    peer.send(b"x")
    task = runtime.spawn(lambda: refused.register(other, EVENT_READ))
    assert [k.fileobj for k, _ in refused.select(20)] == [other]
    runtime.join(task)
    refused.unregister(other)
    task = runtime.spawn(lambda: (runtime.sleep(0.01), refused.modify(reader, EVENT_WRITE)))
    assert [events for _, events in refused.select(20)] == [EVENT_WRITE]
    runtime.join(task)
    refused.modify(reader, EVENT_READ)
    refused.register(other, EVENT_READ | EVENT_WRITE)
    other.recv(1)
    task = runtime.spawn(lambda: (runtime.sleep(0.01), refused.unregister(other)))
    assert len(refused.select(20)) == 1
    runtime.join(task)
    assert len(runtime.descriptors()) <= before  # less, if others of earlier tests were collected


def test_file_by_file_closing(runtime, refused, connect):
    refused.register(connect()[0], EVENT_READ)
    task = runtime.spawn(refused.select)
    runtime.sleep(0.01)
    refused.close()
    with pytest.raises(ValueError, match="closed"):
        runtime.join(task)


@epoll_only
def test_file_by_file_a_closed_file_is_passed_over(runtime, refused, connect):
    reader, writer = connect()
    victim = os.dup(reader.fileno())
    refused.register(victim, EVENT_READ)
    key = refused.register(writer, EVENT_READ)
    close(victim)
    assert refused.select(0.01) == []
    task = runtime.spawn(reader.send, b"x")
    assert refused.select(20) == [(key, EVENT_READ)]
    runtime.join(task)


@pytest.mark.runtimes("eventlet")
@epoll_only
def test_file_by_file_a_failure_leaves_no_listener(runtime, refused, connect):
    reader, _ = connect()
    refused.register(reader, EVENT_READ | EVENT_WRITE)
    reader_full = connect()[0]
    refused.modify(reader, EVENT_READ)
    assert refused.select(0.001) == []
    hub = runtime.hub()
    before = {kind: dict(bucket) for kind, bucket in hub.listeners.items()}
    descriptors = len(runtime.descriptors())

    def no_space(direction, fd, *arguments, real=hub.add):
        real(direction, fd, *arguments)  # so does eventlet where its epoll refuses a file
        if fd not in before[hub.READ]:
            raise OSError(28, "no space")

    failing = mock.patch.object(hub, "add", side_effect=no_space)
    with failing, pytest.raises(OSError, match="no space"):
        refused.select(1)
    after = {kind: dict(bucket) for kind, bucket in hub.listeners.items()}
    assert after == before
    assert len(runtime.descriptors()) == descriptors
    reader_full.close()


@epoll_only
def test_a_selector_in_a_selector_in_a_selector(runtime, Selector, connect):
    reader, writer = connect()
    chain = [Selector()]
    chain[0].register(reader, EVENT_READ)
    failed = None
    for depth in range(8):
        outer = Selector()
        try:
            outer.register(chain[-1], EVENT_READ)
        except OSError as error:
            failed = error
            outer.close()
            break
        chain.append(outer)
    assert failed is not None  # epoll_ctl(2): ELOOP or EINVAL
    tasks = [runtime.spawn(selector.select, 20) for selector in chain]
    runtime.sleep(0.02)
    writer.send(b"x")
    for task in tasks:
        assert len(runtime.join(task)) == 1
    for selector in chain:
        selector.close()


@epoll_only
def test_a_cycle_of_selectors_is_an_ordinary_error(runtime, Selector):
    with Selector() as one, Selector() as other:
        one.register(other, EVENT_READ)
        with pytest.raises(OSError):
            other.register(one, EVENT_READ)
        assert one.select(0.01) == []
        assert other.select(0.01) == []


@pytest.mark.classes("PollSelector", "SelectSelector")
def test_without_any_primitive_that_has_a_descriptor(runtime, Selector, connect):
    reader, writer = connect()
    with mock.patch.object(seams.platform, "epoll", None), Selector() as selector:
        key = selector.register(reader, EVENT_READ)
        task = runtime.spawn(lambda: (runtime.sleep(0.01), writer.send(b"x")))
        assert selector.select(20) == [(key, EVENT_READ)]
        runtime.join(task)


@pytest.mark.pollable
@pytest.mark.classes("PollSelector", "SelectSelector")
@pytest.mark.epoll
def test_a_file_that_no_epoll_can_hold(runtime, selector, connect):
    """Chains of epolls may be five deep, and poll(2) waits for the last of them all the same."""
    reader, writer = connect()
    idle, _ = connect()
    selector.register(idle, EVENT_READ)
    assert selector.select(0.02) == []
    chain = [native.real_epoll() for _ in range(5)]
    for outer, inner in zip(chain, [*(each.fileno() for each in chain[1:]), reader.fileno()]):
        outer.register(inner, 1)
    key = selector.register(chain[0], EVENT_READ)
    assert selector.select(0.02) == []
    task = runtime.spawn(lambda: (runtime.sleep(0.01), writer.send(b"x")))
    assert selector.select(20) == [(key, EVENT_READ)]
    runtime.join(task)
    selector.unregister(chain[0])
    for each in chain:
        each.close()


@pytest.mark.classes("SelectSelector")
def test_a_number_that_no_file_can_have(runtime, selector, connect):
    selector.register(connect()[0], EVENT_READ)
    task = runtime.spawn(selector.select, 20)
    runtime.sleep(0.02)
    selector.register(2**40, EVENT_READ)
    with pytest.raises((OverflowError, ValueError)):
        runtime.join(task)
    selector.unregister(2**40)
    assert selector.select(0.02) == []
