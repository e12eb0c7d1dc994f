"""What happens in races of a primitive's kernel object that no test can bring about from outside?

Here single parts are driven by hand, in the ordinary process.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from types import SimpleNamespace

import pytest

from coopselectors import _fork, _unpatched
from coopselectors import select as ours
from coopselectors._hubs import _deputy
from coopselectors._hubs._nest import KernelNest, Seat, open_nest
from coopselectors._pollers import doorbell
from coopselectors.select import _epoll, _files, _kqueue
from coopselectors.select._kernel import Asked
from support import standins

IN = 0x1

pytestmark = pytest.mark.epoll


class Keeper:
    """What a nest asks of an adapter, to no effect."""

    def call_soon(self, hub, function):
        raise AssertionError("there is a bell to ring")

    def report(self, hub, *error):
        raise AssertionError(error)


class Greenlet:
    """Enough of one for a seat: something to switch to."""

    def __init__(self, when_switched):
        self.switch = when_switched


@pytest.fixture
def nest():
    made = open_nest(Keeper(), "hub")
    assert isinstance(made, KernelNest)
    made.on_ready()  # answers the doorbell
    yield made
    made.close()


@pytest.fixture
def kernel():
    made = _epoll._Kernel(_unpatched.epoll())
    yield made
    made.close()


@pytest.fixture
def pipe():
    both = os.pipe()
    yield both
    for fd in both:
        os.close(fd)


class Native:
    """A native object that lets something happen just before it does what it is asked for."""

    def __init__(self, real, **happens):
        self._real = real
        self._happens = happens

    def __getattr__(self, name):
        happens = self._happens.get(name)
        if happens is not None:
            happens()
        return getattr(self._real, name)


def test_a_thread_that_comes_to_block_when_it_is_closed_already(kernel):
    kernel.close()
    started = time.monotonic()
    assert kernel.block(20) == []
    assert time.monotonic() - started < 5
    assert not kernel._blocked


def test_closed_by_another_thread_just_before_it_blocks(kernel, pipe):
    # and its number is another's at once
    real, closing, taken = kernel.native, [], []

    def close():
        number = real.fileno()
        kernel.close()
        taken.append(os.dup2(pipe[0], number))

    def fileno():
        number = real.fileno()
        if not closing:
            closing.append(threading.Thread(target=close))
            closing[0].start()
            closing[0].join(0.2)  # it may have to wait for us
        return number

    kernel.native = SimpleNamespace(
        fileno=fileno, close=real.close, register=real.register, poll=real.poll
    )
    started = time.monotonic()
    assert kernel.block(20) == []
    assert time.monotonic() - started < 10
    closing[0].join()
    os.close(taken.pop())


def test_closed_while_it_blocks_and_another_file_gets_the_number(kernel, pipe):
    # poll(2) looks at its descriptors again when it is woken
    number = kernel.native.fileno()
    real, same = kernel.native, _unpatched.epoll.fromfd(os.dup(number))

    def reuse_and_ring(on):
        os.dup2(pipe[0], number)
        same.register(doorbell(), IN)

    kernel.ring = reuse_and_ring
    kernel.native = SimpleNamespace(fileno=real.fileno, poll=real.poll, close=lambda: None)
    started = time.monotonic()
    thread = threading.Thread(target=kernel.block, args=(20,))
    thread.start()
    while not kernel._blocked:
        time.sleep(0.001)
    time.sleep(0.05)
    kernel.close()
    thread.join(30)
    assert time.monotonic() - started < 10
    real.close()  # what has the number by now
    same.close()


def test_who_is_woken_by_a_close_that_is_not_through_yet_is_not_told_of_the_doorbell(kernel):
    seen = []

    def look():
        try:
            seen.append(kernel.poll(0))
        except ValueError as error:
            seen.append(str(error))

    kernel._blocked[object()] = None
    kernel.native = Native(kernel.native, close=look)
    kernel.close()
    assert seen == ["I/O operation on closed epoll object"]
    with pytest.raises(ValueError, match="closed epoll"):
        kernel.wait_fd()


def test_a_call_back_that_comes_after_the_close(kernel):
    kernel.close()
    for on in (True, False):
        kernel.call_back(on)
    assert not kernel.called_back
    with pytest.raises(ValueError, match="closed epoll"):
        kernel.collect(0)


def test_of_several_who_are_called_back_the_last_takes_the_bell_out(kernel):
    for on, rings in ((True, 1), (True, 1), (False, 1), (False, 0), (True, 1), (False, 0)):
        kernel.call_back(on)
        assert len(kernel.native.poll(0)) == rings
        assert kernel.collect(0) == []
        assert (kernel.collect == kernel.native.poll) == (not rings)


def test_a_bell_that_cannot_be_rung_or_taken_out(kernel, monkeypatch):
    kernel.ring(False)
    monkeypatch.setattr(_epoll, "doorbell", lambda: 10_000)
    kernel.ring(True)
    kernel.ring(False)
    assert kernel.native.poll(0) == []


def test_what_the_kernel_refuses_while_another_thread_closes(kernel):
    refused = OSError(errno.EBADF, "Bad file descriptor")
    assert kernel.closed_or(refused) is refused
    kernel.close()
    assert type(kernel.closed_or(refused)) is ValueError


def test_closed_by_another_thread_while_the_kernel_is_asked(monkeypatch):
    epoll = ours.epoll()

    class Hub:
        def wait(self, waitable, seconds, deadline):
            epoll.close()
            raise OSError(errno.EBADF, "Bad file descriptor")

    way = SimpleNamespace(hub=Hub(), thread=SimpleNamespace(), select=None)
    asked = Asked(epoll._waitable, None)
    for waitable in (epoll._waitable, asked):
        with pytest.raises(ValueError, match="closed epoll"):
            ours._waiting.wait(way, waitable, 1)
    assert way.thread.hurry_until


def test_a_seat_that_is_taken_while_another_thread_makes_a_thread_necessary(nest, kernel, pipe):
    happens = []

    def register():
        if not happens:
            happens.append(1)
            kernel.native.register(pipe[0], IN | 1 << 28)
            kernel.note(pipe[0], IN | 1 << 28)

    nest._poller._epoll = Native(nest._poller._epoll, register=register)
    assert nest.seat(kernel).stale
    assert kernel.seats == {}
    assert nest._seats == {}
    assert nest.seat(kernel) is None
    assert kernel.needs_thread


def test_the_seats_of_two_for_one_descriptor(nest, kernel, pipe):
    same = SimpleNamespace(
        poll=kernel.native.poll, fileno=kernel.native.fileno, close=lambda: None
    )  # one of fromfd() closes the number, too
    others = [_epoll._Kernel(same, True) for _ in range(2)]
    seats = [nest.seat(each) for each in (kernel, *others)]
    assert len({seat.fd for seat in seats}) == 3
    assert seats[1].fd == others[0].wait_fd()  # once made, it stays
    kernel.native.register(pipe[0], IN)
    os.write(pipe[1], b"x")
    woken = []
    for seat in seats:
        seat.waiting[Greenlet(lambda seat=seat: woken.append(seat))] = None
    nest.on_ready()
    assert {*map(id, woken)} == {*map(id, seats)}
    for each in others:
        each._leave_nests()
    woken.clear()
    nest.trust = 0
    nest.on_ready()
    assert {*map(id, woken)} >= {id(seats[0])}
    number = others[0]._duplicate.fd
    others[0].close()
    with pytest.raises(OSError):
        os.fstat(number)


def test_where_there_is_no_descriptor_left_for_a_duplicate(kernel, monkeypatch):
    def full(fd):
        raise OSError(errno.EMFILE, "too many")

    another = _epoll._Kernel(_unpatched.epoll.fromfd(os.dup(kernel.native.fileno())), True)
    monkeypatch.setattr(_unpatched, "dup", full)
    with pytest.raises(OSError, match="too many"):
        another.wait_fd()
    with pytest.raises(OSError, match="too many"):
        kernel.block(20)
    monkeypatch.undo()
    assert another.wait_fd() != another.native.fileno()
    another.close()


def test_a_forked_child_forgets_its_parents_threads(kernel):
    kernel.call_back(True)
    kernel._blocked[object()] = None
    kernel.seats["nest"] = "seat"
    kernel.forked()
    assert not kernel._blocked
    assert not kernel.seats
    assert not kernel.called_back
    kernel.ring(False)
    native = kernel.native
    kernel.native = SimpleNamespace(poll=native.poll, close=lambda: None)
    kernel.close()  # rings at nobody: nothing here could
    assert native.poll(0) == []
    native.close()


def test_the_child_is_told_of_who_waits_in_a_thread_only(kernel, monkeypatch):
    told = []
    monkeypatch.setattr(_fork, "tell", told.append)
    kernel.block(0)
    assert told == [kernel]


def test_what_is_put_back(kernel, pipe):
    reader, writer = pipe
    ET, ONESHOT, EXCLUSIVE = 1 << 31, 1 << 30, 1 << 28
    os.write(writer, b"x")
    for extra in (ET, ONESHOT, ET | EXCLUSIVE):
        kernel.native.register(reader, IN | extra)
        kernel.note(reader, IN | extra)
        assert len(kernel.poll(0)) == 1
        assert kernel.poll(0) == []
        kernel.put_back([(reader, IN), (doorbell(), IN)])
        assert kernel.poll(0) == [(reader, IN)]
        assert kernel.poll(0) == []
        kernel.native.unregister(reader)
        kernel.put_back([(reader, IN)])  # unregistered meanwhile by another thread
        kernel.forget(reader)
    assert not kernel.needs_thread
    errand = _deputy.Errand(kernel, None, Seat(None))
    errand.pairs = [(reader, IN)]
    kernel.special[reader] = IN | ET
    kernel.close()
    _deputy._put_back(errand)


def test_a_kqueues_kernel_object(monkeypatch, pipe):
    monkeypatch.setattr(_unpatched, "kevent", standins.kevent)
    kernel = _kqueue._Kernel(standins.kqueue())
    reader, writer = pipe
    kernel.native.control([standins.kevent(reader, -1, 1)], 0)
    os.write(writer, b"x")
    kernel.call_back(True)
    assert [event.ident for event in kernel.collect(None, 10, 0)] == [reader]
    assert {event.ident for event in kernel.native.control(None, 10, 0)} == {reader, doorbell()}
    kernel.call_back(False)
    assert kernel.collect == kernel.native.control
    kernel.ring(False)
    assert [event.ident for event in kernel.native.control(None, 10, 0)] == [reader]
    assert kernel.poll(0) == []
    kernel.close()
    with pytest.raises(ValueError, match="closed kqueue"):
        kernel.collect(None, 10, 0)


def test_files_whose_companion_is_dismissed_by_another_thread(pipe):
    reader, _ = pipe
    files = _files.Files()
    files.fill({reader: IN})
    companion = files._make_companion()
    companion.close()
    files.fill({reader: IN})
    assert not files.refused
    files._dismiss()
    files.fill({})
    files.close()
