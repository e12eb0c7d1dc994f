"""What is measured?  Small pieces of work, each of which can be repeated as often as one likes.

    python benchmarks/workloads.py RUNTIME WORKLOAD SUBJECT REPETITIONS
    python benchmarks/workloads.py RUNTIME WORKLOAD SUBJECT turns

Sets the workload up, repeats it and exits, so that a run of 2 N repetitions less a run of N is
N repetitions and nothing else.  With "turns" it reads numbers of repetitions from the standard
input, and answers each with the seconds that these took: of processor time and by the clock.
RUNTIME is native, gevent-libev, gevent-libuv or eventlet;
SUBJECT is what does the work, a name from `subjects`.  Only public names of the package are used.
"""

from __future__ import annotations

import gc
import os
import posix
import selectors
import socket
import sys
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from time import perf_counter, process_time
from time import sleep as pause
from types import SimpleNamespace
from typing import Any, Callable, Dict, List, Tuple

from _programs import PROGRAMS

#: Repeats the work so many times.
Run = Callable[[int], None]

_LOOPS = {"gevent-libev": "libev-cext", "gevent-libuv": "libuv-cffi"}
# callgrind slows a process some fifty times, but not the clock.  gevent and ours let others run
# after a time that depends on the switch interval.  At full speed, that time is over at one call of
# twenty or more; here it should not be over at each.  So the interval is so many seconds.
_SWITCH_INTERVAL = 1000
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
    "recv" is no selector at all.  "ours.select" and "hub.select" are modules.  "installed" is no
    class either: `install(select=True)` has replaced the standard ones; "plain": it has not.
    """
    import select

    epoll = getattr(select, "epoll", None)
    standard = {each: getattr(selectors, each, None) for each in _CLASSES}
    hub = _patch(runtime)
    owner, _, class_name = name.partition(".")
    if owner == "ours":
        import coopselectors

        return hub, getattr(coopselectors, class_name or "DefaultSelector")
    if name == "hub.select":
        return hub, select
    if name == "installed":
        import coopselectors

        coopselectors.install(select=True)
    if owner == "standard":
        return hub, standard[class_name or "DefaultSelector"]
    if owner == "hub":
        # gevent's DefaultSelector is its GeventSelector, and eventlet's its SelectSelector.
        return hub, getattr(selectors, class_name or "DefaultSelector")
    return hub, {"bare": epoll}.get(owner)


def ready_and_idle(ready: int, idle: int) -> List[int]:
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
        for fd in ready_and_idle(ready, registered - ready):
            selector.register(fd, EVENT_READ)
        _keep.append(selector)

        def run(repetitions: int) -> None:
            select = selector.select
            for _ in range(repetitions):
                select(5)

        return run

    return prepare


def _epoll_at_once(ready: int, registered: int) -> Callable[[Any, Any], Run]:
    """By epoll.poll, and nothing around it; `epoll` is the class, or a module that has it."""

    def prepare(hub: Any, epoll: Any) -> Run:
        made = getattr(epoll, "epoll", epoll)()
        for fd in ready_and_idle(ready, registered - ready):
            made.register(fd, 1)
        _keep.append(made)

        def run(repetitions: int) -> None:
            poll = made.poll
            for _ in range(repetitions):
                poll(5, registered)

        return run

    return prepare


def _change(what: str) -> Callable[[Any, Any], Run]:
    def prepare(hub: Any, kind: Any) -> Run:
        selector = kind()
        fd, *others = ready_and_idle(0, 1001)
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


def _hop(hub: Any, waits: List[Callable[[], Any]], here: Any, there: Any) -> Run:
    """Two greenlets wake each other over a pair of sockets; a repetition is two hops."""

    def answer(repetitions: int) -> None:
        wait = waits[1]
        for _ in range(repetitions):
            wait()
            there.recv(1)
            there.send(b"x")

    def run(repetitions: int) -> None:
        peer = hub.spawn(answer, repetitions)
        hub.sleep(0)  # it waits
        wait = waits[0]
        for _ in range(repetitions):
            here.send(b"x")
            wait()
            here.recv(1)
        hub.join(peer)

    return run


def _idle_files(number: int) -> List[int]:
    """Files that are never ready, each of its own: the kernel limits how many paths of nested
    epolls may lead to one (epoll_ctl(2), EINVAL)."""
    return [os.pipe()[0] for _ in range(number)]


def _selector_hop(idle: int, timeout: Any = None) -> Callable[[Any, Any], Run]:
    """Each greenlet has a selector with `idle` files beside its socket."""

    def prepare(hub: Any, kind: Any) -> Run:
        pair = socket.socketpair()
        waits = []
        for end in pair:
            selector = kind()
            for fd in _idle_files(idle):
                selector.register(fd, EVENT_READ)
            selector.register(end, EVENT_READ)
            _keep.append(selector)
            waits.append(partial(selector.select, timeout))
        return _hop(hub, waits, *pair)

    return prepare


def _answered(hub: Any, wait: Callable[[], Any], here: Any, there: Any) -> Run:
    """Another process answers after a while, so each wait blocks."""
    if not posix.fork():
        posix.close(here.fileno())
        posix.set_blocking(there.fileno(), True)
        try:
            while posix.read(there.fileno(), 1):
                pause(0.01)  # time.sleep as it was before the patch
                posix.write(there.fileno(), b"x")
        finally:
            posix._exit(0)  # the parent has ended

    def run(repetitions: int) -> None:
        for _ in range(repetitions):
            here.send(b"x")
            wait()
            here.recv(1)

    return run


def _selector_answered(idle: int, timeout: Any = None) -> Callable[[Any, Any], Run]:
    """One greenlet waits for the answer, with `idle` other files."""

    def prepare(hub: Any, kind: Any) -> Run:
        here, there = socket.socketpair()
        selector = kind()
        for fd in (here, *_idle_files(idle)):
            selector.register(fd, EVENT_READ)
        _keep.extend((selector, there))
        return _answered(hub, partial(selector.select, timeout), here, there)

    return prepare


def recv_answered(hub: Any, kind: Any) -> Run:
    """Without a selector: the socket's own `recv` waits."""
    here, there = socket.socketpair()
    _keep.append(there)
    return _answered(hub, lambda: None, here, there)


def _select_hop(idle: int) -> Callable[[Any, Any], Run]:
    """Each greenlet calls `select.select` for its socket and `idle` other files."""

    def prepare(hub: Any, module: Any) -> Run:
        pair = socket.socketpair()
        waits = [partial(module.select, [end, *_idle_files(idle)], (), (), 5) for end in pair]
        return _hop(hub, waits, *pair)

    return prepare


def _poll_hop(idle: int) -> Callable[[Any, Any], Run]:
    """Each greenlet has a `select.poll()` with `idle` files beside its socket."""

    def prepare(hub: Any, module: Any) -> Run:
        pair = socket.socketpair()
        waits = []
        for end in pair:
            poll = module.poll()
            for fd in (*_idle_files(idle), end.fileno()):
                poll.register(fd, module.POLLIN)
            waits.append(partial(poll.poll, 5000))
        return _hop(hub, waits, *pair)

    return prepare


def _select_at_once_of_20(hub: Any, module: Any) -> Run:
    """`select.select`: 1 ready of 20."""
    files = ready_and_idle(1, 19)

    def run(repetitions: int) -> None:
        select = module.select
        for _ in range(repetitions):
            select(files, (), (), 5)

    return run


def recv_hop(hub: Any, _: Any) -> Run:
    """The same by `recv` of the library's own sockets, without a selector."""
    return _hop(hub, [lambda: None] * 2, *socket.socketpair())


WORKLOADS: Dict[str, Callable[[Any, Any], Run]] = {
    **PROGRAMS,
    "life": make_register_select_close,
    "communicate": communicate,
    **{f"1-of-{number}": _select_at_once(1, number) for number in (1, 10, 100, 1000, 9000)},
    **{f"{each}-of-{each}": _select_at_once(each, each) for each in (10, 100, 1000)},
    **{f"epoll-{ready}-of-1000": _epoll_at_once(ready, 1000) for ready in (1, 1000)},
    "register": _change("register"),
    "modify": _change("modify"),
    "modify-data": _change("data"),
    **{f"hop-{idle}": _selector_hop(idle) for idle in (1, 10, 100, 1000)},
    **{f"hop-{idle}-timeout": _selector_hop(idle, 5) for idle in (10, 1000)},
    "recv-hop": recv_hop,
    **{f"answer-{idle}": _selector_answered(idle) for idle in (10, 1000)},
    **{f"answer-{idle}-timeout": _selector_answered(idle, 5) for idle in (10, 1000)},
    "recv-answer": recv_answered,
    "select-1-of-20": _select_at_once_of_20,
    **{f"select-hop-{idle}": _select_hop(idle) for idle in (0, 20)},
    **{f"poll-hop-{idle}": _poll_hop(idle) for idle in (0, 20)},
}


def _take_turns(run: Run) -> None:
    print("ready", flush=True)
    for text in sys.stdin:
        used, now = process_time(), perf_counter()
        run(int(text))
        print(process_time() - used, perf_counter() - now, flush=True)


def main() -> None:
    runtime, workload, subject, repetitions = sys.argv[1:]
    if repetitions != "turns":
        sys.setswitchinterval(_SWITCH_INTERVAL)
    hub, kind = subjects(runtime, subject)
    run = WORKLOADS[workload](hub, kind)
    run(3)  # the first time is not like the others
    gc.collect()
    gc.freeze()  # what only this file keeps is not looked at again and again
    if repetitions == "turns":
        _take_turns(run)
    else:
        run(int(repetitions))
    posix._exit(0)  # the end of the interpreter is not measured


if __name__ == "__main__":
    main()
