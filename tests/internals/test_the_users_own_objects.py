"""Is an object that was handed out as the user's own left alone, whatever others do to it?

Private, because somebody has to come in between two lines, or to close a descriptor that only the
package knows.
"""

from __future__ import annotations

import os
import select

import pytest

import coopselectors
import coopselectors.select as ours
from coopselectors._pollers import _poller
from support import TESTS

pytestmark = pytest.mark.epoll


@pytest.fixture
def epoll():
    with ours.epoll() as made:
        yield made


def test_nobody_is_told_of_the_file_that_wakes_a_thread(epoll, connect):
    reader, writer = connect()
    epoll.register(reader, select.EPOLLIN)
    poller = epoll._poller
    poller.cancel_block(True)
    assert poller.collect(0, 10) == []
    writer.send(b"x")
    assert poller.collect(0, 10) == [(reader.fileno(), select.EPOLLIN)]
    poller.cancel_block(False)


def test_nobody_is_told_of_it_while_another_thread_is_woken(epoll, monkeypatch):
    poller = epoll._poller
    usual = poller.backend.collect

    def collect(*how):
        poller.cancel_block(True)
        try:
            return usual(*how)
        finally:
            poller.cancel_block(False)

    monkeypatch.setattr(poller.backend, "collect", collect)
    assert epoll.poll(0) == []
    assert poller.collect(0, 10) == []


def test_nobody_is_told_of_it_before_it_is_taken_out(epoll, monkeypatch):
    poller = epoll._poller
    seen = []
    usual = poller.notify

    def notify(on):
        usual(on)
        seen.append((on, poller.cancelled))

    monkeypatch.setattr(poller, "notify", notify)
    for on in (True, True, False, False):
        poller.cancel_block(on)
    assert seen == [(True, 1), (True, 2), (False, 1)]
    assert not poller.cancelled


def test_nobody_is_told_of_a_selectors():
    with coopselectors.EpollSelector() as selector:
        selector._poller.cancel_block(True)
        assert selector._selector._poller.collect(0, 10) == []
        selector._poller.cancel_block(False)


def test_nobody_is_told_of_it_by_a_kqueue_either(run_python):
    run_python(
        """
        import select, socket, sys
        sys.path.insert(0, sys.argv[1])
        from support import standins
        standins.install("kqueue")
        import coopselectors.select as ours
        reader, writer = socket.socketpair()
        made = ours.kqueue()
        change = select.kevent(reader.fileno(), select.KQ_FILTER_READ, select.KQ_EV_ADD)
        assert made.control([change], 0) == []
        poller = made._poller
        poller.cancel_block(True)
        assert poller.collect(None, 10, 0) == []
        writer.send(b"x")
        assert [event.ident for event in poller.collect(None, 10, 0)] == [reader.fileno()]
        poller.cancel_block(False)
        """,
        str(TESTS),
    )


def test_an_edge_of_a_file_that_was_closed_is_not_given_back(epoll, connect):
    reader, _ = connect()
    fd = reader.fileno()
    epoll.register(fd, select.EPOLLIN | select.EPOLLET)
    reader.close()
    assert epoll._poller.give_back([(fd, select.EPOLLIN)]) == []


def test_one_that_was_closed_wakes_its_thread_and_is_told_nothing_more(epoll, monkeypatch):
    poller = epoll._poller
    epoll.close()
    assert poller.block(60) == []

    def fail():
        raise OSError(24, "no descriptor left")

    monkeypatch.setattr(_poller, "wakeup_fd", fail)
    poller.cancel_block(True)
    assert not poller.cancelled


def test_a_thread_cannot_be_woken_if_no_descriptor_is_left(epoll, monkeypatch):
    def fail():
        raise OSError(24, "no descriptor left")

    monkeypatch.setattr(_poller, "wakeup_fd", fail)
    epoll._poller.notify(True)
    assert epoll.poll(0) == []  # and nothing was added


def test_who_has_left_already_need_not_leave(epoll):
    epoll._poller.prepare()
    epoll._poller.leave(object())
    assert not epoll._poller.waiters


def duplicate_of(poller):
    return poller.descriptor()


def test_a_duplicate_that_somebody_has_closed_is_not_closed_again(epoll, connect):
    reader, _ = connect()
    shared = ours.epoll.fromfd(os.dup(epoll.fileno()))
    number = duplicate_of(shared._poller)
    assert number != shared.fileno()
    os.dup2(reader.fileno(), number)
    os.set_blocking(number, True)
    shared.close()
    os.fstat(number)
    os.close(number)


def test_a_primitive_of_a_selector_goes_without_a_trace(connect):
    with coopselectors.EpollSelector() as selector:
        selector.register(connect()[0], coopselectors.EVENT_READ)
        primitive = selector._selector
        number = duplicate_of(primitive._poller)
        os.fstat(number)
        del primitive
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(number)
        assert selector.select(0) == []
