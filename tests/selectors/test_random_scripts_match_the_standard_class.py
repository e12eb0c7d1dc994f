"""Do random scripts give what the standard EpollSelector gives in the same place?"""

from __future__ import annotations

import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import coopselectors
from coopselectors import EVENT_READ, EVENT_WRITE
from support import workers
from support.runtimes import standard

#: {platform: the standard class that works there}
REFERENCES = {
    "": standard.DefaultSelector,
    "kqueue": standard.PollSelector,
    "devpoll": standard.PollSelector,
    "select": standard.SelectSelector,
}

FILES = 6
SOME = st.integers(0, FILES - 1)
EVENTS = st.sampled_from([EVENT_READ, EVENT_WRITE, EVENT_READ | EVENT_WRITE])
STEPS = st.one_of(
    st.tuples(st.just("register"), SOME, EVENTS),
    st.tuples(st.just("modify"), SOME, EVENTS),
    st.tuples(st.just("unregister"), SOME),
    st.tuples(st.just("write"), SOME),
    st.tuples(st.just("read"), SOME),
    st.tuples(st.just("hang up"), SOME),
    st.tuples(st.just("select"), st.sampled_from([0, -1, 0.0001])),
)


class World:
    """One set of files, watched by ours and by the standard module's selector at once."""

    def __init__(self, ours):
        self.ours = ours
        self.theirs = REFERENCES[workers.PLATFORM]()
        self.data = 0
        self.pairs = [socket.socketpair() for _ in range(FILES)]
        for pair in self.pairs:
            for end in pair:
                end.setblocking(False)

    def close(self):
        self.ours.close()
        self.theirs.close()
        for pair in self.pairs:
            for end in pair:
                end.close()

    def do(self, step, number, *arguments):
        if step == "select":
            self.compare(number)
        elif step == "write":
            self.attempt(self.pairs[number][1].send, b"x")
        elif step == "read":
            self.attempt(self.pairs[number][0].recv, 1)
        elif step == "hang up":
            self.attempt(self.pairs[number][1].shutdown, socket.SHUT_RDWR)
        else:
            file = self.pairs[number][0]
            if arguments:  # so that no two keys of a file are equal
                self.data += 1
                arguments += (self.data,)
            ours = self.attempt(getattr(self.ours, step), file, *arguments)
            theirs = self.attempt(getattr(self.theirs, step), file, *arguments)
            assert ours == theirs

    def attempt(self, call, *arguments):
        try:
            return call(*arguments)
        except (KeyError, OSError) as error:
            return type(error), str(error)

    def compare(self, timeout):
        theirs = self.theirs.select(0)
        ours = self.ours.select(0 if theirs else timeout)
        assert sorted(ours, key=fd_of) == sorted(theirs, key=fd_of)
        assert dict(self.ours.get_map()) == dict(self.theirs.get_map())


def fd_of(answer):
    return answer[0].fd


@pytest.mark.once
@pytest.mark.classes("EpollSelector", "PollSelector", "SelectSelector")
def test_random_scripts(runtime, Selector):
    rounds = 0

    # 250 scripts of at least 40 steps: 10,000 rounds.
    @settings(
        max_examples=250 if not workers.PLATFORM else 25,  # stand-ins are slow
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(STEPS, min_size=40, max_size=48))
    def run(script):
        nonlocal rounds
        world = World(Selector())
        try:
            for step in script:
                world.do(*step)
            world.compare(0)
        finally:
            world.close()
        rounds += len(script)

    run()
    assert rounds >= (10_000 if not workers.PLATFORM else 1000)
    assert coopselectors.current_runtime() == runtime.owner
