"""How fast is fast enough?  Each row: some work, what it is held against, and at most how much."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional

#: {runtime: {work: {selector: figures}}}
Results = Dict[str, Dict[str, Any]]


class Target(NamedTuple):
    work: str
    against: str
    at_most: float
    runtime: str
    #: Our cost divided by theirs.
    measured: Callable[[Dict[str, Any]], float]


class Row(NamedTuple):
    target: Target
    measured: Optional[float]

    @property
    def missed(self) -> bool:
        return self.measured is not None and self.measured > self.target.at_most


def _ratio(work: str, peer: str, factor: float = 1.0) -> Callable[[Dict[str, Any]], float]:
    return lambda results: factor * results[work][peer]["ratio"]


def _of_ours(work: str, to: str) -> Callable[[Dict[str, Any]], float]:
    return lambda results: results[work]["ours"]["seconds"] / results[to]["ours"]["seconds"]


def _targets() -> Iterator[Target]:
    stdlib = "stdlib EpollSelector"
    yield Target("1 ready of 1000", stdlib, 1.0, "native", _ratio("one ready, 1000", "stdlib"))
    yield Target("1000 ready of 1000", stdlib, 0.6, "native", _ratio("all ready, 1000", "stdlib"))
    for runtime in ("native", "gevent-libev", "gevent-libuv", "eventlet"):
        floor = _ratio("all ready, 1000", "bare epoll")
        yield Target("1000 ready of 1000", "bare epoll.poll", 1.35, runtime, floor)
    gevents = "GeventSelector"
    for work, key, limit in (
        ("1 ready of 1000", "one ready, 1000", 0.33),
        ("1000 ready of 1000", "all ready, 1000", 0.22),
    ):
        yield Target(work, gevents, limit, "gevent-libev", _ratio(key, "gevent"))
    for work, key, limit in (
        ("1 ready of 100", "one ready, 100", 0.1),
        ("100 ready of 100", "all ready, 100", 0.03),
    ):
        yield Target(work, gevents, limit, "gevent-libuv", _ratio(key, "gevent"))
    # eventlet's selector tells of one file at each call.
    each = _ratio("all ready, 100", "eventlet", 0.01)
    yield Target("100 ready of 100, each event", "eventlet's", 0.001, "eventlet", each)
    for work, key in (("", "woken, 1000"), (", time-out", "woken, with time-out, 1000")):
        for runtime, peer, against, limit in (
            ("gevent-libev", "gevent", gevents, 0.85),
            ("eventlet", "eventlet", "eventlet's", 0.005),
        ):
            title = f"blocked and woken, 1000 idle{work}"
            yield Target(title, against, limit, runtime, _ratio(key, peer))
    for runtime in ("native", "gevent-libev", "gevent-libuv", "eventlet"):
        idle = _of_ours("one ready, 9000", "one ready, 10")
        yield Target("1 ready of 9000", "ours, 1 ready of 10", 1.2, runtime, idle)
    polls = _ratio("life, 1", "gevent's PollSelector")
    yield Target("make, register, select, close", "gevent's poll", 1.0, "gevent-libev", polls)
    theirs = _ratio("life, 1", "eventlet")
    yield Target("make, register, select, close", "eventlet's", 1.0, "eventlet", theirs)
    for work in ("register and unregister", "modify", "modify of data only"):
        yield Target(work, stdlib, 1.05, "native", _ratio(f"{work}, 1000", "stdlib"))
    for name in ("PollSelector", "SelectSelector"):
        key = _ratio(f"one ready, {name}, 1000", "gevent")
        yield Target(f"{name}, 1 ready of 1000", "gevent's", 0.15, "gevent-libev", key)
    key = _ratio("one ready, SelectSelector, 100", "eventlet")
    yield Target("SelectSelector, 1 ready of 100", "eventlet's", 0.03, "eventlet", key)
    yield from _of_primitives()
    memory = _ratio("memory, 2000", "stdlib")
    yield Target("memory for each registered file", stdlib, 1.3, "native", memory)
    memory = _ratio("memory, 2000", "gevent")
    yield Target("memory for each registered file", gevents, 0.7, "gevent-libev", memory)
    rate = _ratio("asyncio server, 200", "gevent")
    yield Target("asyncio server, time a message", gevents, 1 / 1.3, "gevent-libev", rate)
    ticker = _ratio("fairness, 100", "gevent")
    yield Target("longest delay of a 1 ms ticker", gevents, 1.0, "gevent-libev", ticker)


def _of_primitives() -> Iterator[Target]:
    for runtime in ("native", "gevent-libev", "gevent-libuv", "eventlet"):
        for work, key, limit in (
            ("epoll.poll, 1 ready of 1000", "epoll, one ready, 1000", 1.7),
            ("epoll.poll, 1000 ready of 1000", "epoll, all ready, 1000", 1.1),
        ):
            yield Target(work, "bare epoll.poll", limit, runtime, _ratio(key, "bare"))
    for runtime, peer in (
        ("gevent-libev", "gevent's"),
        ("gevent-libuv", "gevent's"),
        ("eventlet", "eventlet's"),
    ):
        for work, key in (
            ("select.select, 1 ready of 20", "select, one ready, 20"),
            ("select.select, blocked and woken", "select, woken, 0"),
            ("select.select, blocked and woken, 20 idle", "select, woken, 20"),
        ):
            yield Target(work, peer, 1.0, runtime, _ratio(key, "theirs"))
        if peer == "gevent's":
            for work, key in (
                ("poll.poll, blocked and woken", "poll, woken, 0"),
                ("poll.poll, blocked and woken, 20 idle", "poll, woken, 20"),
            ):
                yield Target(work, peer, 1.0, runtime, _ratio(key, "theirs"))


def rows(results: Results) -> List[Row]:
    """All targets, with what was measured in the runtimes that were there."""
    return [
        Row(each, each.measured(results[each.runtime]) if each.runtime in results else None)
        for each in _targets()
    ]
