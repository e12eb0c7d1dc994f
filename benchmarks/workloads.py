"""What is measured?  Small pieces of work, each of which can be repeated as often as one likes.

    python benchmarks/workloads.py RUNTIME WORKLOAD SUBJECT REPETITIONS

Sets the workload up, repeats it and exits, so that a run of 2 N repetitions less a run of N is
N repetitions and nothing else.  RUNTIME is native, gevent-libev, gevent-libuv or eventlet;
SUBJECT is what does the work, a name from `subjects`.  Only public names of the package are used.
"""

from __future__ import annotations

import os
import posix
import selectors
import socket
import sys
from selectors import EVENT_READ, EVENT_WRITE
from types import SimpleNamespace
from typing import Any, Callable, Dict, List, Tuple

#: Repeats the work so many times.
Run = Callable[[int], None]

_LOOPS = {"gevent-libev": "libev-cext", "gevent-libuv": "libuv-cffi"}
_CLASSES = ("DefaultSelector", "EpollSelector", "PollSelector", "SelectSelector")


def _patch(runtime: str) -> Any:
    """Patch this process; returns the runtime's `spawn`, `join` and `sleep`, if it has any."""
    if runtime in _LOOPS:
        os.environ["GEVENT_LOOP"] = _LOOPS[runtime]
        import gevent.monkey

        gevent.monkey.patch_all()
        return SimpleNamespace(
            spawn=gevent.spawn, join=lambda greenlet: greenlet.join(), sleep=gevent.sleep
        )
    if runtime == "eventlet":
        import warnings

        warnings.simplefilter("ignore")  # eventlet says at import that it is deprecated
        import eventlet

        eventlet.monkey_patch()
        return SimpleNamespace(
            spawn=eventlet.spawn, join=lambda greenlet: greenlet.wait(), sleep=eventlet.sleep
        )
    assert runtime == "native", runtime
    return None


def subjects(runtime: str, name: str) -> Tuple[Any, Any]:
    """The runtime's functions, and the selector class called `name`, in this process.

    "standard.X" is the standard class before the patch, "hub.X" what the library has put into its
    place, "hub" the library's own selector, "ours.X" ours; "bare" is epoll without a selector, and
    "recv" is no selector at all.
    """
    import select

    epoll = select.epoll
    standard = {each: getattr(selectors, each) for each in _CLASSES}
    hub = _patch(runtime)
    owner, _, class_name = name.partition(".")
    if owner == "ours":
        import coopselectors

        return hub, getattr(coopselectors, class_name or "DefaultSelector")
    if owner == "standard":
        return hub, standard[class_name or "DefaultSelector"]
    if owner == "hub":
        # gevent's DefaultSelector is its GeventSelector, and eventlet's its SelectSelector.
        return hub, getattr(selectors, class_name or "DefaultSelector")
    return hub, {"bare": epoll, "recv": None}[owner]


def _ready_and_idle(ready: int, idle: int) -> List[int]:
    """Descriptors of which the first `ready` can be read from.  They stay open."""
    readable, writer = socket.socketpair()
    waiting, _other = socket.socketpair()
    writer.send(b"x")
    _keep.extend((readable, writer, waiting, _other))
    return [posix.dup(readable.fileno()) for _ in range(ready)] + [
        posix.dup(waiting.fileno()) for _ in range(idle)
    ]


_keep: List[Any] = []


def make_register_select_close(hub: Any, kind: Any) -> Run:
    """The whole life of a selector with one socket, which is ready."""
    ready, other = socket.socketpair()
    other.send(b"x")

    def run(repetitions: int) -> None:
        for _ in range(repetitions):
            selector = kind()
            selector.register(ready, EVENT_READ)
            selector.select(5)
            selector.close()

    return run


def communicate(hub: Any, kind: Any) -> Run:
    """As `subprocess.Popen.communicate`: two files, two selects, unregister, close."""
    one, other = socket.socketpair()
    one.send(b"x")
    other.send(b"x")

    def run(repetitions: int) -> None:
        for _ in range(repetitions):
            with kind() as selector:
                selector.register(one, EVENT_READ)
                selector.register(other, EVENT_READ)
                selector.select(5)
                selector.unregister(one)
                selector.select(5)
                selector.unregister(other)

    return run


def _select_at_once(ready: int, registered: int) -> Callable[[Any, Any], Run]:
    def prepare(hub: Any, kind: Any) -> Run:
        selector = kind()
        for fd in _ready_and_idle(ready, registered - ready):
            selector.register(fd, EVENT_READ)
        _keep.append(selector)

        def run(repetitions: int) -> None:
            select = selector.select
            for _ in range(repetitions):
                select(5)

        return run

    return prepare


def bare_poll(hub: Any, epoll: Any) -> Run:
    """1000 ready of 1000, by epoll.poll and nothing around it."""
    made = epoll()
    for fd in _ready_and_idle(1000, 0):
        made.register(fd, 1)

    def run(repetitions: int) -> None:
        poll = made.poll
        for _ in range(repetitions):
            poll(-1, 1000)

    return run


def _change(what: str) -> Callable[[Any, Any], Run]:
    def prepare(hub: Any, kind: Any) -> Run:
        selector = kind()
        fd, *others = _ready_and_idle(0, 1001)
        for each in others:
            selector.register(each, EVENT_READ)
        _keep.append(selector)

        def register(repetitions: int) -> None:
            for _ in range(repetitions):
                selector.register(fd, EVENT_READ)
                selector.unregister(fd)

        def modify(repetitions: int) -> None:
            for _ in range(repetitions):
                selector.modify(others[0], EVENT_WRITE)
                selector.modify(others[0], EVENT_READ)

        def data(repetitions: int) -> None:
            for _ in range(repetitions):
                selector.modify(others[0], EVENT_READ, 1)
                selector.modify(others[0], EVENT_READ, 2)

        return {"register": register, "modify": modify, "data": data}[what]

    return prepare


def _hop(idle: int, timeout: Any = None) -> Callable[[Any, Any], Run]:
    """Two greenlets wake each other over a pair of sockets; half a repetition is a hop.

    Each waits with `idle` files beside its own.  These are files of their own: the kernel limits
    how many paths of nested epolls may lead to one file (epoll_ctl(2), EINVAL).
    """

    def prepare(hub: Any, kind: Any) -> Run:
        here, there = socket.socketpair()
        _keep.extend((here, there))
        selects = []
        for end in (here, there):
            selector = kind()
            for _ in range(idle):
                pipe = os.pipe()
                selector.register(pipe[0], EVENT_READ)
            selector.register(end, EVENT_READ)
            _keep.append(selector)
            selects.append(selector.select)

        def answer(repetitions: int) -> None:
            select = selects[1]
            for _ in range(repetitions):
                select(timeout)
                there.recv(1)
                there.send(b"x")

        def run(repetitions: int) -> None:
            peer = hub.spawn(answer, repetitions)
            hub.sleep(0)  # it waits
            select = selects[0]
            for _ in range(repetitions):
                here.send(b"x")
                select(timeout)
                here.recv(1)
            hub.join(peer)

        return run

    return prepare


def recv_hop(hub: Any, _: Any) -> Run:
    """The same by `recv` of the library's own sockets, without a selector."""
    here, there = socket.socketpair()

    def answer(repetitions: int) -> None:
        for _ in range(repetitions):
            there.recv(1)
            there.send(b"x")

    def run(repetitions: int) -> None:
        peer = hub.spawn(answer, repetitions)
        hub.sleep(0)
        for _ in range(repetitions):
            here.send(b"x")
            here.recv(1)
        hub.join(peer)

    return run


WORKLOADS: Dict[str, Callable[[Any, Any], Run]] = {
    "life": make_register_select_close,
    "communicate": communicate,
    "1-of-1000": _select_at_once(1, 1000),
    "1-of-100": _select_at_once(1, 100),
    "1000-of-1000": _select_at_once(1000, 1000),
    "bare-poll": bare_poll,
    "register": _change("register"),
    "modify": _change("modify"),
    "modify-data": _change("data"),
    "hop-10": _hop(10),
    "hop-1000": _hop(1000),
    "hop-10-timeout": _hop(10, 5),
    "hop-1000-timeout": _hop(1000, 5),
    "recv-hop": recv_hop,
}


def main() -> None:
    runtime, workload, subject, repetitions = sys.argv[1:]
    hub, kind = subjects(runtime, subject)
    run = WORKLOADS[workload](hub, kind)
    run(3)  # the first time is not like the others
    run(int(repetitions))
    posix._exit(0)  # the end of the interpreter is not measured


if __name__ == "__main__":
    main()
