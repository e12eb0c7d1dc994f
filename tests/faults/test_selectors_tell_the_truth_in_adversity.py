"""Does a selector give true results, whatever happens at any moment?

Hypothesis makes up the stories, and `adversity.World` knows how each of them should go.
COOPSELECTORS_TEST_EXAMPLES is the number of stories for each runtime, and has them be other ones
each time; without it they are few, and always the same.
"""

from __future__ import annotations

import gc
import os
import threading
import time

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

import coopselectors
from coopselectors import EVENT_READ, EVENT_WRITE
from support import seams
from support.adversity import World

_WANTED = os.environ.get("COOPSELECTORS_TEST_EXAMPLES")
EXAMPLES = int(_WANTED or "30")

#: Seconds until a wake-up counts as lost.
PATIENCE = 5.0

# eventlet warns of every fork, and the interpreter of those beside threads.
pytestmark = [
    pytest.mark.once,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*fork"),
    pytest.mark.timeout(120 + EXAMPLES),
]

NAMES = ("KqueueSelector", "DevpollSelector", "EpollSelector", "PollSelector", "SelectSelector")
CLASSES = [getattr(coopselectors, name) for name in NAMES if hasattr(coopselectors, name)]

ANY = st.integers(0, 11)
EVENTS = st.sampled_from([EVENT_READ, EVENT_WRITE, EVENT_READ | EVENT_WRITE])
YES = st.booleans()

# {what can be done: with which arguments}; what a child must not do to its parent's files comes
# in a table of its own.
ANYWHERE = {
    "duplicate": (ANY, st.just(0)),
    "close": (ANY, st.none() | ANY),
    "close_and_unregister": (ANY, st.none() | ANY),
    "hand_over": (ANY, ANY, EVENTS),
    "unregister_and_close": (ANY,),
    "send_and_drain": (ANY,),
    "make_selector": (ANY,),
    "register": (ANY, ANY, EVENTS, YES),
    "register_in_vain": (ANY, ANY, st.sampled_from(["events", "number", "closed"])),
    "modify": (ANY, ANY, EVENTS, YES, YES),
    "unregister": (ANY, ANY, YES),
    "select": (ANY, st.sampled_from([0, 0, -1, 0.0004, 0.003])),
    "close_selector": (ANY,),
    "drop_selector": (ANY,),
    "kill": (ANY,),
    "nudge": (ANY,),
    "settle": (),
}
THEN = st.one_of(
    st.none(),
    st.tuples(st.sampled_from(["drain", "send", "kill", "close_selector"]), ANY),
    st.tuples(st.just("unregister"), ANY, ANY, YES),
    st.tuples(st.just("close_and_unregister"), ANY, st.none() | ANY),
)
WAIT = (ANY, st.sampled_from([None, 30, 0.002, 0.006]), st.sampled_from([None, None, 0.003]), THEN)
STEP_IN_CHILD = st.one_of(
    *(st.tuples(st.just(name), *arguments) for name, arguments in ANYWHERE.items())
)
ONLY_HERE = {
    "make_pair": (st.sampled_from(["socket", "socket", "pipe"]),),
    "send": (ANY,),
    "fill": (ANY,),
    "drain": (ANY,),
    "wait": WAIT,
    "pause": (st.sampled_from([0.001, 0.004]),),
    "idle": (),
    "fork": (st.lists(STEP_IN_CHILD, max_size=12),),
}
OFTEN = {"wait": 5, "send": 4, "register": 3, "select": 2, "modify": 2}


class Adversity(RuleBasedStateMachine):
    """One story."""

    runtime = None
    patience = PATIENCE

    def __init__(self):
        super().__init__()
        if Adversity.patience < PATIENCE:
            gc.collect()  # what a failure left behind
        self.before = descriptors()
        self.nested = what_is_in(self.outer())  # by a primitive that is kept for its next call
        self.world = World(self.runtime, CLASSES, Adversity.patience)

    @initialize(registered=st.lists(st.tuples(ANY, ANY, EVENTS, YES), min_size=4, max_size=12))
    def begin(self, registered):
        for number in range(3):
            self.world.do("make_selector", number)
            self.world.do("make_pair", "socket")
        for arguments in registered:
            self.world.do("register", *arguments)

    def teardown(self):
        try:
            self.world.finish()
        finally:
            self.world.clear()
        self.nothing_is_left()

    def nothing_is_left(self):
        if self.world.dropped:
            gc.collect()
        assert descriptors() <= self.before  # the collector may find what others left
        outer = self.outer()
        until = time.monotonic() + Adversity.patience
        while what_is_in(outer) - self.nested:
            assert time.monotonic() < until, what_is_in(outer) - self.nested
            self.runtime.sleep(0.001)  # the hub has not come to hear of it

    def outer(self):
        """The descriptor of the hub's outer epoll, if it has one."""
        return seams.outer_epoll(self.runtime.hub()) if self.runtime.cooperative else None


def what_is_in(outer):
    if outer is None:
        return set()
    with open(f"/proc/self/fdinfo/{outer}") as lines:
        return {line.split()[1] for line in lines if line.startswith("tfd")}


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def _rule(name, strategies):
    def step(self, arguments):
        try:
            self.world.do(name, *arguments)
        except BaseException:
            Adversity.patience = 0.5  # it is broken: make it short
            raise

    step.__name__ = name
    return rule(arguments=st.tuples(*strategies))(step)


for _name, _strategies in {**ANYWHERE, **ONLY_HERE}.items():
    for _number in range(OFTEN.get(_name, 1)):
        setattr(Adversity, f"{_name}_{_number}", _rule(_name, _strategies))


def test_adversity(runtime):
    Adversity.runtime = runtime
    Adversity.patience = PATIENCE
    warm_up(runtime)
    run_machine(
        Adversity,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=50,
            deadline=None,
            database=None,
            derandomize=_WANTED is None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert coopselectors.current_runtime() == runtime.owner
    assert threading.active_count() < 10


def warm_up(runtime):
    """Whatever is opened once and for all."""
    seams.wakeup_fd()
    world = World(runtime, CLASSES, PATIENCE)
    for number in range(3):
        world.do("make_selector", number)
        world.do("wait", number, 0.001, None, None)
        world.do("wait", number, None, None, None)
    world.do("pause", 0.05)
    for _ in range(3):
        world.do("close_selector", 0)
    world.do("pause", 0.01)
    world.do("fork", [])
    world.clear()
