"""Do random scripts with extra events give what a bare epoll gives in the same place?"""

from __future__ import annotations

import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import coopselectors
from coopselectors import EVENT_READ, EVENT_WRITE
from support import native

pytestmark = pytest.mark.once

FILES = 5
IN, PRI, OUT, HUP, RDHUP = 0x1, 0x2, 0x4, 0x10, 0x2000
EXCLUSIVE, ONESHOT, ET = 1 << 28, 1 << 30, 1 << 31
MASKS = (0, IN, OUT, IN | OUT)

SOME = st.integers(0, FILES - 1)
EVENTS = st.sampled_from([0, EVENT_READ, EVENT_WRITE, EVENT_READ | EVENT_WRITE])
EXTRAS = st.one_of(
    st.sampled_from([0, ET, ONESHOT]),
    st.sampled_from([ET | RDHUP, ET | ONESHOT, ONESHOT | PRI, RDHUP, HUP]),
    st.sampled_from([EXCLUSIVE, EXCLUSIVE | ET]),
)
STEPS = st.one_of(
    st.tuples(st.just("register"), SOME, EVENTS, EXTRAS),
    st.tuples(st.just("modify"), SOME, EVENTS, EXTRAS),
    st.tuples(st.just("unregister"), SOME),
    st.tuples(st.just("write"), SOME),
    st.tuples(st.just("write"), SOME),
    st.tuples(st.just("read"), SOME),
    st.tuples(st.just("half close"), SOME),
    st.tuples(st.just("select"), st.just(0)),
    st.tuples(st.just("select"), st.sampled_from([0, 0, 0.0001])),
    st.tuples(st.just("wait for"), SOME),
)


class World:
    """Two sets of files with the same fate: one watched by ours, one by an epoll of our own making.

    Not one set: of two epolls that have it exclusively, the kernel would tell but one.
    """

    def __init__(self, runtime):
        self.runtime = runtime
        self.ours = coopselectors.EpollSelector()
        self.theirs = native.epoll()
        self.registered = {}  # {number: (events, extra)}
        self.files = [[socket.socketpair() for _ in range(2)] for _ in range(FILES)]
        for end in self.ends():
            end.setblocking(False)

    def ends(self):
        return [end for twins in self.files for pair in twins for end in pair]

    def close(self):
        self.ours.close()
        self.theirs.close()
        for end in self.ends():
            end.close()

    def do(self, step, number, *arguments):
        getattr(self, step.replace(" ", "_"))(number, *arguments)

    def near(self, number):
        (ours, _), (theirs, _) = self.files[number]
        return ours, theirs

    def register(self, number, events, extra):
        if number not in self.registered and events | extra:
            ours, theirs = self.near(number)
            self.ours.register(ours, events, number, extra_events=extra)
            self.theirs.register(theirs, MASKS[events] | extra)
            self.registered[number] = events, extra

    def modify(self, number, events, extra):
        before = self.registered.get(number)
        if before is None or not events | extra or (before == (events, extra) and not extra):
            return
        ours, theirs = self.near(number)
        if (extra | before[1]) & EXCLUSIVE:
            if (events, extra) != before:
                with pytest.raises(OSError, match="Invalid argument"):
                    self.theirs.modify(theirs, MASKS[events] | extra)
                with pytest.raises(ValueError, match="EPOLLEXCLUSIVE"):
                    self.ours.modify(ours, events, extra_events=extra)
            return
        self.ours.modify(ours, events, number, extra_events=extra)
        self.theirs.modify(theirs, MASKS[events] | extra)
        self.registered[number] = events, extra

    def unregister(self, number):
        if self.registered.pop(number, None):
            ours, theirs = self.near(number)
            self.ours.unregister(ours)
            self.theirs.unregister(theirs)

    def write(self, number):
        for _, far in self.files[number]:
            self.attempt(far.send, b"x")

    def read(self, number):
        for near, _ in self.files[number]:
            self.attempt(near.recv, 3)

    def half_close(self, number):
        for _, far in self.files[number]:
            self.attempt(far.shutdown, socket.SHUT_WR)

    def attempt(self, call, *arguments):
        try:
            call(*arguments)
        except OSError:
            pass

    def wait_for(self, number):
        """Something comes while ours is asleep, unless a file was ready all the time."""
        self.select(0)
        task = self.runtime.spawn(lambda: (self.runtime.sleep(0.001), self.write(number)))
        found = self.ours.select(0.004)
        self.runtime.join(task)
        self.compare({**dict(found), **dict(self.ours.select(0))}, self.theirs.poll(0))

    def select(self, timeout):
        theirs = self.theirs.poll(0)
        self.compare(dict(self.ours.select(0 if theirs else timeout)), theirs)

    def compare(self, ours, theirs):
        number_of = {self.near(number)[1].fileno(): number for number in range(FILES)}
        masks = {number_of[fd]: mask for fd, mask in theirs}
        assert {key.data for key in ours} == masks.keys()
        for key, events in ours.items():
            wanted, extra = self.registered[key.data]
            mask = masks[key.data]
            assert key.events == wanted
            if extra:
                assert events.native == mask
                mask &= ~extra | HUP
            expected = (mask & ~IN and EVENT_WRITE) | (mask & ~OUT and EVENT_READ)
            assert events == expected & wanted


@pytest.mark.once
@pytest.mark.epoll
def test_random_scripts_of_edges(runtime):
    rounds = 0

    # 250 scripts of at least 40 steps: 10,000 rounds.
    @settings(
        max_examples=250, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.lists(STEPS, min_size=40, max_size=48))
    def run(script):
        nonlocal rounds
        world = World(runtime)
        try:
            for step in script:
                world.do(*step)
            world.select(0)
        finally:
            world.close()
        rounds += len(script)

    run()
    assert rounds >= 10_000
    assert coopselectors.current_runtime() == runtime.owner
