"""Does the watch report every select call that blocks the hub, and nothing else?"""

from __future__ import annotations

import os
import re
import select
import sys
import time
from functools import partial

import pytest

import coopselectors
from support import native
from support.runtimes import standard

pytestmark = [
    pytest.mark.usefixtures("trace_all_threads"),
    pytest.mark.any_platform(reason="it measures how long a hub does not turn, whatever blocks it"),
]

hubs_only = pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")

# Before any patch, as a library would have.  Imitations of other platforms have no epoll.
captured = standard.EpollSelector if hasattr(select, "EPOLLIN") else standard.SelectSelector
native_select = native.select
native_poll = native.poll

LONG = 0.4
THRESHOLD = 0.1


class Watched(list):
    """What the watch has said, which ends what it has said it of."""

    def __init__(self):
        self.fd, self._bell = os.pipe()

    def append(self, text):
        super().append(text)
        os.write(self._bell, b"x")

    def block(self, how):
        """Hold the hub up until that is noticed, however slow the machine."""
        how(self.fd)
        assert len(os.read(self.fd, 2)) == 1

    def close(self):
        os.close(self.fd)
        os.close(self._bell)


@pytest.fixture
def watched(runtime):
    runtime.sleep(0.01)
    said = Watched()
    with coopselectors.warn_blocking(THRESHOLD, said.append):
        yield said
    runtime.sleep(2 * THRESHOLD)
    said.close()


def by_a_captured_class(fd):
    with captured() as selector:
        selector.register(fd, coopselectors.EVENT_READ)
        selector.select(20)


def by_the_bare_primitive(fd):
    native_select([fd], [], [], 20)


def by_a_poll_object(fd):
    poll = native_poll()
    poll.register(fd, 1)
    poll.poll(20e3)


def by_one_of_ours_that_is_pinned(fd):
    with coopselectors.DefaultSelector(runtime="native") as selector:
        selector.register(fd, coopselectors.EVENT_READ)
        selector.select(20)


CULPRITS = [
    by_a_captured_class,
    by_the_bare_primitive,
    *([by_a_poll_object] if native_poll else []),
    by_one_of_ours_that_is_pinned,
]


@hubs_only
@pytest.mark.parametrize("block", CULPRITS)
def test_a_call_that_blocks_is_named(runtime, watched, block):
    watched.block(block)
    [text] = watched
    assert text.startswith("a select call has blocked the hub for ")
    assert f"in {block.__name__}\n" in text
    runtime.sleep(THRESHOLD)
    assert len(watched) == 1


@hubs_only
def test_in_another_greenlet_and_again(runtime, watched):
    for number in (1, 2):
        runtime.join(runtime.spawn(watched.block, by_the_bare_primitive))
        runtime.sleep(THRESHOLD)
        assert len(watched) == number


@hubs_only
def test_a_wait_through_the_hub_blocks_nobody(runtime, watched, selector):
    assert selector.select(LONG) == []
    runtime.sleep(LONG)
    assert watched == []


@hubs_only
def test_other_ways_to_hold_it_up_are_not_its_business(runtime, watched):
    until = time.monotonic() + LONG
    while time.monotonic() < until:
        pass
    assert watched == []
    watched.block(by_the_bare_primitive)  # although there was no answer before, either
    assert len(watched) == 1


@hubs_only
def test_a_call_whose_source_is_nowhere(runtime, watched):
    exec("def from_nowhere(select, fd): select([fd], [], [], 20)", found := {})
    watched.block(partial(found["from_nowhere"], native_select))
    assert "in from_nowhere" in watched[0]


@hubs_only
def test_a_hub_that_waits_by_itself_is_not_reported(runtime, watched):
    # as it looks where nothing can wake eventlet's
    exec("def wait(select): select([], [], [], 0.4)", module := {"__name__": "eventlet.hubs.any"})
    module["wait"](native_select)
    runtime.sleep(THRESHOLD)
    assert watched == []


@hubs_only
def test_it_ends(runtime):
    said = []
    before = len(sys._current_frames())
    watch = coopselectors.warn_blocking(0.02, said.append)
    until = time.monotonic() + 10
    while len(sys._current_frames()) == before and time.monotonic() < until:
        runtime.sleep(0.01)
    watch.stop()
    while len(sys._current_frames()) > before:
        runtime.sleep(0.01)
        assert time.monotonic() < until
    native_select([], [], [], LONG)
    assert said == []


@hubs_only
def test_it_ends_with_its_hub(runtime):
    def in_thread():
        runtime.sleep(0)
        watches.append(coopselectors.warn_blocking(0.02))

    watches = []
    runtime.join_thread(runtime.start_thread(in_thread))
    until = time.monotonic() + 10
    while not watches[0].has_ended():
        runtime.sleep(0.01)
        assert time.monotonic() < until


@hubs_only
def test_by_default_it_writes_to_stderr(runtime, capsys):
    with coopselectors.warn_blocking(THRESHOLD):
        native_select([], [], [], 1)
        runtime.sleep(THRESHOLD)
    assert capsys.readouterr().err.startswith("coopselectors: a select call has blocked the hub")


@pytest.mark.parametrize("threshold", [0, -1, *map(float, ("nan", "inf", "1e300", "2000001"))])
def test_bad_thresholds(threshold):
    said = f"the threshold must be above 0 and at most 2000000 seconds, not {threshold!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        coopselectors.warn_blocking(threshold)


@pytest.mark.runtimes("native")
def test_where_there_is_no_hub(runtime):
    with pytest.raises(RuntimeError, match="there is no hub to watch"):
        coopselectors.warn_blocking()
