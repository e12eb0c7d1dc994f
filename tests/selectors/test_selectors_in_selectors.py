"""Does a selector hear of another one that is registered in it, whatever happens to that one?"""

from __future__ import annotations

import time
from posix import close, dup, pipe, write

import pytest

import coopselectors
import coopselectors.select
from coopselectors import EVENT_READ, EVENT_WRITE

pytestmark = [
    pytest.mark.epoll,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*fork"),
]

OUTER = pytest.mark.classes("EpollSelector", "PollSelector", "DefaultSelector")


@pytest.fixture
def inner():
    with coopselectors.EpollSelector() as made:
        yield made


@pytest.fixture
def ready():
    """Registers a readable file."""
    numbers = []

    def register(selector):
        numbers.extend(pipe())
        write(numbers[-1], b"x")
        selector.register(numbers[-2], EVENT_READ)

    yield register
    for number in numbers:
        close(number)


@pytest.fixture
def have_it_replaced():
    """Closes many files before they are unregistered, while duplicates are open."""
    idle = pipe()

    def replace(selector):
        early = [dup(idle[0]) for _ in range(100)]
        for number in early:
            selector.register(number, EVENT_READ)
        for number in early:
            close(number)
            selector.unregister(number)
        assert selector.select(0.01) == []

    yield replace
    for number in idle:
        close(number)


@OUTER
@pytest.mark.parametrize("calls", ["", "outer", "inner", "outer inner", "inner outer"])
def test_in_a_child_it_hears_of_it(runtime, selector, inner, ready, in_child, calls):
    selector.register(inner.fileno(), EVENT_READ, "inner")
    selector.select(0.01)

    def child():
        for each in calls.split():
            assert {"outer": selector, "inner": inner}[each].select(0.01) == []
        ready(inner)
        found = [key.data for key, _ in selector.select(5)]
        inner.unregister(next(iter(inner.get_map())))
        return found, len(selector.select(0.01))

    assert in_child(child)() == (["inner"], 0)
    ready(inner)
    assert [key.data for key, _ in selector.select(5)] == ["inner"]


@OUTER
@pytest.mark.parametrize("when", ["before", "while it waits"])
def test_it_hears_of_one_whose_kernel_object_is_replaced(
    runtime, selector, inner, ready, have_it_replaced, when
):
    selector.register(inner.fileno(), EVENT_READ, "inner")
    started = time.monotonic()
    if when == "before":
        have_it_replaced(inner)
        ready(inner)
        found = selector.select(20)
    else:
        task = (runtime.spawn if runtime.cooperative else runtime.start_thread)(selector.select, 20)
        runtime.sleep(0.02)
        have_it_replaced(inner)
        ready(inner)
        found = (runtime.join if runtime.cooperative else runtime.join_thread)(task)
    assert [key.data for key, _ in found] == ["inner"]
    assert time.monotonic() - started < 10


@pytest.mark.classes("EpollSelector")
def test_it_is_put_back_into_one_that_has_lost_it(
    runtime, selector, inner, ready, have_it_replaced
):
    selector.register(inner.fileno(), EVENT_READ, "inner")
    selector._selector._native.unregister(inner.fileno())
    have_it_replaced(inner)
    ready(inner)
    assert [key.data for key, _ in selector.select(5)] == ["inner"]


@pytest.mark.parametrize("kind", ["selectors", "epolls"])
@pytest.mark.parametrize("named", ["by its number", "itself"])
@pytest.mark.parametrize("at", ["the top", "the middle"])
def test_a_chain_may_be_built_while_somebody_waits_in_it(runtime, ready, kind, named, at):
    """As deep as the kernel allows, from the top down."""
    if kind == "selectors":
        chain = [coopselectors.EpollSelector() for _ in range(5)]
    else:
        chain = [coopselectors.select.epoll() for _ in range(4)] + [coopselectors.EpollSelector()]
    waits_in = chain[0 if at == "the top" else 2]
    wait = waits_in.select if kind == "selectors" else waits_in.poll
    start = runtime.spawn if runtime.cooperative else runtime.start_thread
    task = start(wait, 20)
    runtime.sleep(0.05)
    for above, below in zip(chain, chain[1:]):
        above.register(below if named == "itself" else below.fileno(), EVENT_READ)
    started = time.monotonic()
    ready(chain[-1])
    found = (runtime.join if runtime.cooperative else runtime.join_thread)(task)
    assert len(found) == 1
    assert time.monotonic() - started < 10
    for each in chain:
        each.close()


def test_what_is_closed_above_does_not_count(runtime, inner, connect):
    above = coopselectors.EpollSelector()
    above.register(inner.fileno(), EVENT_READ)
    above.close()
    with coopselectors.PollSelector() as other:
        other.register(inner.fileno(), EVENT_READ)
        with pytest.raises(OSError):
            inner.register(inner.fileno(), EVENT_READ)
        inner.register(connect()[0], EVENT_WRITE)
        assert len(other.select(5)) == 1
