"""Whoever wraps what `select` offers, are the results and errors those of the unwrapped functions?

The expectations are not written down: the same steps are taken with the same class in an ordinary
process where nobody has wrapped anything.
"""

from __future__ import annotations

import functools
import json
import posix  # whose functions nobody patches
import resource
import select
import time
from unittest import mock

import pytest

import coopselectors
from coopselectors import EVENT_READ, EVENT_WRITE
from support import fresh, native

pytestmark = [
    pytest.mark.filterwarnings("ignore:libuv only supports millisecond"),
    pytest.mark.epoll,  # by which the steps are written
]

CLASSES = ("EpollSelector", "PollSelector", "SelectSelector")

#: So many seconds, a wait in which nothing happens takes; and a wait in which something does may.
SHORT, LONG = 0.02, 4

#: Below this are all descriptors that select(2) takes.
FD_SETSIZE = 1024


class Holder:
    def __init__(self, real):
        self._real = real

    def method(self, *arguments, **keywords):
        return self._real(*arguments, **keywords)


class Traced:
    """An object of a primitive, seen through another."""

    def __init__(self, real):
        self._real = real

    def __getattr__(self, name):
        return getattr(self._real, name)


def _function(real):
    @functools.wraps(real)
    def wrapper(*arguments, **keywords):
        return real(*arguments, **keywords)

    return wrapper


def _plain_function(real):
    def wrapper(*arguments):
        return real(*arguments)

    return wrapper


def _class(real):
    class Replacement:
        def __new__(cls, *arguments):
            return real(*arguments)

    return Replacement


def _tracing(real):
    """What it makes is traced, too."""

    def wrapper(*arguments):
        made = real(*arguments)
        return Traced(made) if hasattr(made, "register") else made

    return wrapper


WRAPPERS = {
    "functools.wraps": _function,
    "function": _plain_function,
    "partial": functools.partial,
    "Mock": lambda real: mock.Mock(wraps=real),
    "bound method": lambda real: Holder(real).method,
    "class": _class,
    "tracing": _tracing,
}


class Story:
    """One selector and some pipes; each step's result or error is noted."""

    def __init__(self, kind, runtime):
        self.runtime = runtime
        self.names = {}  # {descriptor: what the story calls it}
        self.said = []
        self.selector = kind()
        self._open = []

    def pipe(self, name, read_only=False):
        reader, writer = posix.pipe()
        self.names[reader], self.names[writer] = f"{name}<", f">{name}"
        self._open += [reader, writer]
        return reader, writer

    def close(self, fd):
        self._open.remove(fd)
        posix.close(fd)

    def later(self, function, *arguments):
        def run():
            self.runtime.sleep(SHORT)
            function(*arguments)

        self._task = self.runtime.spawn(run)

    def step(self, function, *arguments):
        started = time.monotonic()
        try:
            found = function(*arguments)
        except Exception as error:
            number = getattr(error, "errno", None)
            found = [type(error).__name__, str(error) if number is None else number]
        took = time.monotonic() - started
        self.said.append(self._plain(found))
        # Never early, and never much too late.
        if function == self.selector.select and arguments[0] == SHORT and found == []:
            self.said.append("in time" if SHORT <= took < LONG else took)
        elif took > LONG / 2:
            self.said.append(took)
        return found

    def select(self, timeout=0):
        return self.step(self.selector.select, timeout)

    def _plain(self, found):
        if isinstance(found, list):
            ready = [self._plain(each) for each in found]
            return ready if ready and isinstance(ready[0], str) else sorted(ready)
        if hasattr(found, "fileobj"):
            return [self.names.get(found.fd, "?"), found.events, found.data]
        if isinstance(found, tuple):
            return [self._plain(each) for each in found]
        if isinstance(found, str):
            for fd, name in self.names.items():
                found = found.replace(str(fd), name)
        return found

    def end(self):
        if hasattr(self, "_task"):
            self.runtime.join(self._task)
        self.selector.close()
        for fd in self._open:
            posix.close(fd)


def ready_files(story):
    """What is ready, at once and later, for reading and for writing."""
    (first, feeds_first), (second, feeds_second) = story.pipe("first"), story.pipe("second")
    story.select()
    story.select(SHORT)
    story.step(story.selector.register, first, EVENT_READ, "data")
    story.step(story.selector.register, second, EVENT_READ)
    story.select()
    story.select(SHORT)
    story.select(-1)
    posix.write(feeds_first, b"x")
    story.select()
    story.select(LONG)
    story.select(None)
    posix.write(feeds_second, b"x")
    story.select(None)
    story.step(story.selector.register, feeds_first, EVENT_WRITE)
    story.select(LONG)
    story.step(story.selector.modify, feeds_first, EVENT_READ | EVENT_WRITE, "more")
    story.step(story.selector.unregister, second)
    story.select(LONG)
    posix.read(first, 1)
    story.step(story.selector.unregister, feeds_first)
    story.select(SHORT)
    story.later(posix.write, feeds_first, b"x")
    story.select(LONG)


def hung_up(story):
    """The other end is closed, before a wait and during one."""
    (first, feeds_first), (second, feeds_second) = story.pipe("first"), story.pipe("second")
    story.step(story.selector.register, first, EVENT_READ)
    story.later(story.close, feeds_first)
    story.select(LONG)
    story.step(story.selector.register, feeds_second, EVENT_WRITE)
    story.close(second)
    story.select(LONG)
    story.select(LONG)


def closed_selector(story):
    first, _ = story.pipe("first")
    story.step(story.selector.register, first, EVENT_READ)
    story.step(story.selector.close)
    for timeout in (0, -1, SHORT, LONG, None):
        story.select(timeout)
    story.step(story.selector.get_map)
    story.step(story.selector.close)
    story.select()


def closed_while_waiting(story):
    first, _ = story.pipe("first")
    story.step(story.selector.register, first, EVENT_READ)
    story.later(story.selector.close)
    story.select(LONG)
    story.select(LONG)


def closed_while_waiting_for_ever(story):
    first, _ = story.pipe("first")
    story.step(story.selector.register, first, EVENT_READ)
    story.later(story.selector.close)
    story.select(None)


def closed_while_waiting_for_nothing(story):
    story.later(story.selector.close)
    story.select(LONG)


def closed_file(story):
    """A file was closed while it was registered; then another has its number."""
    (first, _), (second, feeds_second) = story.pipe("first"), story.pipe("second")
    story.step(story.selector.register, first, EVENT_READ)
    story.step(story.selector.register, second, EVENT_READ)
    story.close(first)
    story.select()
    story.select(SHORT)
    posix.write(feeds_second, b"x")
    story.select(LONG)
    story.step(story.selector.modify, first, EVENT_READ | EVENT_WRITE)
    story.select(LONG)
    story.step(story.selector.unregister, first)
    story.select(LONG)
    story.step(story.selector.unregister, second)
    story.close(second)
    story.step(story.selector.register, second, EVENT_READ)
    story.select(SHORT)


def only_a_closed_file(story):
    first, _ = story.pipe("first")
    story.step(story.selector.register, first, EVENT_READ)
    story.close(first)
    story.select()
    story.select(SHORT)
    story.step(story.selector.unregister, first)
    story.select(SHORT)


def reused_number(story):
    """It is registered anew, after its file was closed and unregistered."""
    (first, _), (second, feeds_second) = story.pipe("first"), story.pipe("second")
    story.step(story.selector.register, first, EVENT_READ)
    story.select(SHORT)
    story.close(first)
    story.step(story.selector.unregister, first)
    posix.dup2(second, first)
    story._open.append(first)
    story.step(story.selector.register, first, EVENT_READ, "again")
    story.select(SHORT)
    posix.write(feeds_second, b"x")
    story.select(LONG)


def large_descriptors(story):
    """Of the selector, and of whatever is opened for a wait."""
    (first, feeds_first), (second, feeds_second) = story.pipe("first"), story.pipe("second")
    taken = []
    while not taken or taken[-1] < FD_SETSIZE:
        taken.append(posix.dup(first))
    try:
        story.selector.close()
        story.selector = type(story.selector)()
        story.step(story.selector.register, first, EVENT_READ)
        story.select()
        story.select(SHORT)
        story.later(posix.write, feeds_first, b"x")
        story.select(LONG)
        story.step(story.selector.register, second, EVENT_READ)
        posix.write(feeds_second, b"x")
        story.select(None)
        story.step(story.selector.unregister, first)
        story.step(story.selector.unregister, second)
        story.select(SHORT)
        story.later(story.selector.close)
        story.select(LONG)
    finally:
        for fd in taken:
            posix.close(fd)


def chain_of_epolls(story, file):
    """Epolls in epolls, as deep as the kernel allows; the last one is the outermost."""
    made = []
    for depth in range(10):
        epoll = native.find("epoll")()
        story.names[epoll.fileno()] = f"epoll {depth}"
        try:
            epoll.register(made[-1] if made else file, native.constants["EPOLLIN"])
        except OSError:
            epoll.close()
            break
        made.append(epoll)
    return made


def nested(story):
    first, feeds_first = story.pipe("first")
    made = chain_of_epolls(story, first)
    for epoll in made[:3]:
        story.step(story.selector.register, epoll, EVENT_READ)
        story.select()
        story.select(SHORT)
    story.later(posix.write, feeds_first, b"x")
    story.select(LONG)
    story.runtime.sleep(SHORT)
    story.select(LONG)
    posix.read(first, 1)
    story.select(SHORT)
    for epoll in made[:3]:
        story.step(story.selector.unregister, epoll)
    for epoll in reversed(made):
        epoll.close()
    story.select(SHORT)


def nested_too_deep(story):
    """A hub's loop cannot watch the last one, and some abort the process if they are told to."""
    first, feeds_first = story.pipe("first")
    made = chain_of_epolls(story, first)
    for epoll in reversed(made):
        story.step(story.selector.register, epoll, EVENT_READ)
    story.select()
    story.select(SHORT)
    story.later(posix.write, feeds_first, b"x")
    # Perhaps not all of them: the kernel tells one epoll after another.
    story.step(lambda: bool(story.selector.select(LONG)))
    story.runtime.sleep(SHORT)
    story.select(None)
    posix.read(first, 1)
    story.select(SHORT)
    for epoll in reversed(made):
        epoll.close()


def selector_in_a_selector(story):
    first, feeds_first = story.pipe("first")
    with coopselectors.EpollSelector() as inner:
        inner.register(first, EVENT_READ)
        story.names[inner.fileno()] = "inner"
        story.step(story.selector.register, inner, EVENT_READ)
        story.select(SHORT)
        story.later(posix.write, feeds_first, b"x")
        story.select(LONG)
        story.step(lambda: [events for _, events in inner.select(LONG)])
        story.step(story.selector.unregister, inner)
        story.select(SHORT)


STORIES = [
    ready_files,
    hung_up,
    closed_selector,
    closed_while_waiting,
    closed_while_waiting_for_ever,
    closed_while_waiting_for_nothing,
    closed_file,
    only_a_closed_file,
    reused_number,
    large_descriptors,
    nested,
    nested_too_deep,
    selector_in_a_selector,
]


def told(runtime, class_name, story_name):
    """All that is said in one story, as JSON would have it."""
    story = Story(getattr(coopselectors, class_name), runtime)
    try:
        globals()[story_name](story)
    finally:
        story.end()
    return json.loads(json.dumps(story.said))


def allow_large_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FD_SETSIZE + 200
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def tell_all(runtime):
    """In a fresh interpreter that nobody has patched."""
    allow_large_descriptors()
    return {
        story.__name__: {name: told(runtime, name, story.__name__) for name in CLASSES}
        for story in STORIES
    }


@functools.cache
def expected():
    return fresh.Fresh("native")(tell_all)


@pytest.fixture
def wrap():
    """Wraps some of what `select` offers; puts back what was there in the end."""
    saved = {name: vars(select).get(name) for name in ("select", "poll", "epoll")}
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)
    allow_large_descriptors()

    def put(names, wrapper):
        wrapped = [name for name in names if saved[name] is not None]
        for name in wrapped:
            setattr(select, name, wrapper(saved[name]))
        return wrapped

    yield put
    for name, thing in saved.items():
        if thing is None:
            vars(select).pop(name, None)
        else:
            setattr(select, name, thing)
    resource.setrlimit(resource.RLIMIT_NOFILE, soft)


@pytest.mark.parametrize("story", [each.__name__ for each in STORIES])
@pytest.mark.parametrize("names", ["select", "poll epoll"])
@pytest.mark.parametrize(
    "wrapper",
    [
        each if each == "function" else pytest.param(each, marks=pytest.mark.once)
        for each in WRAPPERS
    ],
)
def test_the_results_and_errors_are_those_of_before(runtime, wrap, wrapper, names, story):
    if not wrap(names.split(), WRAPPERS[wrapper]):
        pytest.skip(f"{runtime.owner} has deleted {names}")
    before = coopselectors.info()["evidence"]
    # eventlet's asyncio hub keeps three descriptors of each thread that has ended, so that in the
    # end no number is left that select(2) takes.
    for name in CLASSES[:2] if runtime.name == "eventlet-asyncio" else CLASSES:
        assert told(runtime, name, story) == expected()[story][name], name
    assert coopselectors.info()["evidence"] == before  # nothing was found to be broken


@pytest.mark.parametrize("story", [each.__name__ for each in STORIES])
@pytest.mark.parametrize("name", CLASSES)
def test_nor_does_a_hub_by_itself(runtime, wrap, name, story):
    assert told(runtime, name, story) == expected()[story][name]
