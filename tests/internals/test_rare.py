"""What happens in races and refusals that no test can bring about from outside?

Here single parts are driven by hand, in the ordinary process.
"""

from __future__ import annotations

import errno
import gc
import os
import socket
import sys
import tempfile
from selectors import EVENT_READ, EVENT_WRITE, SelectorKey
from types import SimpleNamespace
from unittest import mock

import pytest

from coopselectors import _fork, _unpatched
from coopselectors._hubs._cooperative import CooperativeHub
from coopselectors._hubs._ends import Tenancies, Tenancy
from coopselectors._hubs._nest import KernelNest, Nest, Pulse, Seat, open_nest
from coopselectors._pollers import (
    DevpollPoller,
    EpollPoller,
    KqueuePoller,
    PollPoller,
    _companion,
    _doorbell,
    open_pollable,
)
from coopselectors._ready import Answers
from support import standins


class Greenlet:
    """Enough of one for a seat: something to switch to."""

    def __init__(self, when_switched):
        self.switch = when_switched


def full(*_):
    raise OSError(errno.EMFILE, "too many")


@pytest.fixture
def reported(keeper):
    return keeper.reported


class Keeper:
    """What a nest asks of an adapter, written down."""

    def __init__(self):
        self.asked, self.reported, self.anew = [], [], []

    def call_soon(self, hub, function):
        self.asked.append(function)

    def report(self, hub, *error):
        self.reported.append(error)

    def watch_anew(self, hub):
        self.anew.append(hub)


@pytest.fixture
def keeper():
    return Keeper()


@pytest.fixture
def nest(keeper):
    made = open_nest(keeper, "hub")
    assert isinstance(made, KernelNest)
    return made


def test_a_greenlet_that_fails_is_reported_and_the_next_is_woken(nest, reported):
    woken = []

    def fail():
        raise ZeroDivisionError

    seat = Seat(nest)
    failing = Greenlet(fail)
    seat.waiting = {failing: None, Greenlet(lambda: woken.append(1)): None}
    seat.wake()
    assert woken == [1]
    [(culprit, kind, error, _)] = reported
    assert culprit is failing
    assert kind is type(error) is ZeroDivisionError


def test_a_greenlet_that_an_earlier_one_killed_is_not_switched_to(nest):
    woken = []
    seat = Seat(nest)
    second = Greenlet(lambda: woken.append(2))
    seat.waiting = {Greenlet(lambda: seat.waiting.pop(second)): None, second: None}
    seat.wake()
    assert woken == []


def test_a_seat_that_an_earlier_one_took_away_is_passed_over(nest, reported):
    nest.on_ready()  # answers the doorbell
    reader, writer = socket.socketpair()
    pollers = [EpollPoller({reader.fileno(): None}) for _ in range(2)]
    seats = [nest.seat(poller) for poller in pollers]
    for poller in pollers:
        poller.register(reader.fileno(), EVENT_READ)
    writer.send(b"x")
    # whichever comes first closes the other
    for seat, other in zip(seats, reversed(pollers)):
        seat.waiting[Greenlet(other.close)] = None
    nest.on_ready()
    assert reported == []
    assert len(nest._seats) == 1
    for sock in (reader, writer):
        sock.close()


def test_muting_what_another_thread_has_just_closed(nest):
    seat = Seat(nest, fd=10_000)
    nest._mute(seat)
    assert seat.muted


def test_an_exception_on_its_way_out_loses_no_wake_up(nest, reported):
    class Interrupted(Seat):
        def wake(self):
            raise KeyboardInterrupt

    nest.threshold = None
    nest._to_wake.append(Interrupted(nest))
    nest.on_ready()
    assert reported[0][:2] == (None, KeyboardInterrupt)
    woken = []
    nest._to_wake[0] = Seat(nest)
    nest._to_wake[0].waiting[Greenlet(lambda: woken.append(1))] = None
    nest.on_ready()  # the doorbell was rung again
    assert woken == [1]


def test_the_doorbell_may_be_rung_twice(nest):
    nest._ring()
    nest._ring()
    nest.on_ready()
    assert nest._poller.poll(0) == []


def test_without_a_kernel_object_the_hub_is_asked_to_wake():
    keeper = Keeper()
    nest = Nest(keeper, None)
    seat = Seat(nest)
    nest.wake_soon(seat)
    assert keeper.asked == [seat.wake]
    assert nest.seat(None) is None


@pytest.mark.parametrize(
    ("code", "refused"),
    [
        (errno.EPERM, False),
        (errno.EBADF, False),
        (errno.ENOSPC, True),
        (errno.EINVAL, True),
        (errno.ENOMEM, True),
    ],
)
def test_a_companion_that_is_refused_a_file(code, refused):
    reader, writer = socket.socketpair()
    keys = {}
    poller = PollPoller(keys)
    assert poller.wait_fd() is not None

    def refuse(fd, *_):
        if fd == reader.fileno():
            raise OSError(code, os.strerror(code))

    poller._companion.register = refuse
    keys[reader.fileno()] = SelectorKey(reader, reader.fileno(), EVENT_READ, None)
    poller.register(reader.fileno(), EVENT_READ)
    assert poller.refused is refused
    assert (poller.wait_fd() is None) is refused
    poller.close()
    for sock in (reader, writer):
        sock.close()


def test_a_companion_that_was_dismissed_meanwhile():
    poller = PollPoller({})
    poller._accompany(0, EVENT_READ)  # as if another thread had withdrawn it
    poller._part_from(0, EVENT_READ)
    assert poller._companion is None
    companion = poller._make_companion()
    companion.close()
    poller._accompany(0, EVENT_READ)
    poller._part_from(0, EVENT_READ)
    assert poller.woken_in_vain()  # look again
    assert not poller.refused
    poller.close()


def test_what_goes_wrong_in_a_companion_is_told():
    poller = PollPoller({})
    companion = poller._make_companion()

    def fail(*_):
        raise ValueError("not foreseen")

    for name in ("poll", "unregister"):
        setattr(companion, name, fail)
    with pytest.raises(ValueError, match="not foreseen"):
        poller.woken_in_vain()
    with pytest.raises(ValueError, match="not foreseen"):
        poller._part_from(0, EVENT_READ)
    del companion.poll, companion.unregister
    poller.close()


@pytest.mark.parametrize("after", [EVENT_WRITE, None])
def test_another_thread_changes_a_file_that_is_being_looked_up(after):
    reader, writer = socket.socketpair()
    fd = reader.fileno()
    keys = {fd: SelectorKey(reader, fd, EVENT_READ, None)}
    poller = PollPoller(keys)
    companion = poller._make_companion()
    writer.send(b"x")
    modify = companion.modify

    def change_then_modify(*how):
        del companion.modify
        before = keys.pop(fd)
        if after is None:
            poller._part_from(fd, before.events)
        else:
            keys[fd] = before._replace(events=after)
            companion.modify(fd, after, before.events)
        modify(*how)

    companion.modify = change_then_modify
    poller.prepare_to_sleep()
    ready = [(found, companion.events(mask)) for found, mask in companion.poll(0)]
    assert ready == ([] if after is None else [(fd, after)])
    poller.close()
    for sock in (reader, writer):
        sock.close()


def test_a_companion_is_not_put_into_itself():
    poller = PollPoller({})
    companion = poller._make_companion()
    poller._accompany(companion.fileno(), EVENT_READ)
    assert companion.poll(0) == []
    assert not poller.refused
    poller.close()


def test_the_bell_rings_as_long_as_any_file_is_always_ready():
    poller = PollPoller({})
    companion = poller._make_companion()
    with tempfile.TemporaryFile() as one, tempfile.TemporaryFile() as other:
        for file in (one, other):
            poller._accompany(file.fileno(), EVENT_READ)
        for file in (one, other):
            assert len(companion.poll(0)) == 1
            poller._part_from(file.fileno(), EVENT_READ)
    assert companion.poll(0) == []
    poller.close()


def test_a_poll_object_that_another_thread_is_in():
    class Busy:
        def register(self, fd, mask):
            pass

        def poll(self, timeout):
            raise RuntimeError("concurrent poll() invocation")

    reader, writer = socket.socketpair()
    keys = {reader.fileno(): SelectorKey(reader, reader.fileno(), EVENT_WRITE, None)}
    poller = PollPoller(keys)
    poller._poll = Busy()
    assert poller.poll(0) == [(reader.fileno(), 4)]
    poller.close()
    for sock in (reader, writer):
        sock.close()


def test_devpoll_forgets_what_the_kernel_forgot():
    class Devpoll:
        def unregister(self, fd):
            raise OSError(errno.EBADF, "gone")

    poller = DevpollPoller({}, Devpoll)
    poller.unregister(3, EVENT_READ)
    assert poller.wait_fd() is None


def test_a_fresh_start_leaves_out_what_was_closed():
    reader, writer = socket.socketpair()
    keys = {fd: SelectorKey(fd, fd, EVENT_WRITE, None) for fd in (reader.fileno(), 10_000)}
    poller = EpollPoller(keys)
    number = poller.fileno()
    poller.purge(force=True)
    assert poller.poll(0) == [(reader.fileno(), 4)]
    assert poller.fileno() == number
    poller.close()
    for sock in (reader, writer):
        sock.close()


def test_an_answer_for_a_file_that_another_thread_changes_is_not_kept():
    old, new = SelectorKey(3, 3, EVENT_READ, None), SelectorKey(3, 3, EVENT_WRITE, None)
    keys = {3: old}

    class Poller:
        suspects = frozenset()

        def events(self, mask):
            keys[3] = new
            return mask

    answers = Answers(keys, Poller())
    assert answers.look_closer([(3, 1)], None, None, None) == [(old, EVENT_READ)]
    assert answers.known == {}


def test_a_greenlet_that_comes_too_late_to_be_woken_does_not_sleep(nest):
    # the selector is closed by another thread after the seat was taken, and before the sleep
    class Hub(CooperativeHub):
        def sleep(self, hub, seconds):
            raise AssertionError("slept")

    Hub.__abstractmethods__ = frozenset()
    seat = Seat(nest)
    nest.wake_soon(seat)
    Hub()._sleep_on(None, seat, None)
    assert nest.watcher.ref is False
    assert not seat.waiting


def test_a_selector_that_is_dropped_without_close_leaves_its_nest(nest):
    nest.on_ready()
    reader, writer = socket.socketpair()
    poller = EpollPoller({})
    poller.register(reader.fileno(), EVENT_READ)
    nest.seat(poller)
    kept = os.dup(poller.fileno())  # as a forked child does
    writer.send(b"x")
    assert nest._poller.poll(0)
    del poller
    gc.collect()  # PyPy does not count references
    assert nest._poller.poll(0) == []
    assert nest._seats == {}
    os.close(kept)
    for sock in (reader, writer):
        sock.close()


def test_a_poller_that_could_not_be_made_goes_quietly():
    with pytest.raises(OSError, match="too many"):
        EpollPoller({}, full)
    bare = EpollPoller.__new__(EpollPoller)
    bare.__del__()
    assert not hasattr(bare, "seats")


POLLERS = {"epoll": EpollPoller, "devpoll": DevpollPoller, "kqueue": KqueuePoller}


@pytest.fixture(params=POLLERS)
def forked(request, monkeypatch):
    """A poller, watching one file, that was told that this is a forked child."""
    monkeypatch.setattr(_unpatched, "kevent", standins.kevent)
    reader, writer = socket.socketpair()
    keys = {reader.fileno(): SelectorKey(reader, reader.fileno(), EVENT_WRITE, None)}
    primitive = getattr(standins, request.param, None)
    poller = POLLERS[request.param](keys, primitive)
    poller.register(reader.fileno(), EVENT_WRITE)
    assert ready(poller) == [reader.fileno()]
    poller.forked()
    yield poller
    poller.close()
    for sock in (reader, writer):
        sock.close()


def ready(poller):
    return [fd for fd, mask in poller.poll(0) if poller.events(mask) & EVENT_WRITE]


def test_a_child_gets_a_kernel_object_of_its_own_at_the_first_call(forked):
    [fd] = forked.keys
    other = os.dup(fd)
    forked.keys[other] = SelectorKey(other, other, EVENT_WRITE, None)
    forked.register(other, EVENT_WRITE)
    assert sorted(ready(forked)) == sorted([fd, other])
    os.close(other)


def test_a_child_that_has_no_descriptor_left_may_try_again(forked, monkeypatch):
    primitive = forked._primitive
    forked._primitive = full
    for _ in range(2):
        with pytest.raises(OSError, match="too many"):
            forked.poll(0)
    forked._primitive = primitive
    assert ready(forked) == list(forked.keys)


def test_a_child_may_close_before_it_does_anything_else(forked):
    forked.close()
    with pytest.raises(ValueError, match="closed"):
        forked.poll(0)


def test_a_companion_is_left_to_the_parent():
    poller = PollPoller({})
    before = poller.wait_fd()
    assert before is not None
    poller.forked()
    assert poller._companion is None
    assert poller.wait_fd() is not None
    poller.close()


@pytest.mark.parametrize("primitive", ["epoll", "kqueue"])
def test_a_nest_starts_anew_behind_the_same_descriptor(keeper, monkeypatch, primitive):
    if primitive == "kqueue":
        monkeypatch.setattr(_unpatched, "kqueue", standins.kqueue)
        monkeypatch.setattr(_unpatched, "kevent", standins.kevent)
    nest = open_nest(keeper, "hub")
    assert nest._poller.name == primitive
    assert nest.threshold is not None
    nest.forked()  # before the hub has taken it in, and after
    nest.on_ready()
    poller = open_pollable({})
    seat = nest.seat(poller)
    woken = []
    seat.waiting[Greenlet(lambda: woken.append(1))] = None
    number = nest.fd
    nest.forked()
    poller.forked()
    assert nest.fd == number
    assert nest.threshold is not None
    nest.on_ready()
    assert woken == [1]
    assert keeper.anew == ["hub", "hub"]
    assert keeper.reported == []
    assert nest.seat(poller) is not seat
    poller.close()


def test_a_companion_that_was_made_while_another_thread_closed(monkeypatch):
    poller = PollPoller({})

    def open_pollable(keys):
        poller.closed = True  # just now
        return EpollPoller(keys)

    monkeypatch.setattr(_companion, "open_pollable", open_pollable)
    assert poller._make_companion() is None
    assert vars(poller).get("_companion") is None
    assert poller.wait_fd() is None


def test_a_companion_that_another_thread_made_first(monkeypatch):
    poller = PollPoller({})
    made = []

    def open_pollable(keys):
        made.append(EpollPoller(keys))
        vars(poller).setdefault("_companion", made[0])
        made.append(EpollPoller(keys))
        return made[1]

    monkeypatch.setattr(_companion, "open_pollable", open_pollable)
    assert poller._make_companion() is made[0]
    poller.close()
    made[1].close()


def test_a_companion_that_is_dismissed_while_a_thread_waits_on_it():
    poller = PollPoller({})
    companion = poller._make_companion()

    def poll(timeout):
        poller._dismiss()
        companion._epoll.poll(timeout)

    companion.poll = poll
    assert poller.poll_noticing(0.01) == []
    companion = poller._make_companion()
    companion.poll = full
    with pytest.raises(OSError, match="too many"):
        poller.poll_noticing(0.01)
    poller.close()


def test_a_seat_that_cannot_be_unmuted_is_taken_anew(nest):
    nest.on_ready()
    poller = EpollPoller({})
    seat = nest.seat(poller)
    nest._mute(seat)
    nest._poller.unregister(seat.fd, 0)  # whoever does such a thing
    again = nest.seat(poller)
    assert again is not seat
    assert not again.muted
    poller.close()


def test_a_seat_that_is_taken_while_another_thread_closes(nest):
    nest.on_ready()
    poller = EpollPoller({})

    def wait_fd():
        vars(poller).pop("wait_fd")
        fd = poller.wait_fd()
        poller.epoch = object()  # all seats are given up, and this one is not there yet
        return fd

    poller.wait_fd = wait_fd
    assert nest.seat(poller).stale
    assert poller.seats == {}
    poller.close()


def test_nests_of_hubs_that_have_gone_are_forgotten(nest):
    nest.on_ready()
    poller = EpollPoller({})
    other = open_nest(Keeper(), "another hub")
    other.on_ready()
    seat = other.seat(poller)
    other.close()
    assert other.gone
    other.forked()
    assert other.fd is not None
    seat.waiting[Greenlet(None)] = None  # nobody will ever wake it
    other.wake_soon(seat)
    third = open_nest(Keeper(), "a third")
    third.on_ready()
    third.seat(poller)
    assert list(poller.seats) == [third]
    nest.seat(poller)
    assert list(poller.seats) == [third, nest]
    poller.leave(other)
    assert list(poller.seats) == [third, nest]
    poller.close()


def test_a_bell_that_cannot_be_rung(nest, keeper):
    nest.on_ready()
    woken = []
    seat = Seat(nest)
    seat.waiting[Greenlet(lambda: woken.append(1))] = None
    nest._poller.register = full
    nest.wake_soon(seat)
    for function in keeper.asked:
        function()
    assert woken == [1]


def test_a_bell_is_heard_although_there_is_one_who_can_always_be_woken(nest):
    nest.on_ready()
    woken = []
    seat = Seat(nest)
    seat.waiting[Greenlet(lambda: woken.append(1))] = None
    nest.latest, nest.waiting = seat, 1
    pulse = Pulse(nest)
    pulse.ask()
    for _ in range(100):
        nest.on_ready()
    assert pulse.answers == 1
    assert 90 < len(woken) < 100


def test_a_hub_that_ends_while_another_thread_speaks_to_its_nest(nest):
    def ends_before(name):
        def too_late(*arguments):
            nest.close()
            return original(*arguments)

        original = getattr(nest._poller, name)
        setattr(nest._poller, name, too_late)

    nest.on_ready()
    poller = EpollPoller({})
    seat = nest.seat(poller)
    ends_before("unregister")
    poller.leave(nest)
    assert nest.gone
    ends_before("register")
    nest.gone = False
    seat.waiting[Greenlet(None)] = None
    nest.wake_soon(seat)
    assert nest.gone
    poller.close()


def test_a_nest_that_refuses_while_its_hub_lives(nest):
    nest.on_ready()
    poller = EpollPoller({})
    seat = nest.seat(poller)
    seat.waiting[Greenlet(None)] = None
    nest._poller._epoll.close()
    with pytest.raises(ValueError, match="closed epoll"):
        nest.wake_soon(seat)
    with pytest.raises(ValueError, match="closed epoll"):
        poller.leave(nest)
    poller.close()


def test_a_forked_child_in_which_an_owner_is_just_going(monkeypatch):
    told = []
    owner = SimpleNamespace(forked=lambda: told.append("living"))
    monkeypatch.setattr(_fork, "_owners", {lambda: None, lambda: owner})
    _fork._in_child()
    assert told == ["living"]


def test_what_a_thread_leaves_when_it_ends(monkeypatch):
    done = []
    nest = SimpleNamespace(close=lambda: done.append("closed"))
    tenancies = Tenancies()
    tenancies.add(Tenancy(nest, lambda: True, lambda: done.append("first unwatched")))
    tenancies.add(Tenancy(nest, lambda: False, lambda: done.append("second unwatched")))
    assert done == ["first unwatched", "closed"]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "is_finalizing", lambda: True)
        tenancies.__del__()  # the loop may be no more than a ruin by now
        assert len(done) == 2
    tenancies.__del__()
    assert done[2:] == ["second unwatched", "closed"]
    assert tenancies._all == []


def test_a_hub_that_cannot_watch_a_nest_gets_none():
    class Hub(CooperativeHub):
        def watch(self, hub, nest):
            nests.append(nest)
            full()

    nests = []
    Hub.__abstractmethods__ = frozenset()
    hub = SimpleNamespace()
    with pytest.raises(OSError, match="too many"):
        Hub()._open_nest(hub)
    assert nests[0].gone
    assert vars(hub) == {}


@pytest.mark.parametrize(
    ("kind", "primitive"),
    [
        (EpollPoller, SimpleNamespace),
        (KqueuePoller, lambda **calls: SimpleNamespace(fileno=lambda: -1, **calls)),
        (DevpollPoller, SimpleNamespace),
    ],
)
def test_a_poll_that_fails_is_closed_or_has_failed(kind, primitive):
    poller = kind({}, lambda: primitive(poll=full, control=full))
    for closed, error in ((False, OSError), (True, ValueError)):
        poller.closed = closed
        with pytest.raises(error):
            poller.poll(None)


def test_whoever_renews_first_renews_for_all(monkeypatch):
    reader, writer = socket.socketpair()
    keys = {reader.fileno(): SelectorKey(reader, reader.fileno(), EVENT_WRITE, None)}
    poller = EpollPoller(keys)
    poller.purge(force=True)
    late = poller.poll  # another thread is on its way into it
    assert poller.poll(0) == [(reader.fileno(), 4)]
    before = poller._epoll
    assert late(0) == [(reader.fileno(), 4)]
    assert poller._epoll is before
    poller.close()
    poller.renew()
    for call in (late, poller.poll):
        with pytest.raises(ValueError, match="closed"):
            call(0)
    for sock in (reader, writer):
        sock.close()


def test_what_other_threads_change_during_a_renewal(monkeypatch):
    pairs = [socket.socketpair() for _ in range(3)]
    kept, gone, new = (pair[0].fileno() for pair in pairs)
    key = {fd: SelectorKey(fd, fd, EVENT_WRITE, None) for fd in (kept, gone, new)}
    keys = {fd: key[fd] for fd in (kept, gone)}
    poller = EpollPoller(keys)
    poller.refill()

    def dup2(fd, fd2, inheritable, real=_unpatched.dup2):
        real(fd, fd2, inheritable)
        keys[new] = key[new]
        poller.modify(new, EVENT_WRITE, EVENT_READ)  # it was registered with the old one
        del keys[gone]

    monkeypatch.setattr(_unpatched, "dup2", dup2)
    poller.purge(force=True)
    assert sorted(poller.poll(0)) == sorted([(kept, 4), (new, 4)])
    with pytest.raises(FileNotFoundError):
        poller.modify(gone, EVENT_WRITE, EVENT_READ)
    poller.close()
    for one, other in pairs:
        one.close()
        other.close()


def test_putting_goes_on_until_the_kernel_agrees():
    said = []

    def say(name, error):
        def call(fd, mask):
            said.append(name)
            if len(said) < 4:
                raise error

        return call

    poller = EpollPoller({})
    poller._epoll.close()
    poller._epoll = SimpleNamespace(
        modify=say("modify", FileNotFoundError()), register=say("register", FileExistsError())
    )
    poller._put(3, 1)
    assert said == ["modify", "register"] * 2


def test_putting_what_was_exclusive_takes_it_out_before():
    poller = EpollPoller({})
    reader, writer = os.pipe()
    poller.register(reader, EVENT_READ, 1 << 28)
    poller._put(reader, 1)  # EPOLL_CTL_MOD would say EINVAL
    os.write(writer, b"x")
    assert poller.poll(0) == [(reader, 1)]
    real, poller._epoll = poller._epoll, mock.Mock()
    poller._epoll.modify.side_effect = OSError(errno.ENOMEM, "no memory")
    with pytest.raises(OSError, match="no memory"):
        poller._put(reader, 1)
    assert not poller._epoll.unregister.called
    poller._epoll = real
    poller.close()
    os.close(reader)
    os.close(writer)


def test_a_kernel_object_is_not_put_into_itself():
    poller = EpollPoller({})
    poller.keys[poller.fileno()] = SelectorKey(3, poller.fileno(), EVENT_READ, None)
    poller.refill()
    assert poller.poll(0) == []
    poller.close()


def test_a_second_look_at_a_file_that_is_closed():
    reader, writer = os.pipe()
    os.close(writer)
    poller = EpollPoller({})
    assert poller.confirm(reader, EVENT_READ) == EVENT_READ
    os.close(reader)
    assert poller.confirm(reader, EVENT_READ) == 0
    poller.close()


def test_answers_that_the_kernel_has_no_reason_for():
    # it says readable, and nobody asked for that: it watches for something else than it should
    reader, writer = socket.socketpair()
    key = SelectorKey(reader, reader.fileno(), EVENT_WRITE, None)
    keys = {reader.fileno(): key}
    poller = EpollPoller(keys)
    purged = []

    def purge(force):
        purged.append(force)

    poller.purge = purge
    answers = Answers(keys, poller)
    rounds = iter([[], [], [(reader.fileno(), 4)]])
    found = answers.look_closer([(reader.fileno(), 1)], lambda *_: next(rounds), None, None)
    assert found == [(key, EVENT_WRITE)]
    assert purged == [True]
    poller.close()
    for sock in (reader, writer):
        sock.close()


def test_a_kqueue_that_tells_changes_only(monkeypatch):
    monkeypatch.setattr(_unpatched, "kevent", standins.kevent)
    reader, writer = socket.socketpair()
    keys = {reader.fileno(): SelectorKey(reader, reader.fileno(), EVENT_READ, None)}
    poller = KqueuePoller(keys, standins.kqueue)
    poller.register(reader.fileno(), EVENT_READ)
    writer.send(b"x")
    poller.only_changes(reader.fileno(), EVENT_READ)
    assert len(poller.poll(0)) == 1
    assert poller.poll(0) == []
    writer.send(b"x")
    assert len(poller.poll(0)) == 1
    poller.close()
    for sock in (reader, writer):
        sock.close()


def test_a_doorbell_that_another_thread_opened_first(monkeypatch):
    monkeypatch.setattr(_doorbell, "_made", {})
    opened = []

    def pipe(real=_unpatched.pipe):
        made = real()
        opened.append(made[0])
        if len(opened) == 1:
            _doorbell.doorbell()  # as another thread might
        return made

    monkeypatch.setattr(_unpatched, "pipe", pipe)
    late, first = _doorbell.doorbell(), opened[1]
    assert late == _doorbell.doorbell() == first
    with pytest.raises(OSError):
        os.fstat(opened[0])
    os.close(first)


def test_what_comes_while_a_wake_up_in_vain_is_looked_into():
    # what is told once may have been told just now: the caller has to look, and not to sleep
    poller = PollPoller({})
    poller._make_companion().poll = lambda timeout: [(0, 1)]
    poller.poll = lambda timeout: [(0, 1)]
    assert poller.woken_in_vain() is True
    del poller.poll
    poller.close()
