"""Do random scripts give what the native object gives, step by step, in every runtime?

Without COOPSELECTORS_TEST_EXAMPLES, the number of scripts for each, they are few and always the
same; with it they are other ones each time.
"""

from __future__ import annotations

import errno
import fcntl
import os
import posix
import socket
import time

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import coopselectors
from coopselectors import select as ours
from support import native, primitives, seams, workers

_WANTED = os.environ.get("COOPSELECTORS_TEST_EXAMPLES")
EXAMPLES = int(_WANTED or (40 if not workers.PLATFORM else 15))  # stand-ins are slow

pytestmark = [pytest.mark.once, pytest.mark.timeout(60 + EXAMPLES)]

FILES = 4
#: Numbers from here on are nobody else's while they are closed.
FIRST = 700

IN, PRI, OUT, HUP, RDHUP = 0x1, 0x2, 0x4, 0x10, 0x2000
ONESHOT, ET = 1 << 30, 1 << 31
READ, WRITE = -1, -2
ADD, DELETE, KQ_ONESHOT, CLEAR = 0x1, 0x2, 0x10, 0x20

_EVENTS = st.sampled_from([0, IN, IN, OUT, IN | OUT, IN | PRI, IN | RDHUP])
MASKS = {
    "epoll": st.tuples(_EVENTS, st.sampled_from([0, 0, ET, ONESHOT, ET | ONESHOT])).map(sum),
    "poll": _EVENTS,
    "devpoll": _EVENTS,
    "select": st.sampled_from([0, IN, OUT, IN | OUT, IN | PRI]),
    "kqueue": st.sampled_from([IN, OUT, IN | OUT, IN | ONESHOT]),
}
SOME = st.integers(0, FILES - 1)


def steps(masks):
    """What may happen; `masks` are those of one primitive."""
    return st.one_of(
        st.tuples(st.just("register"), SOME, masks),
        st.tuples(st.just("register"), SOME, masks),
        st.tuples(st.just("modify"), SOME, masks),
        st.tuples(st.just("unregister"), SOME),
        st.tuples(st.just("write"), SOME),
        st.tuples(st.just("write"), SOME),
        st.tuples(st.just("drain"), SOME),
        st.tuples(st.just("fill"), SOME),
        st.tuples(st.just("half_close"), SOME),
        st.tuples(st.just("hang_up"), SOME),
        st.tuples(st.just("close"), SOME),
        st.tuples(st.just("open"), SOME),
        st.tuples(st.just("calm")),
        st.tuples(st.just("poll"), st.sampled_from([0, 0.0005])),
        st.tuples(st.just("poll"), st.sampled_from([0, 0.0005, 5, None])),
        st.tuples(st.just("poll"), st.sampled_from([0, 0.002, -1])),
        st.tuples(st.just("wait_for"), SOME),
    )


class Polled:
    """An object of ours, or a native one, with the same methods for each primitive."""

    def __init__(self, name, own):
        self.name, self.own = name, own
        self.unit = 1 if name == "epoll" else 1e-3

    def register(self, fd, mask):
        self.own.register(fd, mask)

    def modify(self, fd, mask):
        self.own.modify(fd, mask)

    def unregister(self, fd):
        self.own.unregister(fd)

    def poll(self, seconds):
        return self.own.poll(seconds if seconds is None or seconds < 0 else seconds / self.unit)

    def close(self):
        if hasattr(self.own, "close"):
            self.own.close()


class Kqueue(Polled):
    def register(self, fd, mask):
        # Edges for every other file: stand-ins do not take both for one.
        flags = ADD | (mask & ONESHOT and KQ_ONESHOT) | (CLEAR if fd & 2 else 0)
        kinds = [kind for kind, bit in ((READ, IN), (WRITE, OUT)) if mask & bit]
        self.own.control([ours.kevent(fd, kind, flags) for kind in kinds], 0)

    modify = register

    def unregister(self, fd):
        for kind in (READ, WRITE):
            self.own.control([ours.kevent(fd, kind, DELETE)], 0)

    def poll(self, seconds):
        events = self.own.control(None, 50, seconds)
        return [(each.ident, (each.filter, each.flags, each.data)) for each in events]


class Select(Polled):
    def __init__(self, name, own):
        super().__init__(name, own)
        self.masks = {}

    def register(self, fd, mask):
        self.masks[fd] = mask

    def modify(self, fd, mask):
        if fd in self.masks:
            self.masks[fd] = mask

    def unregister(self, fd):
        self.masks.pop(fd, None)

    def poll(self, seconds):
        lists = [[fd for fd, mask in self.masks.items() if mask & bit] for bit in (IN, OUT, PRI)]
        found = self.own(*lists, seconds)
        return [(fd, bit) for some, bit in zip(found, (IN, OUT, PRI)) for fd in some]


KINDS = {"kqueue": Kqueue, "select": Select}


class World:
    """Two sets of files with the same fate: one for ours, one for the native object."""

    def __init__(self, runtime, name):
        self.runtime, self.name = runtime, name
        kind = KINDS.get(name, Polled)
        mine, theirs = getattr(ours, name), native.find(name)
        if name != "select":
            mine, theirs = mine(), theirs()
        self.both = kind(name, mine), kind(name, theirs)
        self.far = {}  # {descriptor: the peer of what has it}
        self.masks = {}  # {number: what it is registered for}
        for number in range(FILES):
            self.open(number)

    def fd_of(self, number, which):
        return FIRST + 2 * FILES * which + 2 * number

    def close_all(self):
        for number in range(FILES):
            self.close(number)
        for each in self.both:
            each.close()

    def twice(self, method, number, *arguments):
        """Do something with both objects; what they say to it is the same."""
        said = []
        for which, each in enumerate(self.both):
            fd = self.fd_of(number, which)
            try:
                said.append(getattr(each, method)(fd, *arguments))
            except (KeyError, OSError) as error:
                said.append((type(error), str(error).replace(str(fd), "the file")))
        assert said[0] == said[1]

    def register(self, number, mask):
        self.twice("register", number, mask)
        self.masks[number] = mask

    def modify(self, number, mask):
        self.twice("modify", number, mask)
        if number in self.masks:
            self.masks[number] = mask

    def unregister(self, number):
        self.twice("unregister", number)
        self.masks.pop(number, None)

    def open(self, number):
        """A new file gets the number, if that is free."""
        for which in (0, 1):
            fd = self.fd_of(number, which)
            if fd not in self.far:
                near, self.far[fd] = socket.socketpair()
                assert fcntl.fcntl(near.fileno(), fcntl.F_DUPFD, fd) == fd
                near.close()
                posix.set_blocking(fd, False)
                self.far[fd].setblocking(False)

    def close(self, number):
        for which in (0, 1):
            fd = self.fd_of(number, which)
            if fd in self.far:
                posix.close(fd)
                self.far.pop(fd).close()

    def each_end(self, number, call):
        """Do something to both files, as far as they are there and let it."""
        for which in (0, 1):
            fd = self.fd_of(number, which)
            if fd in self.far:
                try:
                    call(fd, self.far[fd])
                except OSError as error:
                    assert error.errno in (errno.EAGAIN, errno.EPIPE, errno.ENOTCONN), error

    def send(self, number, which):
        far = self.far.get(self.fd_of(number, which))
        if far is not None:
            try:
                posix.write(far.fileno(), b"x")
            except (BlockingIOError, BrokenPipeError):
                pass

    def write(self, number):
        for which in (0, 1):
            self.send(number, which)

    def drain(self, number):
        self.each_end(number, lambda fd, far: posix.read(fd, 1000))

    def fill(self, number):
        self.each_end(number, lambda fd, far: [posix.write(fd, bytes(4096)) for _ in range(1000)])

    def half_close(self, number):
        self.each_end(number, lambda fd, far: far.shutdown(socket.SHUT_WR))

    def hang_up(self, number):
        self.each_end(number, lambda fd, far: far.shutdown(socket.SHUT_RDWR))

    def calm(self):
        """Whoever polls next has to give way first."""
        seams.time_slice(False)

    def poll(self, seconds):
        mine, theirs = self.both
        expected = self.said_by(theirs, 0, 1)
        if not expected and (seconds is None or seconds < 0 or seconds > 1):
            seconds = 0.0005
        if seconds is not None and seconds < 0 and self.name in ("kqueue", "select"):
            seconds = None
        assert self.said_by(mine, seconds, 0) == expected

    def wait_for(self, number):
        """Something comes while ours is asleep, if the native one says that it matters."""
        self.poll(0)
        self.quieten()
        mine, theirs = self.both
        if not self.said_by(theirs, 0, 1):
            self.send(number, 1)
            expected = self.said_by(theirs, 0, 1)
            if expected:
                pause = self.runtime.sleep
                task = self.runtime.spawn(lambda: (pause(0.001), self.send(number, 0)))
                started = time.monotonic()
                assert self.said_by(mine, 20, 0) == expected
                assert time.monotonic() - started < 10
                self.runtime.join(task)
            else:
                self.send(number, 0)
        self.poll(0)

    def quieten(self):
        """Have nothing be ready, as far as that goes without closing anything."""
        for number in range(FILES):
            if self.fd_of(number, 0) in self.far:
                self.drain(number)
            elif number in self.masks:
                self.unregister(number)
        ready = self.said_by(self.both[1], 0, 1)
        assert self.said_by(self.both[0], 0, 0) == ready
        for number in ready:
            if number in self.masks:
                self.unregister(number)

    def said_by(self, each, seconds, which):
        """``{number: what is said of it}``, or the error."""
        try:
            pairs = each.poll(seconds)
        except OSError as error:
            return str(error)
        found = {}
        for fd, mask in pairs:
            number = (fd - self.fd_of(0, which)) // 2
            found.setdefault(number, set()).add(mask)
        return found


@pytest.mark.parametrize("name", primitives.NAMES)
def test_random_scripts_of_primitives(runtime, name):
    rounds = 0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=_WANTED is None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.lists(st.tuples(SOME, MASKS[name]), max_size=FILES),
        st.lists(steps(MASKS[name]), min_size=30, max_size=45),
    )
    def run(registered, script):
        nonlocal rounds
        world = World(runtime, name)
        try:
            for each in registered:
                world.register(*each)
            for step, *arguments in script:
                getattr(world, step)(*arguments)
            world.poll(0)
        finally:
            world.close_all()
        rounds += 1

    run()
    assert rounds >= EXAMPLES
    assert coopselectors.current_runtime() == runtime.owner
