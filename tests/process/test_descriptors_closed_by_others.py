"""What if other code closes our descriptors?  A daemon closes all, a careless program one.

No file of the program's is ever closed, overwritten or taken for another one; new selectors work;
those of before work again for the files that are still there, or say once what is wrong.
"""

from __future__ import annotations

import gc
import os
import posix
import signal
import socket

import pytest

import coopselectors
import coopselectors.select
from coopselectors import EVENT_READ, EVENT_WRITE
from support import runtimes, seams

# gevent's Popen forks, and each test has a thread beside it that watches the time.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork")

MANY = 1024
KINDS = ("EpollSelector", "PollSelector", "SelectSelector")
PRIMITIVES = ("epoll", "poll", "select")


class User:
    """A selector or a primitive of ours that has waited for a file of its own."""

    def __init__(self, kind, number=None):
        self.kind = kind
        ours, theirs = socket.socketpair()
        self.reader, self.writer = ours.detach(), theirs.detach()
        if number is not None:  # out of a daemon's reach
            for name, fd in (("reader", number), ("writer", number + 1)):
                posix.dup2(getattr(self, name), fd)
                posix.close(getattr(self, name))
                setattr(self, name, fd)
        if kind in PRIMITIVES:
            self.own = kind != "select" and getattr(coopselectors.select, kind)()
            if self.own:
                self.own.register(self.reader, 1)
        else:
            self.own = getattr(coopselectors, kind)()
            self.own.register(self.reader, EVENT_READ)

    def wait(self, seconds):
        """The numbers that are ready."""
        if self.kind == "select":
            return coopselectors.select.select([self.reader], [], [], seconds)[0]
        if self.kind in PRIMITIVES:
            return [fd for fd, _ in self.own.poll(seconds * (1000 if self.kind == "poll" else 1))]
        return [key.fd for key, _ in self.own.select(seconds)]

    def works(self):
        """What is wrong with it, if anything."""
        try:
            if self.wait(0.005):
                return f"{self.kind}: something is ready"
            posix.write(self.writer, b"x")
            if self.wait(5) != [self.reader]:
                return f"{self.kind}: deaf"
            posix.read(self.reader, 1)
        except Exception as error:
            return f"{self.kind}: {error!r}"
        return ""

    def drop(self):
        """What its end raises, if anything."""
        try:
            if self.own and hasattr(self.own, "close"):
                self.own.close()
        except Exception as error:
            return f"{self.kind}: close: {error!r}"
        self.own = None
        gc.collect()
        return ""


def numbers():
    return {int(name) for name in os.listdir("/proc/self/fd")} & {
        fd for fd in range(3, MANY) if _inode(fd)
    }


def _inode(fd):
    try:
        found = posix.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino


class Files:
    """Files of the program's that must stay what they are."""

    def __init__(self, fds):
        self.inodes = {fd: _inode(fd) for fd in fds}
        assert None not in self.inodes.values()

    def lost(self):
        return [fd for fd, inode in self.inodes.items() if _inode(fd) != inode]


def new_hub(runtime, how):
    """What a daemon does beside closing everything, so that its hub works again."""
    if runtime.owner == "eventlet":
        import eventlet.hubs

        # A hub on asyncio cannot take the place of one that runs.
        name = os.environ["EVENTLET_HUB"]
        eventlet.hubs.use_hub("epolls" if name == "asyncio" else name)
    elif runtime.owner == "gevent":
        import gevent

        if how == "reinit":
            gevent.reinit()
            gevent.sleep(0)  # libev opens another in a turn of the loop
        elif how == "new":
            gevent.get_hub()


def in_worker(check):
    """Run a check in a forked child; what it found wrong."""
    reader, writer = posix.pipe()
    child = posix.fork()
    if not child:
        signal.alarm(15)
        try:
            found = check()
        except BaseException as error:
            found = [repr(error)]
        posix.write(writer, repr(found).encode()[:4000])
        os._exit(0)
    posix.close(writer)
    said = b""
    while True:
        piece = posix.read(reader, 4096)
        if not piece:
            break
        said += piece
    posix.close(reader)
    status = posix.waitpid(child, 0)[1]
    found = eval(said.decode()) if said else []
    return [f"in the worker: {each}" for each in found] + ([f"status {status}"] if status else [])


def daemon(runtime, how):
    """Close everything, open files, fork, use what is old and what is new."""
    runtime.sleep(0.001)
    # libev, which is told of a fork then, closes the numbers that it had; nothing is ours yet.
    of_libev = numbers() if how == "reinit" and "libev" in runtime.name else ()
    kinds = KINDS + PRIMITIVES
    old = [User(kind, MANY - 100 + 2 * index) for index, kind in enumerate(kinds)]
    wrong = [f"before: {each}" for each in (user.works() for user in old) if each]
    waited = [each for each in old if each.kind in KINDS]
    if runtime.owner == "gevent" and how == "new":
        runtime.hub().destroy(destroy_loop=True)
    posix.closerange(3, MANY - 100)
    if how != "late":
        new_hub(runtime, how)
    files = Files(fd for _ in range(15) for fd in posix.pipe() if fd not in of_libev)
    if how == "late":
        new_hub(runtime, how)

    def use():
        said = []
        fresh = [User(kind) for kind in kinds]
        said += [f"new {each}" for each in (user.works() for user in fresh) if each]
        for user in old:
            first, then = user.works(), ""
            if first:  # it may say once that its files are gone
                then = user.works()
            # An epoll that was handed out as such is the user's own, and is gone for good.
            if then and user.kind != "epoll":
                said.append(f"old {first}; then {then}")
        said += [each for each in (user.drop() for user in fresh) if each]
        if files.lost():
            said.append(f"lost {files.lost()}")
        return said

    if runtime.owner != "native" and how == "old":
        # The loop's own descriptors are gone, too: nobody can wait, but nothing else may break.
        for user in waited:
            if runtime.name != "gevent-libuv":  # libuv aborts at its next turn, whoever waits
                user.works()
            user.drop()
        return wrong + [f"lost {files.lost()}" for _ in files.lost()[:1]]
    wrong += in_worker(use)
    wrong += use()
    wrong += in_worker(use)
    wrong += [each for each in (user.drop() for user in old) if each]
    if files.lost():
        wrong.append(f"lost {files.lost()} in the end")
    return wrong


def one_by_one(runtime, kind):
    """Close each number of ours alone, and use what there is: old, new, in a child."""
    wrong, index = [], 0
    while True:
        before = numbers()
        old = User(kind)
        for _ in range(3):
            old.wait(0.003)
        taken = numbers() - before - {old.reader, old.writer} | {seams.wakeup_fd()}
        if runtime.cooperative:
            taken.add(seams.outer_epoll(runtime.hub()))
        taken = sorted(taken)
        if index >= len(taken):
            return [index, wrong]
        doomed = taken[index]
        index += 1
        what = os.readlink(f"/proc/self/fd/{doomed}")
        posix.close(doomed)
        mine = posix.pipe()  # one end of which gets the number
        files = Files(mine)
        said = [User(kind).works()]
        first = old.works()
        said.append(first and kind != "epoll" and old.works())
        said += in_worker(lambda: [each for each in (old.works(), User(kind).works()) if each])
        said = [each for each in said if each and not (kind == "epoll" and "EINVAL" in each)]
        said.append(old.drop())
        said.append(f"lost {files.lost()}" if files.lost() else "")
        said = [each for each in said if each]
        if said:
            wrong.append(f"{what}: {said}")
        for fd in mine:
            posix.close(fd)


WAYS = {
    "native": ["none"],
    "gevent-libev": ["old", "reinit", "new"],
    "gevent-libuv": ["old", "reinit", "new"],
    "eventlet": ["new", "late"],
}


@pytest.mark.epoll
@pytest.mark.parametrize("how", ["none", "old", "reinit", "new", "late"])
def test_a_daemon_closes_everything(fresh, how):
    if how not in WAYS[runtimes.family(fresh.runtime)]:
        pytest.skip("there is no such hub to make")
    assert fresh(daemon, how) == []


@pytest.mark.epoll
@pytest.mark.once
@pytest.mark.parametrize("kind", [*KINDS, "poll", "select"])
def test_another_module_closes_one_of_our_descriptors(fresh, kind):
    count, wrong = fresh(one_by_one, kind)
    assert wrong == []
    assert count >= (1 if fresh.runtime == "native" else 2)


def refused_waiters():
    """{what is watched: a wait for an epoll that no outer poller can hold}, and the epolls"""
    chain = [coopselectors.select.epoll() for _ in range(4)]
    for outer, inner in zip(chain, chain[1:]):
        outer.register(inner.fileno(), 1)
    reader, _writer = posix.pipe()
    selector, own = coopselectors.EpollSelector(), coopselectors.select.epoll()
    for each in (reader, chain[0].fileno()):
        selector.register(each, EVENT_READ)
    own.register(chain[0].fileno(), 1)
    return {"files": lambda: selector.select(0.4), "thread": lambda: own.poll(0.4)}, chain


def duplicates_closed(runtime, what):
    """Close what is open during a wait only, and use the numbers: they stay the program's."""
    waits, chain = refused_waiters()
    wait = waits[what]
    runtime.join(runtime.spawn(wait))
    before = numbers()
    task = runtime.spawn(wait)
    runtime.settle()
    taken = sorted(numbers() - before)
    for fd in taken:
        posix.close(fd)
    # Of two kinds: pipes, and what shares its inode with all epolls.
    made, epolls = set(), []
    while not made >= set(taken):
        epolls.append(runtimes.standard.EpollSelector())
        made |= {epolls[-1].fileno(), *posix.pipe()}
    files = Files(taken)
    runtime.join(task)
    for each in chain:
        each.close()
    return [len(taken), files.lost()]


@pytest.mark.epoll
@pytest.mark.runtimes("gevent-libev", "gevent-libuv", "eventlet")
@pytest.mark.parametrize("what", ["files", "thread"])
def test_a_duplicate_is_closed_only_while_it_is_one(fresh, what):
    count, lost = fresh(duplicates_closed, what)
    assert count
    assert lost == []


def test_an_interpreter_without_ctypes_ends_as_any_other(run_python):
    said = run_python(
        """
        import os, sys
        sys.modules["ctypes"] = None
        sys.unraisablehook = print
        import coopselectors
        with coopselectors.DefaultSelector() as selector:
            if hasattr(selector, "fileno"):
                os.close(selector.fileno())
        """
    )
    assert said == ""


@pytest.mark.epoll
@pytest.mark.parametrize("call", ["register", "modify", "unregister"])
@pytest.mark.parametrize("has_waited", [False, True], ids=["new", "that has waited"])
@pytest.mark.classes("EpollSelector")
def test_the_first_call_afterwards(runtime, selector, connect, call, has_waited):
    (old, old_peer), (new, new_peer) = connect(), connect()
    selector.register(old, EVENT_READ)
    if has_waited:
        assert selector.select(0.01) == []
    posix.close(selector.fileno())
    if call == "register":
        selector.register(new, EVENT_READ)
    elif call == "modify":
        selector.modify(old, EVENT_READ | EVENT_WRITE)
    else:
        selector.unregister(old)
        selector.register(new, EVENT_READ)
    old_peer.send(b"x")
    new_peer.send(b"x")
    files = {"register": {old, new}, "modify": {old}, "unregister": {new}}[call]
    assert {key.fileobj for key, _ in selector.select(5)} == files


def closed_under_libev(runtime, where):
    """What a wait says, with a hub of ours that is opened after libev's epoll was closed."""
    seams.wakeup_fd()
    reader, _writer = socket.socketpair()
    selector = coopselectors.DefaultSelector()
    selector.register(reader, EVENT_READ)
    seams.no_turn_is_due(runtime.hub())
    number = runtime.hub().loop.fileno()
    if where == "elsewhere":
        posix.close(0)  # what is opened next
    posix.close(number)
    try:
        return repr(selector.select(5))
    except OSError as error:
        return str(error)


@pytest.mark.epoll
@pytest.mark.runtimes("gevent-libev")
@pytest.mark.parametrize("where", ["under its number", "elsewhere"])
def test_libev_would_abort_if_its_epoll_was_closed(fresh, where):
    if fresh.runtime in runtimes.BACKENDS:
        pytest.skip("this backend of libev's has no descriptor")
    assert "the descriptor of gevent's loop was closed" in fresh(closed_under_libev, where)
