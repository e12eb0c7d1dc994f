"""What does each kind of work cost in one runtime?  Prints it as JSON.

    python benchmarks/measure.py native|gevent-libev|gevent-libuv|eventlet [--quick]

A result is named ``work, number of files``, and has the seconds of each selector and the ratio of
ours to it.  The standard module's classes are taken before the patch.  Nothing blocks where they
are measured, so they show what an unpatched process would pay.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import posix
import selectors
import subprocess
import sys
import time
import tracemalloc
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, Callable, Dict, Iterator, List

import coopselectors
from _bench import Measure, compare, descriptors, idle_files, pairs, per_call
from _primitives import measure_primitives

Results = Dict[str, Dict[str, Dict[str, float]]]
Kinds = Dict[str, Callable[[], Any]]

RUNTIMES = ("native", "gevent-libev", "gevent-libuv", "eventlet")

#: The standard classes, as nobody has patched them.
STANDARD = {
    name: getattr(selectors, name)
    for name in ("DefaultSelector", "EpollSelector", "PollSelector", "SelectSelector")
}

CLIENTS = Path(__file__).with_name("_clients.py")

#: Numbers of registered files, one of them ready.
REGISTERED = (1, 10, 100, 1000, 9000)
#: Numbers of ready files, all that are registered.
READY = (1, 10, 100, 1000)
#: Numbers of files that are registered beside the one that wakes.
IDLE = (1, 10, 100, 1000)
#: eventlet's selector takes milliseconds for some hundred files.
BEARABLE = 100


class Runtime:
    """One of them, in this process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sleep: Callable[[float], Any] = time.sleep
        #: The hub's own selector, by the name of its library.
        self.peers: Kinds = {}
        if name.startswith("gevent"):
            loops = {"gevent-libev": "libev-cext", "gevent-libuv": "libuv-cffi"}
            os.environ["GEVENT_LOOP"] = loops[name]
            import gevent.monkey

            gevent.monkey.patch_all()
            from gevent.selectors import GeventSelector

            self.spawn, self.sleep = gevent.spawn, gevent.sleep
            self.call_soon = gevent.get_hub().loop.run_callback
            self.peers = {"gevent": GeventSelector}
        elif name == "eventlet":
            import warnings

            warnings.simplefilter("ignore")
            import eventlet

            eventlet.monkey_patch()
            self.spawn, self.sleep = eventlet.spawn, eventlet.sleep
            self.call_soon = partial(eventlet.hubs.get_hub().schedule_call_global, 0)
            self.peers = {"eventlet": selectors.SelectSelector}

    def own(self, name: str) -> Kinds:
        """The class of that name which the library has left or put there, if any."""
        return {peer: getattr(selectors, name) for peer in self.peers if hasattr(selectors, name)}

    def join(self, task: Any) -> None:
        (task.join if self.name.startswith("gevent") else task.wait)()


class Bare:
    """The floor: an epoll, and nothing around it."""

    def __init__(self) -> None:
        self._epoll = coopselectors._unpatched.epoll()
        self._number = 0

    def register(self, fd: int, events: int) -> None:
        self._epoll.register(fd, 1)
        self._number += 1

    def select(self, timeout: float) -> Any:
        return self._epoll.poll(0, self._number)

    def close(self) -> None:
        self._epoll.close()


@contextmanager
def filled(runtime: Runtime, kind: Callable[[], Any], numbers: List[int]) -> Iterator[Any]:
    """A selector that watches all these files, for as long as it is measured and no longer.

    gevent's keeps the hub busy with ready files even when nobody asks it, at others' expense.
    """
    selector = kind()
    try:
        for fd in numbers:
            selector.register(fd, EVENT_READ)
        runtime.sleep(0.001)  # what the last one has left the hub to do is done by then
        yield selector
    finally:
        selector.close()


def one_call(
    runtime: Runtime, kinds: Kinds, registered: int, ready: int, rounds: int
) -> Dict[str, Any]:
    """A select that finds something at once."""

    def measure(name: str) -> Measure:
        def work(repetitions: int) -> float:
            with filled(runtime, kinds[name], numbers) as selector:
                found = len(selector.select(5))
                # eventlet's and gevent's poll tell of some only; that is their best.
                assert found == ready or name in ("eventlet", "gevent"), (name, found)
                return per_call(partial(selector.select, 5))(repetitions)

        return work

    with descriptors(registered, ready) as numbers:
        return compare({name: measure(name) for name in kinds}, rounds)


def woken(runtime: Runtime, kinds: Kinds, idle: int, timeout: Any, rounds: int) -> Dict[str, Any]:
    """One greenlet waits with `idle` files beside its own, and the hub makes that one ready.

    It does so two switches later: by then whoever looks before it sleeps, sleeps.
    """

    def measure(kind: Callable[[], Any]) -> Measure:
        def work(repetitions: int) -> float:
            with filled(runtime, kind, numbers) as selector:
                cycle = _woken_by(runtime, selector.select, here.fileno(), there, timeout)
                for _ in range(10):  # the first time that it sleeps is not like the others
                    cycle()
                return per_call(cycle)(repetitions)

        return work

    # The kernel limits the ways by which an epoll inside another may lead to one file
    # (epoll_ctl(2), EINVAL), so that each has to be a file of its own.
    with pairs(1) as [(here, there)], idle_files(idle) as numbers:
        numbers.append(here.fileno())
        return compare({name: measure(kind) for name, kind in kinds.items()}, rounds)


def _woken_by(
    runtime: Runtime, select: Callable[[Any], Any], fd: int, there: Any, timeout: Any
) -> Callable[[], None]:
    write = partial(posix.write, there.fileno(), b"x")
    later = partial(runtime.call_soon, write)

    def work() -> None:
        runtime.call_soon(later)
        select(timeout)
        posix.read(fd, 1)

    return work


def ping_pong(runtime: Runtime, kinds: Kinds, idle: int, rounds: int) -> Dict[str, Any]:
    """Two greenlets that wake each other; each waits with `idle` files beside its own."""

    def measure(kind: Callable[[], Any]) -> Measure:
        def work(repetitions: int) -> float:
            with filled(runtime, kind, mine) as one, filled(runtime, kind, others) as other:
                sides = (one.select, mine[-1]), (other.select, others[-1])
                return _ping_pong(runtime, sides)(repetitions)

        return work

    # eventlet does not let two greenlets wait for one file.
    with pairs(1) as [(here, there)], idle_files(idle) as mine, idle_files(idle) as others:
        mine.append(here.fileno())
        others.append(there.fileno())
        return compare({name: measure(kind) for name, kind in kinds.items()}, rounds)


def _ping_pong(runtime: Runtime, sides: Any) -> Measure:
    (select, here), (select_there, there) = sides

    def answer(repetitions: int) -> None:
        for _ in range(repetitions):
            select_there()
            posix.write(there, posix.read(there, 1))

    def measure(repetitions: int) -> float:
        peer = runtime.spawn(answer, repetitions)
        runtime.sleep(0)  # it waits
        started = time.perf_counter()
        for _ in range(repetitions):
            posix.write(here, b"x")
            select()
            posix.read(here, 1)
        elapsed = time.perf_counter() - started
        runtime.join(peer)
        return elapsed / repetitions

    return measure


def churn(kinds: Kinds, registered: int, rounds: int) -> Results:
    """What changes a selector that has other files, too."""
    results: Results = {}
    with descriptors(registered + 1, 0) as numbers, ExitStack() as stack:
        fd = numbers.pop()
        made = {}
        for name, kind in kinds.items():
            selector = made[name] = kind()
            stack.callback(selector.close)
            for each in numbers:
                selector.register(each, EVENT_READ)

        def register(selector: Any) -> Callable[[], None]:
            def work() -> None:
                selector.register(fd, EVENT_READ)
                selector.unregister(fd)

            return work

        def modify(selector: Any) -> Callable[[], None]:
            def work() -> None:
                selector.modify(numbers[0], EVENT_WRITE)
                selector.modify(numbers[0], EVENT_READ)

            return work

        def modify_data(selector: Any) -> Callable[[], None]:
            def work() -> None:
                selector.modify(numbers[0], EVENT_READ, 1)
                selector.modify(numbers[0], EVENT_READ, 2)

            return work

        for title, work in (
            ("register and unregister", register),
            ("modify", modify),
            ("modify of data only", modify_data),
        ):
            measures = {name: per_call(work(selector)) for name, selector in made.items()}
            results[title] = compare(measures, rounds)
    return results


def life(kinds: Kinds, rounds: int) -> Dict[str, Any]:
    """Make, register one file that is ready, select, close."""
    with descriptors(1, 1) as [fd]:

        def work(kind: Callable[[], Any]) -> Callable[[], None]:
            def once() -> None:
                selector = kind()
                selector.register(fd, EVENT_READ)
                selector.select(5)
                selector.close()

            return once

        return compare({name: per_call(work(kind)) for name, kind in kinds.items()}, rounds)


def memory(kinds: Kinds, ready: int, registered: int = 2000) -> Dict[str, Any]:
    """Bytes for each registered file, of which `ready` have been seen ready."""
    used = {}
    with descriptors(registered, ready) as numbers:
        for name, kind in kinds.items():
            selector = kind()
            gc.collect()
            tracemalloc.start()
            for fd in numbers:
                selector.register(fd, EVENT_READ)
            selector.select(0)
            gc.collect()
            used[name] = tracemalloc.get_traced_memory()[0] / registered
            tracemalloc.stop()
            selector.close()
    return {
        name: {"bytes": number, "ratio": used["ours"] / number} for name, number in used.items()
    }


class Echo(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


def asyncio_server(
    runtime: Runtime, kinds: Kinds, connections: int, seconds: float, rounds: int
) -> Dict[str, Any]:
    """asyncio's event loop in a greenlet serves clients of another process; seconds a message."""
    arguments = [str(connections), str(seconds)]

    def measure(kind: Callable[[], Any]) -> Measure:
        def work(repetitions: int) -> float:
            # One after the other: a thread can have only one that runs.
            loop = asyncio.SelectorEventLoop(kind())
            ports: List[int] = []
            server = runtime.spawn(_serve, loop, ports)
            while not ports:
                runtime.sleep(0.01)
            clients = subprocess.run(
                [sys.executable, str(CLIENTS), str(ports[0]), *arguments],
                stdout=subprocess.PIPE,
                check=True,
            )
            loop.call_soon_threadsafe(loop.stop)
            runtime.join(server)
            return seconds / int(clients.stdout)

        return work

    return compare({name: measure(kind) for name, kind in kinds.items()}, rounds)


def _serve(loop: Any, ports: List[int]) -> None:
    async def start() -> None:
        server = await loop.create_server(Echo, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])

    loop.run_until_complete(start())
    loop.run_forever()
    loop.close()


def fairness(runtime: Runtime, kinds: Kinds, ready: int, rounds: int) -> Dict[str, Any]:
    """How long a ticker of 1 ms is kept waiting at most while another greenlet selects at once."""

    def longest(selector: Any, seconds: float = 0.3) -> float:
        delays = []

        def tick() -> None:
            due = time.monotonic() + 0.001
            while time.monotonic() < until:
                runtime.sleep(max(0, due - time.monotonic()))
                delays.append(time.monotonic() - due)
                due = time.monotonic() + 0.001

        until = time.monotonic() + seconds
        ticker = runtime.spawn(tick)
        while time.monotonic() < until:
            selector.select(5)
        runtime.join(ticker)
        return max(delays)

    def measure(kind: Callable[[], Any]) -> Measure:
        def work(_: int) -> float:
            with filled(runtime, kind, numbers) as selector:
                return longest(selector)

        return work

    with descriptors(ready, ready) as numbers:
        return compare({name: measure(kind) for name, kind in kinds.items()}, rounds)


def everything(runtime: Runtime, quick: bool) -> Results:
    """All that is measured in one runtime."""
    rounds = 5 if quick else 31
    ours: Kinds = {"ours": coopselectors.DefaultSelector}
    stdlib: Kinds = {"stdlib": STANDARD["DefaultSelector"]}
    bare: Kinds = {"bare epoll": Bare}
    results: Results = {}

    def note(work: str, number: int, found: Dict[str, Any]) -> None:
        results[f"{work}, {number}"] = found
        print(f"{runtime.name}: {work}, {number}", file=sys.stderr, flush=True)

    def kinds(number: int) -> Kinds:
        peers = {} if number > BEARABLE and runtime.name == "eventlet" else runtime.peers
        return {**ours, **peers, **stdlib, **bare}

    for number in REGISTERED:
        note("one ready", number, one_call(runtime, kinds(number), number, 1, rounds))
    for number in READY:
        note("all ready", number, one_call(runtime, kinds(number), number, number, rounds))
    for name in ("PollSelector", "SelectSelector"):
        those = {"ours": getattr(coopselectors, name), **runtime.own(name)}
        number = BEARABLE if runtime.name == "eventlet" else 1000
        found = one_call(runtime, {**those, "stdlib": STANDARD[name]}, number, 1, rounds)
        note(f"one ready, {name}", number, found)
    for work, found in churn({**ours, **stdlib}, 1000, rounds).items():
        note(work, 1000, found)
    polls = {f"{peer}'s PollSelector": kind for peer, kind in runtime.own("PollSelector").items()}
    note("life", 1, life({**ours, **runtime.peers, **polls, **stdlib, **bare}, rounds))
    for work, number in (("memory", 0), ("memory, once ready", 2000)):
        note(work, 2000, memory({**ours, **runtime.peers, **stdlib}, number))
    waker = partial(_woken_by, runtime)
    for work, number, found in measure_primitives(bool(runtime.peers), waker, rounds):
        note(work, number, found)
    if runtime.peers:
        both = {**ours, **runtime.peers}
        for number in IDLE:
            note("woken", number, woken(runtime, both, number, None, rounds))
        note("woken, with time-out", 1000, woken(runtime, both, 1000, 5, rounds))
        note("ping-pong", 1000, ping_pong(runtime, both, 1000, rounds))
        note("fairness", 100, fairness(runtime, both, 100, min(rounds, 21)))
        if "gevent" in both:
            note("asyncio server", 200, asyncio_server(runtime, both, 200, 0.5, min(rounds, 15)))
    return results


def main() -> None:
    runtime = Runtime(sys.argv[1])
    json.dump(everything(runtime, "--quick" in sys.argv), sys.stdout)


if __name__ == "__main__":
    main()
